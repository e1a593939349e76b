"""What is done where a machine takes a call of ours. No I/O."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

__all__ = ["MachinePolicy", "OnAnswer", "on_answer"]

_MACHINES: Final = ("machine", "fax")
"""What the words begin with by which networks call them."""

_READY: Final = ("machine_end_beep", "machine_end_silence", "machine_end_other")
"""Twilio's words for a machine that has said what it says."""


@dataclass(frozen=True, slots=True)
class MachinePolicy:
    """The operator's choice."""

    message: str = ""
    """What is left on it; empty to hang up."""


class OnAnswer(enum.Enum):
    """What is done when it is known who answered."""

    TALK = "talk"
    HANG_UP = "hang up"
    LEAVE_MESSAGE = "leave message"
    """At once: the machine is ready."""

    WAIT = "wait"
    """For the machine's tone, and then leave the message."""


def on_answer(result: str, policy: MachinePolicy | None, *, is_human: bool) -> OnAnswer:
    """Decide by who answered; who can't be told is taken for a person, who would be hung up on else.

    Args:
        result: The network's word.
        policy: None to talk to machines, too.
        is_human: Whether that word means a person.
    """
    if policy is None or is_human or not result.startswith(_MACHINES):
        return OnAnswer.TALK
    if not policy.message or result.startswith("fax"):
        return OnAnswer.HANG_UP
    return OnAnswer.LEAVE_MESSAGE if result in _READY else OnAnswer.WAIT
