"""What every model is told, in whichever API's shape it is then sent. No I/O."""

from __future__ import annotations

from typing import Final

from warmline.interfaces.llm import LlmRequest, Message, Role

__all__ = ["instructions_text", "message_text"]

_SPOKEN: Final = (
    "Your words are spoken aloud to a person on a call. Answer in one to three short sentences of plain "
    "speech, without lists, headings, links or emoji. What the person said was recognised by a machine "
    "and may be wrong in places; go by what they most likely meant."
)
"""Stands before the operator's instructions; never changes, so that the provider's prompt cache holds it."""


def instructions_text(request: LlmRequest) -> str:
    """Return what stands before the conversation: the same from turn to turn."""
    return f"{_SPOKEN}\n\n{request.instructions}".rstrip()


def message_text(message: Message) -> str:
    """Return what a message says, with the passages that were found for it at its end."""
    if message.role is not Role.USER or not message.passages:
        return message.text
    found = "\n\n".join(f"[{passage.title}] {passage.text}" for passage in message.passages)
    return f"{message.text}\n\n<passages>\n{found}\n</passages>\nAnswer from the passages where they fit."
