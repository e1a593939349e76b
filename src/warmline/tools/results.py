"""What came of a call: the text that the model is told, and the record of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

import msgspec

from warmline.interfaces.llm import Message, Role, ToolCall

__all__ = ["RESULT_CHARS", "ToolOutcome", "ToolRecord", "ToolResult", "result_text"]

RESULT_CHARS: Final = 8_000
"""How much of a result the model is told, about 2,000 tokens: it reads all of it before it says a word."""

_NOTHING_TO_TELL: Final = "Done."


class ToolOutcome(enum.Enum):
    """How a call ended."""

    SUCCEEDED = "succeeded"
    """The tool returned."""

    FAILED = "failed"
    """It raised, or returned what is no JSON."""

    TIMED_OUT = "timed_out"
    """It took longer than it may."""

    CANCELLED = "cancelled"
    """The reply was given up: the person interrupted, or a draft came to nothing."""

    UNKNOWN_TOOL = "unknown_tool"
    """There is no such tool, or this channel can't do what it does."""

    BAD_ARGUMENTS = "bad_arguments"
    """What the model wrote is no JSON, or does not fit the tool's parameters."""


@dataclass(frozen=True, slots=True)
class ToolRecord:
    """A call, for the timeline: neither what was asked nor what was answered."""

    name: str
    """As the model wrote it; cut to the length of a tool's name."""

    duration_ms: int
    outcome: ToolOutcome
    is_pure: bool


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call came to."""

    call: ToolCall
    text: str
    """What the model is told; never empty."""

    record: ToolRecord

    @property
    def message(self) -> Message:
        """The answer as it stands in the context, behind the message with the call."""
        return Message(Role.TOOL, self.text, tool_call_id=self.call.id)


def result_text(value: object) -> str:
    """Return what a tool returned as the model is told it: a text as it is, anything else as JSON.

    Raises:
        TypeError: it can't be written as JSON.
        ValueError: likewise.
    """
    text = value if isinstance(value, str) else "" if value is None else msgspec.json.encode(value).decode()
    if not text.strip():
        return _NOTHING_TO_TELL
    if len(text) <= RESULT_CHARS:
        return text
    return f"{text[:RESULT_CHARS]}\n[Cut off here: {RESULT_CHARS:,} of {len(text):,} characters.]"
