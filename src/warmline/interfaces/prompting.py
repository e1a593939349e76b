"""How a conversation is put to a language model, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from warmline.interfaces.llm import Message, Role

__all__ = ["paired", "prompt_text", "system_prompt"]

_SPOKEN: Final = (
    "Your words are spoken aloud to a person on a call. Answer in one to three short sentences of plain "
    "speech, without lists, headings, links or emoji. What the person said was recognised by a machine "
    "and may be wrong in places; go by what they most likely meant."
)
"""Stands before the operator's instructions; never changes, so that the provider's prompt cache holds it."""

_NO_ANSWER: Final = "Error: the call was broken off. Whether it did anything is not known."
"""Stands for the answer to a call that has none, such as one that the person interrupted."""


def system_prompt(instructions: str) -> str:
    """Return what every prompt begins with: what speech asks for, then the operator's words."""
    return f"{_SPOKEN}\n\n{instructions}".rstrip()


def prompt_text(message: Message) -> str:
    """Return a message as the model reads it; the passages that were found for a question stand with it.

    It stays the same from turn to turn, so that a provider's prompt cache holds the conversation so far.
    """
    if message.role is not Role.USER or not message.passages:
        return message.text
    found = "\n\n".join(f"[{passage.title}] {passage.text}" for passage in message.passages)
    return f"{message.text}\n\n<passages>\n{found}\n</passages>\nAnswer from the passages where they fit."


def paired(messages: Sequence[Message]) -> list[Message]:
    """Return messages in which each of the agent's calls has one answer, directly behind it.

    Every provider refuses a conversation in which that is not so, and with it all of its turns to
    come. An answer is that of the newest message's call of its id which has none; answers of no call are left
    out. What is paired already stays as it is.
    """
    waiting: dict[str, list[tuple[int, int]]] = {}
    answers: dict[tuple[int, int], Message] = {}
    for number, message in enumerate(messages):
        if message.role is Role.TOOL:
            if places := waiting.get(message.tool_call_id):
                place = next(place for place in places if place[0] == places[-1][0])
                places.remove(place)
                answers[place] = message
        else:
            for index, call in enumerate(message.tool_calls):
                waiting.setdefault(call.id, []).append((number, index))
    result = []
    for number, message in enumerate(messages):
        if message.role is Role.TOOL:
            continue
        result.append(message)
        for index, call in enumerate(message.tool_calls):
            unanswered = Message(Role.TOOL, _NO_ANSWER, tool_call_id=call.id)
            result.append(answers.get((number, index), unanswered))
    return result
