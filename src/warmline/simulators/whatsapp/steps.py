"""What a person on WhatsApp does, as data: a list of steps, in JSON or in Python."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

__all__ = [
    "Forward",
    "React",
    "SendImage",
    "SendOther",
    "SendStep",
    "Speak",
    "Step",
    "Wait",
    "WaitForAnswer",
    "Write",
]

_NotNegativeNumber = Annotated[float, msgspec.Meta(ge=0)]

_UNSUPPORTED: Final = {
    "type": "unsupported",
    "errors": [
        {
            "code": 131051,
            "title": "Message type unknown",
            "message": "Message type unknown",
            "error_data": {"details": "Message type is currently not supported."},
        }
    ],
    "unsupported": {"type": "poll_creation"},
}
"""A poll, as the API tells of one."""


class _Step(msgspec.Struct, kw_only=True, frozen=True, tag_field="step", forbid_unknown_fields=True):
    pass


class Write(_Step, frozen=True, tag="write"):
    """Send a text."""

    text: Annotated[str, msgspec.Meta(min_length=1)]
    replies: bool = False
    """It quotes the last message that came."""


class Speak(_Step, frozen=True, tag="speak"):
    """Send a voice note; one of the three is given."""

    text: str = ""
    """Spoken by the simulators' own voice."""

    recording: str = ""
    """A path to a WAV, FLAC, Ogg or MP3 file, as the process that runs the simulators sees it."""

    audio: bytes = b""
    """Such a file itself; in JSON as base64. A voice note is sent as it is."""

    def __post_init__(self) -> None:
        """See that one is given.

        Raises:
            ValueError: it is not so.
        """
        if sum(map(bool, (self.text, self.recording, self.audio))) != 1:
            raise ValueError("give one of text, recording, audio")


class Forward(Speak, frozen=True, tag="forward"):
    """Pass on a file of sound, as MP3: `voice` is false."""


class SendImage(_Step, frozen=True, tag="send_image"):
    """Send a picture."""

    caption: str = ""


class React(_Step, frozen=True, tag="react"):
    """React to the last message that came; if none did, to the last that was sent."""

    emoji: str = "\N{THUMBS UP SIGN}"
    """Empty takes a reaction back."""


class SendOther(_Step, frozen=True, tag="send_other"):
    """Send a message of any type, such as one that the API does not support."""

    message: dict[str, Any] = msgspec.field(default_factory=lambda: dict(_UNSUPPORTED))
    """Its `type`, and what belongs to that; its id, time and sender are added."""

    def __post_init__(self) -> None:
        """See that there is a type.

        Raises:
            ValueError: there is none.
        """
        if not isinstance(self.message.get("type"), str):
            raise ValueError("message has a type")


class Wait(_Step, frozen=True, tag="wait"):
    """Do nothing."""

    wait_s: _NotNegativeNumber


class WaitForAnswer(_Step, frozen=True, tag="wait_for_answer"):
    """Wait until what was sent since the last wait was answered, and nothing more comes."""

    quiet_s: _NotNegativeNumber = 2.0
    """For so long nothing has come, and nobody is shown to be writing."""

    messages: Annotated[int, msgspec.Meta(ge=1)] = 1
    """How many have to have come at least, since the first message that was sent after the last wait."""

    within_s: _NotNegativeNumber = 60.0
    """Go on if that has not happened by then."""


SendStep = Write | Speak | Forward | SendImage | React | SendOther
Step = SendStep | Wait | WaitForAnswer
