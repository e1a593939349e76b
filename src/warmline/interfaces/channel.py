"""How a session and a channel talk: values one way, calls the other; nothing here awaits.

A channel turns a wire's messages into calls on a `Conversation` and a session's events into the
wire's messages. All calls are made on the event loop and return at once.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from warmline.core.formats import AudioFormat
from warmline.interfaces.llm import Message, Role
from warmline.interfaces.retriever import Passage
from warmline.timeline.report import TurnReport
from warmline.turns.floor import Floor

__all__ = [
    "Channel",
    "Conversation",
    "EndReason",
    "FloorChanged",
    "PartialTranscript",
    "ReplyAudioDone",
    "ReplyDone",
    "ReplyResumed",
    "ReplyStarted",
    "ReplyStatus",
    "ReplyText",
    "SessionEvent",
    "SessionFailure",
    "SourcesFound",
    "SpeechStarted",
    "SpeechStopped",
    "Telephone",
    "TurnMeasured",
    "TurnSettings",
    "UserTurn",
]


class ReplyStatus(enum.Enum):
    """How a reply ended."""

    COMPLETED = "completed"
    """All of it was played, as far as is known."""

    INTERRUPTED = "interrupted"
    """The user took the floor."""

    CANCELLED = "cancelled"
    """The client asked for it to stop."""

    FAILED = "failed"
    """A provider failed; what was heard until then stands."""


class EndReason(enum.Enum):
    """Why a session ended."""

    GOODBYE = "goodbye"
    """The user said goodbye and heard it said back."""

    HUNG_UP = "hung_up"
    """The far end left."""

    IDLE = "idle"
    """The user was silent, was asked whether they are there, and stayed silent."""

    EXPIRED = "expired"
    """The session reached its longest time."""

    SHUTDOWN = "shutdown"
    """The server is stopping."""

    FAILED = "failed"
    """A provider that nothing works without is gone."""


@dataclass(frozen=True, slots=True)
class FloorChanged:
    """Somebody else may speak now."""

    floor: Floor


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The user began to speak; instants are milliseconds of the audio received in this session."""

    item_id: str
    audio_start_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The user fell silent at `audio_end_ms`; the turn may or may not be over."""

    item_id: str
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class PartialTranscript:
    """The turn's words so far; replaces the one before."""

    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class UserTurn:
    """The user's turn is over and is in the context."""

    item_id: str
    text: str
    spoken: bool
    """False if it was typed."""

    duration_s: float
    """Seconds of speech that were recognised; 0 if typed."""


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """An answer is being made; no sound yet."""

    reply_id: str
    item_id: str


@dataclass(frozen=True, slots=True)
class ReplyResumed:
    """Its sound was stopped for what turned out to be no interruption, and comes again from `from_ms` on."""

    reply_id: str
    item_id: str
    from_ms: int
    """Milliseconds of the reply's sound; what the channel reports of it goes on counting from here."""

    until_ms: int | None
    """The length of the reply's sound if all of it is made: no other `ReplyAudioDone` follows."""


@dataclass(frozen=True, slots=True)
class SourcesFound:
    """What the answer draws on."""

    reply_id: str
    passages: Sequence[Passage]


@dataclass(frozen=True, slots=True)
class ReplyText:
    """More of the answer's words; they precede their audio."""

    reply_id: str
    delta: str


@dataclass(frozen=True, slots=True)
class ReplyAudioDone:
    """All of the reply's audio has been handed to the channel; it may still be playing."""

    reply_id: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class ReplyDone:
    """The reply is made, or will not be made further; sent once for each `ReplyStarted`."""

    reply_id: str
    item_id: str
    status: ReplyStatus
    text: str
    """All that was made of it, heard or not."""

    detail: str = ""
    """For a failure: what happened, in words for people."""


@dataclass(frozen=True, slots=True)
class TurnMeasured:
    """A turn's figures: first when its first sound is played, last when it is over or corrected."""

    report: TurnReport


@dataclass(frozen=True, slots=True)
class SessionFailure:
    """Something failed that the person should know of; the session goes on unless it ends too."""

    code: str
    message: str


SessionEvent = (
    FloorChanged
    | SpeechStarted
    | SpeechStopped
    | PartialTranscript
    | UserTurn
    | ReplyStarted
    | ReplyResumed
    | SourcesFound
    | ReplyText
    | ReplyAudioDone
    | ReplyDone
    | TurnMeasured
    | SessionFailure
)


class Telephone(Protocol):
    """What a channel can do beside speech, if it is a telephone call."""

    async def transfer(self, number: str) -> None:
        """Connect the person with `number`, in international form; the agent leaves.

        Raises:
            ToolError: the far end did not take it.
        """
        ...

    async def send_dtmf(self, digits: str) -> None:
        """Press keys, one after another.

        Raises:
            ToolError: the far end did not take it.
        """
        ...


class Channel(Protocol):
    """The session's way to the person's ear and eye."""

    @property
    def telephone(self) -> Telephone | None:
        """What it can do as a telephone; None if it is none."""
        ...

    @property
    def input_format(self) -> AudioFormat:
        """The audio it takes in: pcm16 at 8 or 16 kHz, or G.711 at 8 kHz.

        What is expected, as long as that is not known; fixed from `Conversation.answered`, or else from
        the first audio on.
        """
        ...

    @property
    def output_format(self) -> AudioFormat | None:
        """The audio it plays, or None for a client that wants text alone.

        While it rings, what is expected.
        """
        ...

    @property
    def is_ringing(self) -> bool:
        """Whether nobody can hear or be heard yet: a call that is not answered, or has no audio yet.

        `Conversation.answered` follows, or `hang_up`; how long it may ring is for the channel to limit.
        """
        ...

    @property
    def reports_playout(self) -> bool:
        """Whether the far end says what it has played; else playout is reckoned by the clock."""
        ...

    @property
    def least_lead_s(self) -> float:
        """How much has to be sent ahead of its playing, at least, so that there are no gaps; it may change.

        0 leaves it to the session.
        """
        ...

    def send(self, event: SessionEvent) -> None:
        """Tell the far end."""
        ...

    def play(self, reply_id: str, audio: bytes) -> None:
        """Queue audio for playing, in `output_format`, behind what was queued before."""
        ...

    def stop_playout(self, reply_id: str) -> None:
        """Silence the reply now and drop what is queued of it; `ReplyResumed` may follow."""
        ...

    def close(self, reason: EndReason) -> None:
        """Say why, and end the connection. Calling it again does nothing."""
        ...


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """How this session takes turns; a client may change them while it runs."""

    detects_turns: bool = True
    """False: the client says when the user's turn is over (push to talk)."""

    replies_by_itself: bool = True
    """Answer as soon as a spoken turn is over, without being asked to."""

    can_be_interrupted: bool = True
    """Speech stops a reply."""

    speech_threshold: float = 0.5
    """Probability of speech, 0..1, from which a slice counts as speech."""

    silence_ms: int = 500
    """Silence after which the turn is over."""


class Conversation(Protocol):
    """The channel's way into a session."""

    def configure(self, settings: TurnSettings, instructions: str) -> None:
        """Change how turns are taken, from the next sound on."""
        ...

    def answered(self) -> None:
        """The person has answered, and audio can pass both ways; for a channel that was ringing.

        A greeting that is made by now is at `Channel.play` within this call. Until then nothing but
        `configure`, `add_message` and `hang_up` is called, and audio is dropped. Calling it again does
        nothing.
        """
        ...

    def receive_audio(self, audio: bytes) -> None:
        """Take audio from the person in the channel's `input_format`: whole samples, any length, in order."""
        ...

    def clear_audio(self) -> None:
        """Forget the speech of a turn that is not over yet."""
        ...

    def commit_audio(self) -> bool:
        """End the user's spoken turn now; False if there was no audio to commit."""
        ...

    def receive_text(self, text: str) -> None:
        """Take a typed turn and answer it; takes the floor from anybody.

        Words of a spoken turn that is not over yet go in front of it.
        """
        ...

    def add_message(self, role: Role, text: str, item_id: str, *, after: str | None = None) -> bool:
        """Put a message into the context without answering it; False if it can't stand there.

        It stands behind the item `after`, in front of all others if that is `root`, or at the end.
        """
        ...

    def find_message(self, item_id: str) -> Message | None:
        """Return a message of the context, or None if there is none of that id."""
        ...

    def remove_message(self, item_id: str) -> bool:
        """Take a message out of the context; False if there is none of that id."""
        ...

    def request_reply(self, instructions: str | None = None) -> bool:
        """Answer the context as it stands, or the turn in progress once it is over.

        False if a reply is being made already. One that is only playing still is left to play on.
        """
        ...

    def cancel_reply(self) -> bool:
        """Stop the reply; False if there is none."""
        ...

    def barge_in(self) -> bool:
        """The person has begun to speak, as the far end says: stop the reply; False if there is none.

        For a channel without audio of theirs; what they say follows as text.
        """
        ...

    def playout_started(self, reply_id: str, at_s: float | None = None) -> None:
        """The first sample of the reply is heard: now, or since an instant of the session's clock."""
        ...

    def playout_progressed(self, reply_id: str, played_ms: int) -> None:
        """So much of the reply has been heard."""
        ...

    def playout_finished(self, reply_id: str) -> None:
        """Everything sent of the reply has been heard."""
        ...

    def playout_truncated(self, item_id: str, played_ms: int) -> bool:
        """The reply whose item this is was stopped after so much was heard; False if unknown."""
        ...

    def hang_up(self) -> None:
        """The far end has left."""
        ...
