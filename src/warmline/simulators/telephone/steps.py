"""What a person on a telephone does, as data: a list of steps, in JSON or in Python."""

from __future__ import annotations

from typing import Annotated

import msgspec

__all__ = [
    "HangUp",
    "Interrupt",
    "Press",
    "Say",
    "Stay",
    "Step",
    "Wait",
    "WaitForReply",
]

_NotNegative = msgspec.Meta(ge=0)
_NotNegativeNumber = Annotated[float, _NotNegative]


class _Step(msgspec.Struct, kw_only=True, frozen=True, tag_field="step", forbid_unknown_fields=True):
    pass


class Say(_Step, frozen=True, tag="say"):
    """Speak: a text, or a recording; one of the three is given."""

    text: str = ""
    """Spoken by the simulators' own voice."""

    recording: str = ""
    """A path to a WAV, FLAC, Ogg or MP3 file, as the process that runs the simulators sees it."""

    audio: bytes = b""
    """Such a file itself; in JSON as base64."""

    def __post_init__(self) -> None:
        if sum(map(bool, (self.text, self.recording, self.audio))) != 1:
            raise ValueError("give one of text, recording, audio")


class Interrupt(Say, frozen=True, tag="interrupt"):
    """Speak when the agent has begun to, without letting it finish."""

    after_ms: _NotNegativeNumber = 500.0
    """How far into the agent's speech."""

    within_s: _NotNegativeNumber = 20.0
    """If the agent has said nothing for so long, speak anyway."""


class WaitForReply(_Step, frozen=True, tag="wait_for_reply"):
    """Listen until the agent has spoken, and has then been silent."""

    silence_ms: _NotNegativeNumber = 800.0
    within_s: _NotNegativeNumber = 20.0
    """Go on if that has not happened by then."""


class Wait(_Step, frozen=True, tag="wait"):
    """Be silent."""

    wait_s: _NotNegativeNumber


class Press(_Step, frozen=True, tag="press"):
    """Press keys, one after another."""

    digits: Annotated[str, msgspec.Meta(pattern="^[0-9A-D*#]+$")]
    each_ms: Annotated[float, msgspec.Meta(ge=40)] = 250.0
    """From one to the next."""


class HangUp(_Step, frozen=True, tag="hang_up"):
    """End the call."""


class Stay(_Step, frozen=True, tag="stay"):
    """Be silent until the other side hangs up."""


Step = Say | Interrupt | WaitForReply | Wait | Press | HangUp | Stay
