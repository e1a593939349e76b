"""How a conversation is put to a language model, whichever it is."""

from __future__ import annotations

from typing import Final

from warmline.interfaces.llm import Message, Role

__all__ = ["prompt_text", "system_prompt"]

_SPOKEN: Final = (
    "Your words are spoken aloud to a person on a call. Answer in one to three short sentences of plain "
    "speech, without lists, headings, links or emoji. What the person said was recognised by a machine "
    "and may be wrong in places; go by what they most likely meant."
)
"""Stands before the operator's instructions; never changes, so that the provider's prompt cache holds it."""


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
