"""Deepgram's wires: what a stream is asked for, and the messages of Nova and Flux. No I/O."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import msgspec

from warmline.core.formats import AudioFormat, Encoding
from warmline.errors import RemoteProtocolError
from warmline.pool.http import HttpRequest

__all__ = [
    "CLOSE_STREAM",
    "FINALIZE",
    "FORCE_END_TURN",
    "KEEP_ALIVE",
    "PROJECTS",
    "FluxEvent",
    "FluxMessage",
    "FluxSettings",
    "NovaMessage",
    "NovaSettings",
    "configure",
    "decode_flux",
    "decode_nova",
    "flux_path",
    "nova_path",
]

KEEP_ALIVE: Final = b'{"type":"KeepAlive"}'
"""Nova's; Flux has none, and is sent silence."""

FINALIZE: Final = b'{"type":"Finalize"}'
CLOSE_STREAM: Final = b'{"type":"CloseStream"}'
FORCE_END_TURN: Final = b'{"type":"ForceEndTurn"}'

PROJECTS: Final = HttpRequest("GET", "/v1/projects", is_idempotent=True)
"""Costs nothing, and needs a valid key."""

_ENCODINGS: Final = {Encoding.PCM16: "linear16", Encoding.PCMU: "mulaw", Encoding.PCMA: "alaw"}


@dataclass(frozen=True, slots=True)
class NovaSettings:
    """What Nova is asked for."""

    model: str = "nova-3"
    language: str = "en"
    endpointing_ms: int = 300
    """Silence after which a segment is frozen; agents use 300 to 500."""

    keyterms: tuple[str, ...] = ()
    has_smart_format: bool = True


@dataclass(frozen=True, slots=True)
class FluxSettings:
    """What Flux is asked for."""

    model: str = "flux-general-en"
    eot_threshold: float = 0.7
    """0.5 to 1: how sure it has to be that a turn is over."""

    eager_eot_threshold: float | None = None
    """0.3 to 0.9, and no more than the other: how sure, to say so early; None for no early word."""

    eot_timeout_ms: int = 5_000
    keyterms: tuple[str, ...] = ()
    language_hints: tuple[str, ...] = ()
    """For `flux-general-multi`."""


def nova_path(settings: NovaSettings, audio_format: AudioFormat) -> str:
    """Return the path and query of a stream to Nova; audio goes as it is, G.711 too."""
    query: list[tuple[str, str]] = [
        ("model", settings.model),
        ("language", settings.language),
        ("encoding", _ENCODINGS[audio_format.encoding]),
        ("sample_rate", str(audio_format.rate_hz)),
        ("channels", "1"),
        ("interim_results", "true"),
        ("endpointing", str(settings.endpointing_ms)),
        ("smart_format", "true" if settings.has_smart_format else "false"),
        *(("keyterm", term) for term in settings.keyterms),
    ]
    return f"/v1/listen?{urlencode(query)}"


def flux_path(settings: FluxSettings, audio_format: AudioFormat) -> str:
    """Return the path and query of a stream to Flux."""
    query: list[tuple[str, str]] = [
        ("model", settings.model),
        ("encoding", _ENCODINGS[audio_format.encoding]),
        ("sample_rate", str(audio_format.rate_hz)),
        ("eot_threshold", f"{settings.eot_threshold:g}"),
        ("eot_timeout_ms", str(settings.eot_timeout_ms)),
    ]
    if settings.eager_eot_threshold is not None:
        query.append(("eager_eot_threshold", f"{settings.eager_eot_threshold:g}"))
    query += [("keyterm", term) for term in settings.keyterms]
    query += [("language_hint", hint) for hint in settings.language_hints]
    return f"/v2/listen?{urlencode(query)}"


def configure(
    *,
    eot_threshold: float | None = None,
    eager_eot_threshold: float | None = None,
    eot_timeout_ms: int | None = None,
    keyterms: tuple[str, ...] | None = None,
) -> bytes:
    """Return the message that changes a running stream to Flux; what is None stays."""
    thresholds = {
        "eot_threshold": eot_threshold,
        "eager_eot_threshold": eager_eot_threshold,
        "eot_timeout_ms": eot_timeout_ms,
    }
    given = {name: value for name, value in thresholds.items() if value is not None}
    message: dict[str, object] = {"type": "Configure"}
    if given:
        message["thresholds"] = given
    if keyterms is not None:
        message["keyterms"] = list(keyterms)
    return msgspec.json.encode(message)


@dataclass(frozen=True, slots=True)
class NovaMessage:
    """What Nova says of a stretch of audio."""

    text: str
    is_final: bool
    """The stretch is frozen: append it."""

    is_endpoint: bool
    """Silence followed."""

    answers_finalize: bool
    end_s: float
    """Where the stretch ends, in seconds of the stream."""


class FluxEvent(enum.Enum):
    """What Flux says of a turn."""

    UPDATE = "Update"
    START_OF_TURN = "StartOfTurn"
    EAGER_END_OF_TURN = "EagerEndOfTurn"
    """It may be over: worth a guess."""

    TURN_RESUMED = "TurnResumed"
    """It was not over: drop the guess."""

    END_OF_TURN = "EndOfTurn"


@dataclass(frozen=True, slots=True)
class FluxMessage:
    """What Flux says; texts are the turn's so far, whole."""

    event: FluxEvent
    turn: int
    text: str
    confidence: float = 0.0
    """That the turn is over."""

    was_forced: bool = False
    """It is over because we said so."""


class _Alternative(msgspec.Struct):
    transcript: str = ""


class _Channel(msgspec.Struct):
    alternatives: list[_Alternative] = msgspec.field(default_factory=list)


class _Nova(msgspec.Struct):
    type: str = ""
    is_final: bool = False
    speech_final: bool = False
    from_finalize: bool = False
    start: float = 0.0
    duration: float = 0.0
    channel: msgspec.Raw = msgspec.Raw()
    """An object in Results, a list elsewhere."""

    description: str = ""
    message: str = ""


class _Flux(msgspec.Struct):
    type: str = ""
    event: str = ""
    turn_index: int = 0
    transcript: str = ""
    end_of_turn_confidence: float = 0.0
    trigger: str = "manual"
    code: str = ""
    description: str = ""


_NOVA: Final = msgspec.json.Decoder(_Nova)
_CHANNEL: Final = msgspec.json.Decoder(_Channel)
_FLUX: Final = msgspec.json.Decoder(_Flux)
_EVENTS: Final = {event.value: event for event in FluxEvent}


def decode_nova(payload: bytes) -> NovaMessage | None:
    """Read a message of Nova; None if it says nothing about words.

    Raises:
        RemoteProtocolError: it is no message, or an error.
    """
    try:
        found = _NOVA.decode(payload)
        if found.type == "Error":
            raise RemoteProtocolError(f"an error: {found.description or found.message}", code="error")
        if found.type != "Results":
            return None
        channel = _CHANNEL.decode(found.channel)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise RemoteProtocolError(f"what is no message: {error}", code="bad_message") from error
    return NovaMessage(
        text=channel.alternatives[0].transcript if channel.alternatives else "",
        is_final=found.is_final,
        is_endpoint=found.speech_final,
        answers_finalize=found.from_finalize,
        end_s=found.start + found.duration,
    )


def decode_flux(payload: bytes) -> FluxMessage | str | None:
    """Read a message of Flux: a turn's event, a warning's code, or None for anything else.

    Raises:
        RemoteProtocolError: it is no message, or an error.
    """
    try:
        found = _FLUX.decode(payload)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise RemoteProtocolError(f"what is no message: {error}", code="bad_message") from error
    if found.type == "Error":
        raise RemoteProtocolError(f"an error: {found.description} ({found.code})", code="error")
    if found.type in ("Warning", "ConfigureFailure"):
        return found.code
    event = _EVENTS.get(found.event) if found.type == "TurnInfo" else None
    if event is None:
        return None
    return FluxMessage(
        event,
        found.turn_index,
        found.transcript,
        found.end_of_turn_confidence,
        was_forced=event is FluxEvent.END_OF_TURN and found.trigger == "manual",
    )
