"""What a client may say on Deepgram's two sockets; anything else is an error."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = [
    "FLUX",
    "NOVA",
    "CloseStream",
    "Finalize",
    "FluxConfigure",
    "ForceEndTurn",
    "KeepAlive",
    "NovaConfigure",
    "Thresholds",
]


class _Message(msgspec.Struct, frozen=True, tag_field="type", forbid_unknown_fields=True):
    pass


class KeepAlive(_Message, frozen=True, tag="KeepAlive"):
    """Nova: nothing is to be said for a while."""


class Finalize(_Message, frozen=True, tag="Finalize"):
    """Nova: what was heard so far is to be recognised now."""

    channel: int | None = None


class CloseStream(_Message, frozen=True, tag="CloseStream"):
    """Either: there is no more audio."""


class NovaConfigure(_Message, frozen=True, tag="Configure"):
    """Other key terms and formatting from now on."""

    keyterms: list[str] | None = None
    features: dict[str, bool] | None = None


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Those that are given change."""

    eot_threshold: float | None = None
    eager_eot_threshold: float | None = None
    eot_timeout_ms: float | None = None


class FluxConfigure(_Message, frozen=True, tag="Configure"):
    """What is given changes."""

    thresholds: Thresholds | None = None
    keyterms: list[str] | str | None = None
    language_hints: list[str] | None = None
    numerals: bool | None = None


class ForceEndTurn(_Message, frozen=True, tag="ForceEndTurn"):
    """Flux: the turn is over, whatever the model thinks."""


NOVA: Final = msgspec.json.Decoder(KeepAlive | Finalize | CloseStream | NovaConfigure)
FLUX: Final = msgspec.json.Decoder(FluxConfigure | ForceEndTurn | CloseStream)
