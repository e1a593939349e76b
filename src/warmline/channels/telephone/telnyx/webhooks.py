"""What Telnyx tells of a call by webhooks. No I/O.

They come at least once and in no certain order: what was seen is known by `event_id`, what was first by
`occurred_at_s`.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from warmline.channels.telephone.telnyx.client_state import decode_client_state
from warmline.errors import RemoteProtocolError

__all__ = [
    "CallAnswered",
    "CallBridged",
    "CallHungUp",
    "CallInitiated",
    "DtmfReceived",
    "MachineDetectionEnded",
    "MachineGreetingEnded",
    "PlaybackEnded",
    "PlaybackStarted",
    "RecordingSaved",
    "SpeakEnded",
    "SpeakStarted",
    "StreamingFailed",
    "StreamingStarted",
    "StreamingStopped",
    "TelnyxEvent",
    "UnknownEvent",
    "WordsTranscribed",
    "decode_webhook",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TelnyxEvent:
    """What every event says; what a network leaves out is empty."""

    event_id: str
    """The same for every delivery of one event."""

    occurred_at_s: float
    """In seconds since 1970."""

    call_control_id: str
    """The leg, as commands name it."""

    call_leg_id: str
    """The leg, as reports name it."""

    call_session_id: str
    """Shared by legs that belong together, such as those of a transfer."""

    client_state: str
    """What we gave the leg along, decoded."""

    from_number: str
    to_number: str
    attempt: int
    """Which delivery this is, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallInitiated(TelnyxEvent):
    """A call came in, or one of ours is on its way."""

    is_incoming: bool
    caller_name: str
    custom_headers: Mapping[str, str]
    """SIP headers that begin with X-."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswered(TelnyxEvent):
    """Somebody, or we, took it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBridged(TelnyxEvent):
    """Two legs were joined: a transfer was answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallHungUp(TelnyxEvent):
    """It is over."""

    cause: str
    """`normal_clearing`, `originator_cancel`, `user_busy`, `no_answer`, `timeout`, `time_limit`,
    `call_rejected`, `not_found` or `unspecified`."""

    source: str
    """`caller`, `callee` or `unknown`."""

    sip_cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackStarted(TelnyxEvent):
    """A recording is being played."""

    media: str
    """Its URL, or its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackEnded(TelnyxEvent):
    """A recording was played, or will not be."""

    media: str
    status: str
    """`completed`, `cancelled`, `call_hangup`, `file_not_found`, `failed` and others."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakStarted(TelnyxEvent):
    """A text is being spoken by Telnyx."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakEnded(TelnyxEvent):
    """A text was spoken, or will not be."""

    status: str
    """`completed`, `call_hangup` or `cancelled_amd`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DtmfReceived(TelnyxEvent):
    """A key was pressed; the media stream says so as well."""

    digit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingStarted(TelnyxEvent):
    """Telnyx has reached our media socket."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingStopped(TelnyxEvent):
    """The media stream is over."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingFailed(TelnyxEvent):
    """Telnyx could not reach our media socket, or lost it."""

    url: str
    stream_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineDetectionEnded(TelnyxEvent):
    """Whether a person or a machine answered."""

    result: str
    """`human`, `machine`, `not_sure`; premium: `human_residence`, `human_business`, `machine`, `silence`,
    `fax_detected`, `not_sure`."""

    is_premium: bool

    @property
    def is_human(self) -> bool:
        """Whether it is a person, as far as can be told."""
        return self.result.startswith("human")


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineGreetingEnded(TelnyxEvent):
    """An answering machine has said what it says: a message can be left."""

    result: str
    """`beep_detected`, `no_beep_detected`, `prompt_ended`, `ended` or `not_sure`."""

    is_premium: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSaved(TelnyxEvent):
    """A recording can be fetched, for ten minutes under these addresses."""

    urls: Mapping[str, str]
    """By format: `mp3`, `wav`."""

    channels: str
    """`single` or `dual`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WordsTranscribed(TelnyxEvent):
    """What somebody on the call has said, as far as it was recognised."""

    text: str
    is_final: bool
    """It will not change; else it is the beginning of what will be told again."""

    confidence: float | None
    """0 to 1; None where the engine does not say."""

    is_inbound: bool
    """The person said it, and not we; taken for so where the engine does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownEvent(TelnyxEvent):
    """Something that says nothing to us."""

    event_type: str


class _Common(msgspec.Struct):
    call_control_id: str | None = None
    call_leg_id: str | None = None
    call_session_id: str | None = None
    client_state: str | None = None
    from_number: str | None = msgspec.field(default=None, name="from")
    to_number: Any = msgspec.field(default=None, name="to")
    """A list in some events."""


class _Header(msgspec.Struct):
    name: str
    value: str | None = None


class _StreamParams(msgspec.Struct):
    stream_url: str | None = None


class _Transcription(msgspec.Struct):
    transcript: str | None = None
    is_final: bool | None = None
    confidence: float | None = None
    transcription_track: str | None = None


class _Payload(_Common):
    direction: str | None = None
    caller_id_name: str | None = None
    custom_headers: list[_Header] | None = None
    hangup_cause: str | None = None
    hangup_source: str | None = None
    sip_hangup_cause: int | str | None = None
    media_url: str | None = None
    media_name: str | None = None
    status: str | None = None
    status_detail: str | None = None
    digit: str | None = None
    stream_url: str | None = None
    stream_id: str | None = None
    stream_params: _StreamParams | None = None
    failure_reason: str | None = None
    result: str | None = None
    recording_urls: dict[str, str | None] | None = None
    channels: str | None = None
    transcription_data: _Transcription | None = None


class _Data(msgspec.Struct):
    event_type: str
    id: str
    occurred_at: datetime.datetime
    payload: msgspec.Raw = msgspec.Raw(b"{}")


class _Meta(msgspec.Struct):
    attempt: int = 1


class _Webhook(msgspec.Struct):
    data: _Data
    meta: _Meta | None = None


_WEBHOOK: Final = msgspec.json.Decoder(_Webhook)
_PAYLOAD: Final = msgspec.json.Decoder(_Payload)
_COMMON: Final = msgspec.json.Decoder(_Common)

_Reader = Callable[[_Payload, dict[str, Any]], TelnyxEvent]

_READERS: Final[Mapping[str, _Reader]] = {
    "call.initiated": lambda said, common: CallInitiated(
        **common,
        is_incoming=said.direction != "outgoing",
        caller_name=said.caller_id_name or "",
        custom_headers={each.name: each.value or "" for each in said.custom_headers or ()},
    ),
    "call.answered": lambda _, common: CallAnswered(**common),
    "call.bridged": lambda _, common: CallBridged(**common),
    "call.hangup": lambda said, common: CallHungUp(
        **common,
        cause=said.hangup_cause or "",
        source=said.hangup_source or "",
        sip_cause=str(said.sip_hangup_cause or ""),
    ),
    "call.playback.started": lambda said, common: PlaybackStarted(**common, media=_media(said)),
    "call.playback.ended": lambda said, common: PlaybackEnded(
        **common, media=_media(said), status=said.status or "", detail=said.status_detail or ""
    ),
    "call.speak.started": lambda _, common: SpeakStarted(**common),
    "call.speak.ended": lambda said, common: SpeakEnded(**common, status=said.status or ""),
    "call.dtmf.received": lambda said, common: DtmfReceived(**common, digit=said.digit or ""),
    "streaming.started": lambda said, common: StreamingStarted(**common, url=_url(said)),
    "streaming.stopped": lambda said, common: StreamingStopped(**common, url=_url(said)),
    "streaming.failed": lambda said, common: StreamingFailed(
        **common, url=_url(said), stream_id=said.stream_id or "", reason=said.failure_reason or ""
    ),
    "call.machine.detection.ended": lambda said, common: MachineDetectionEnded(
        **common, result=said.result or "", is_premium=False
    ),
    "call.machine.premium.detection.ended": lambda said, common: MachineDetectionEnded(
        **common, result=said.result or "", is_premium=True
    ),
    "call.machine.greeting.ended": lambda said, common: MachineGreetingEnded(
        **common, result=said.result or "", is_premium=False
    ),
    "call.machine.premium.greeting.ended": lambda said, common: MachineGreetingEnded(
        **common, result=said.result or "", is_premium=True
    ),
    "call.recording.saved": lambda said, common: RecordingSaved(
        **common,
        urls={name: url for name, url in (said.recording_urls or {}).items() if url},
        channels=said.channels or "",
    ),
    "call.transcription": lambda said, common: _words(said.transcription_data or _Transcription(), common),
}


def decode_webhook(body: bytes) -> TelnyxEvent:
    """Return what a webhook tells.

    Raises:
        RemoteProtocolError: it is none, or a field that it needs is missing or wrong.
    """
    try:
        found = _WEBHOOK.decode(body)
        reader = _READERS.get(found.data.event_type)
        payload = _PAYLOAD.decode(found.data.payload) if reader is not None else None
        common = payload or _common(found.data.payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        what, _, where = str(error).partition(" - at `$.")
        param = where.rstrip("`") or None
        raise RemoteProtocolError(f"a webhook is wrong: {what}", code="bad_webhook", param=param) from error
    occurred_at = found.data.occurred_at
    if occurred_at.tzinfo is None:
        occurred_at = occurred_at.replace(tzinfo=datetime.UTC)
    fields: dict[str, Any] = {
        "event_id": found.data.id,
        "occurred_at_s": occurred_at.timestamp(),
        "call_control_id": common.call_control_id or "",
        "call_leg_id": common.call_leg_id or "",
        "call_session_id": common.call_session_id or "",
        "client_state": decode_client_state(common.client_state),
        "from_number": common.from_number or "",
        "to_number": common.to_number if isinstance(common.to_number, str) else "",
        "attempt": found.meta.attempt if found.meta else 1,
    }
    if reader is None or payload is None:
        return UnknownEvent(**fields, event_type=found.data.event_type)
    return reader(payload, fields)


def _common(payload: msgspec.Raw) -> _Common:
    """Return what an event that nobody reads says of its call, if it is of one."""
    try:
        return _COMMON.decode(payload)
    except msgspec.ValidationError:
        return _Common()


def _words(said: _Transcription, common: dict[str, Any]) -> WordsTranscribed:
    return WordsTranscribed(
        **common,
        text=said.transcript or "",
        is_final=said.is_final is not False,
        confidence=said.confidence,
        is_inbound=said.transcription_track != "outbound",
    )


def _media(said: _Payload) -> str:
    return said.media_url or said.media_name or ""


def _url(said: _Payload) -> str:
    return said.stream_url or (said.stream_params.stream_url if said.stream_params else None) or ""
