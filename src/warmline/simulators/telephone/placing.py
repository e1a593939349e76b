"""What is asked of a telephone network from outside: calls to be placed, and who answers when it dials."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from warmline.simulators.telephone.codec import Codec
from warmline.simulators.telephone.steps import Stay, Step

__all__ = ["CallFaults", "Callee", "CodecName", "HangUpAt", "PlacedCall", "StartStep", "codec_named"]

CodecName = Literal["PCMU", "PCMA", "L16/8000", "L16/16000"]

HangUpAt = Literal["initiated", "answered", "streaming", "speaking", "replying"]
"""When a caller hangs up: at once; as soon as the call is answered, or its media stream is up; within
their own speech; within the agent's."""

StartStep = Literal["answered", "streaming", "socket"]
"""What follows an answer: two webhooks, and the media socket."""

_START_ORDER: Final[tuple[StartStep, ...]] = ("answered", "streaming", "socket")


class CallFaults(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What goes wrong with one call."""

    hang_up_at: HangUpAt | None = None
    duplicate_webhooks: bool = False
    """Each comes twice."""

    reorder_webhooks: bool = False
    """Behind the first they come in pairs, each pair the wrong way round."""

    stale_webhooks: bool = False
    """They were signed ten minutes ago."""

    forge_webhooks: bool = False
    """They are signed with another key."""

    lose_hangup: bool = False
    """Nobody is told that the call has ended."""

    lose_stop: bool = False
    """The media socket ends without its last message and without a close frame."""

    streaming_failed: bool = False
    """The media socket is never opened."""

    reorder_media: bool = False
    """Of every ten frames, two change places."""

    duplicate_media: bool = False
    """Of every ten frames, one comes twice."""

    drop_media_percent: Annotated[float, msgspec.Meta(ge=0, le=100)] = 0.0
    """How many frames never arrive; which ones is drawn from the simulators' seed."""

    codec: CodecName | None = None
    """What the caller's sound comes in, whatever was asked for."""

    big_endian: bool = False
    """L16 has RFC 3551's byte order, both ways."""


class _Person(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    caller: tuple[Step, ...] = (Stay(),)
    """What the person does, once the call is answered."""

    codec: CodecName = "PCMU"
    """What their part of the network speaks."""

    faults: CallFaults = CallFaults()


class PlacedCall(_Person, kw_only=True):
    """A call to a server."""

    webhook_url: str
    """Where the server is told of it."""

    to: str = "+15550002222"
    from_: str = msgspec.field(default="+15550001111", name="from")
    caller_name: str = ""
    ring_s: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    """How long the caller lets it ring."""

    start_order: tuple[StartStep, ...] = _START_ORDER
    """Telnyx: in which order an answer's consequences come."""

    webhook_failover_url: str = ""
    """Asked where `webhook_url` has failed."""

    webhook_timeout_s: Annotated[float, msgspec.Meta(gt=0, le=30)] = 5.0
    webhook_retry_s: tuple[float, ...] = (1.0, 2.0, 4.0)
    """Telnyx: after how long a webhook that failed is sent again, time after time."""

    status_callback: str = ""
    """Twilio: where the call's progress is told."""

    def __post_init__(self) -> None:
        if sorted(self.start_order) != sorted(_START_ORDER):
            raise ValueError(f"start_order has each of {', '.join(_START_ORDER)} once")


class Callee(_Person, kw_only=True):
    """Who answers when a server dials; used for every call to the number."""

    number: str = ""
    """Empty: all numbers that nobody else has."""

    answer: Literal["answered", "busy", "no_answer", "call_rejected"] = "answered"
    ring_s: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    """For how long it rings before that."""

    detected: Literal["human", "machine", "not_sure"] = "human"
    """What answering machine detection finds, where it is asked for."""

    detect_s: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    """How long that takes, from the answer."""

    greeting_s: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    """How long a machine speaks after that before a message can be left."""

    start_order: tuple[StartStep, ...] = _START_ORDER


def codec_named(name: CodecName, *, is_big_endian: bool = False) -> Codec:
    """Return the codec that a name stands for."""
    encoding, _, rate = name.partition("/")
    return Codec(encoding, int(rate or 8_000), is_big_endian=is_big_endian)
