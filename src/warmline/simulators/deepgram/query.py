"""What a Deepgram query may say; anything invalid refuses the whole handshake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from warmline.core.formats import AudioFormat, Encoding

__all__ = ["FluxQuery", "NovaQuery", "flux_query", "nova_query"]

_ENCODINGS: Final = {"linear16": Encoding.PCM16, "mulaw": Encoding.PCMU, "alaw": Encoding.PCMA}
_NOVA: Final = frozenset(
    "model language encoding sample_rate channels multichannel interim_results endpointing utterance_end_ms "
    "vad_events smart_format punctuate numerals profanity_filter redact replace search keyterm keywords "
    "diarize diarize_model no_delay mip_opt_out tag extra callback version filler_words dictation "
    "utterances paragraphs detect_language utt_split sentiment summarize topics intents measurements".split()
)
_FLUX: Final = frozenset(
    "model language_hint encoding sample_rate eot_threshold eager_eot_threshold eot_timeout_ms keyterm "
    "numerals profanity_filter redact tag mip_opt_out".split()
)


@dataclass(frozen=True, slots=True)
class NovaQuery:
    """A stream as Nova is asked for it."""

    model: str
    audio_format: AudioFormat
    gives_interims: bool
    endpointing_ms: float
    """Infinite where it is switched off."""

    utterance_end_ms: float
    gives_vad_events: bool


@dataclass(frozen=True, slots=True)
class FluxQuery:
    """A stream as Flux is asked for it."""

    model: str
    audio_format: AudioFormat
    eot_threshold: float
    eager_eot_threshold: float
    """Infinite where there are to be no eager ends."""

    eot_timeout_ms: float


def nova_query(query: Mapping[str, str], *, is_streaming: bool = True) -> NovaQuery:
    """Read a query for `/v1/listen`.

    Raises:
        ValueError: what is wrong, in Deepgram's manner.
    """
    _check_names(query, _NOVA)
    model = query.get("model", "nova-3")
    if not model.startswith(("nova", "base", "enhanced", "whisper")):
        raise ValueError(f"No such model/language/tier combination found: {model}.")
    ends_ms = _number(query, "utterance_end_ms", float("inf"))
    has_interims = _flag(query, "interim_results")
    if ends_ms < 1000:
        raise ValueError("utterance_end_ms must be at least 1000.")
    if ends_ms != float("inf") and not has_interims:
        raise ValueError("utterance_end_ms requires interim_results=true.")
    pause = query.get("endpointing", "10")
    if pause == "true":
        pause = "10"
    return NovaQuery(
        model=model,
        audio_format=_audio_format(query) if is_streaming else AudioFormat(Encoding.PCM16, 16_000),
        gives_interims=has_interims,
        endpointing_ms=float("inf")
        if pause == "false"
        else _number({"endpointing": pause}, "endpointing", 10),
        utterance_end_ms=ends_ms,
        gives_vad_events=_flag(query, "vad_events"),
    )


def flux_query(query: Mapping[str, str]) -> FluxQuery:
    """Read a query for `/v2/listen`.

    Raises:
        ValueError: what is wrong.
    """
    _check_names(query, _FLUX)
    model = query.get("model", "")
    if model not in ("flux-general-en", "flux-general-multi"):
        raise ValueError(f"Unsupported model: {model!r}.")
    wanted = FluxQuery(
        model,
        _audio_format(query),
        _number(query, "eot_threshold", 0.7),
        _number(query, "eager_eot_threshold", float("inf")),
        _number(query, "eot_timeout_ms", 5_000),
    )
    check_thresholds(wanted)
    return wanted


def check_thresholds(wanted: FluxQuery) -> None:
    """Refuse thresholds that do not go together.

    Raises:
        ValueError: which.
    """
    if not 0.5 <= wanted.eot_threshold <= 1.0:
        raise ValueError("eot_threshold must be between 0.5 and 1.0.")
    eager = wanted.eager_eot_threshold
    if eager != float("inf") and not 0.3 <= eager <= min(0.9, wanted.eot_threshold):
        raise ValueError("eager_eot_threshold must be between 0.3 and 0.9, and at most eot_threshold.")
    if not 500 <= wanted.eot_timeout_ms <= 60_000:
        raise ValueError("eot_timeout_ms must be between 500 and 60000.")


def _check_names(query: Mapping[str, str], known: frozenset[str]) -> None:
    for name, value in query.items():
        if name not in known:
            raise ValueError(f"Unknown query parameter: {name}.")
        if not value:
            raise ValueError(f"Invalid query string: {name} is blank.")


def _audio_format(query: Mapping[str, str]) -> AudioFormat:
    encoding = _ENCODINGS.get(query.get("encoding", ""))
    rate = query.get("sample_rate", "")
    if encoding is None or not rate.isdigit() or not 8_000 <= int(rate) <= 48_000:
        raise ValueError("encoding and sample_rate are required for raw audio; containers are not simulated.")
    if query.get("channels", "1") != "1" or _flag(query, "multichannel"):
        raise ValueError("One channel is all that is simulated.")
    return AudioFormat(encoding, int(rate))


def _flag(query: Mapping[str, str], name: str) -> bool:
    value = query.get(name, "false").lower()
    if value not in ("true", "false"):
        raise ValueError(f"{name} must be true or false.")
    return value == "true"


def _number(query: Mapping[str, str], name: str, default: float) -> float:
    try:
        return float(query.get(name, default))
    except ValueError:
        raise ValueError(f"{name} must be a number.") from None
