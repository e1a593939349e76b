"""What a Deepgram query may say; anything invalid refuses the whole handshake."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from warmline.core.formats import AudioFormat, Encoding
from warmline.simulators.deepgram.messages import FluxConfigure, Thresholds

__all__ = [
    "KEYTERM_TOKENS",
    "FluxQuery",
    "NovaQuery",
    "Unfit",
    "configured",
    "flux_query",
    "keyterm_tokens",
    "nova_query",
]

Pairs = Iterable[tuple[str, str]]
"""A query's names and values; some names may come more than once."""

KEYTERM_TOKENS: Final = 500

_ENCODINGS: Final = {"linear16": Encoding.PCM16, "mulaw": Encoding.PCMU, "alaw": Encoding.PCMA}
_FLUX_RATES_HZ: Final = (8_000, 16_000, 24_000, 44_100, 48_000)
_FLAGS: Final = frozenset(
    "multichannel interim_results vad_events smart_format punctuate numerals profanity_filter diarize "
    "no_delay mip_opt_out filler_words dictation utterances paragraphs sentiment topics intents "
    "measurements detect_entities".split()
)
_NOVA: Final = _FLAGS | frozenset(
    "model language language_hint encoding sample_rate channels endpointing utterance_end_ms redact replace "
    "search keyterm keywords diarize_model tag extra version detect_language utt_split summarize".split()
)
_FLUX: Final = frozenset(
    "model language_hint encoding sample_rate eot_threshold eager_eot_threshold eot_timeout_ms keyterm "
    "numerals profanity_filter redact tag mip_opt_out".split()
)


class Unfit(ValueError):
    """What is asked for can't be; the text says why."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code
        """What a refused `Configure` is told."""


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
    keyterms: tuple[str, ...]
    language_hints: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse what does not go together.

        Raises:
            Unfit: it does not.
        """
        if not 0.5 <= self.eot_threshold <= 1.0:
            raise Unfit("eot_threshold must be between 0.5 and 1.0.", "INVALID_THRESHOLD")
        eager = self.eager_eot_threshold
        if eager != math.inf and not 0.3 <= eager <= min(0.9, self.eot_threshold):
            raise Unfit(
                "eager_eot_threshold must be between 0.3 and 0.9, and at most eot_threshold.",
                "INVALID_THRESHOLD",
            )
        if not 500 <= self.eot_timeout_ms <= 60_000:
            raise Unfit("eot_timeout_ms must be between 500 and 60000.", "INVALID_THRESHOLD")
        if len(self.keyterms) > 100 or keyterm_tokens(self.keyterms) > KEYTERM_TOKENS:
            raise Unfit("At most 100 keyterms of 500 tokens together.", "INVALID_KEYTERMS")
        if self.language_hints and self.model != "flux-general-multi":
            raise Unfit("Only flux-general-multi takes language hints.", "INVALID_LANGUAGE_HINTS")


def nova_query(pairs: Pairs, *, is_streaming: bool = True) -> NovaQuery:
    """Read a query for `/v1/listen`.

    Raises:
        Unfit: what is wrong, in Deepgram's manner.
    """
    query = _checked(pairs, _NOVA)
    model = query.get("model", "nova-3")
    if not model.startswith(("nova", "base", "enhanced", "whisper")):
        raise Unfit(f"No such model/language/tier combination found: {model}.")
    if "keyterm" in query and not model.startswith("nova-3"):
        raise Unfit("keyterm is for nova-3; this model takes keywords.")
    if "keywords" in query and model.startswith("nova-3"):
        raise Unfit("keywords is not supported by nova-3; use keyterm.")
    ends_ms = _number(query, "utterance_end_ms", math.inf)
    has_interims = query.get("interim_results") == "true"
    if ends_ms < 1000:
        raise Unfit("utterance_end_ms must be at least 1000.")
    if ends_ms != math.inf and not has_interims:
        raise Unfit("utterance_end_ms requires interim_results=true.")
    pauses_ms = {"false": math.inf, "true": 10.0}
    return NovaQuery(
        model=model,
        audio_format=_audio_format(query) if is_streaming else AudioFormat(Encoding.PCM16, 16_000),
        gives_interims=has_interims,
        endpointing_ms=pauses_ms.get(query.get("endpointing", "true")) or _number(query, "endpointing", 10.0),
        utterance_end_ms=ends_ms,
        gives_vad_events=query.get("vad_events") == "true",
    )


def flux_query(pairs: Pairs) -> FluxQuery:
    """Read a query for `/v2/listen`.

    Raises:
        Unfit: what is wrong.
    """
    pairs = list(pairs)
    query = _checked(pairs, _FLUX)
    model = query.get("model", "")
    if model not in ("flux-general-en", "flux-general-multi"):
        raise Unfit(f"Unsupported model: {model!r}.")
    audio_format = _audio_format(query)
    if audio_format.rate_hz not in _FLUX_RATES_HZ:
        raise Unfit(f"sample_rate must be one of {', '.join(map(str, _FLUX_RATES_HZ))}.")
    return FluxQuery(
        model,
        audio_format,
        _number(query, "eot_threshold", 0.7),
        _number(query, "eager_eot_threshold", math.inf),
        _number(query, "eot_timeout_ms", 5_000),
        tuple(value for name, value in pairs if name == "keyterm"),
        tuple(value for name, value in pairs if name == "language_hint"),
    )


def configured(wanted: FluxQuery, message: FluxConfigure) -> FluxQuery:
    """Return a stream's settings as a message changes them.

    Raises:
        Unfit: it can't be; what was, stays.
    """
    given = message.thresholds or Thresholds()
    keyterms = [message.keyterms] if isinstance(message.keyterms, str) else message.keyterms
    changes: dict[str, Any] = {
        "eot_threshold": given.eot_threshold,
        "eager_eot_threshold": given.eager_eot_threshold,
        "eot_timeout_ms": given.eot_timeout_ms,
        "keyterms": None if keyterms is None else tuple(keyterms),
        "language_hints": None if message.language_hints is None else tuple(message.language_hints),
    }
    return replace(wanted, **{name: value for name, value in changes.items() if value is not None})


def keyterm_tokens(terms: Iterable[str]) -> int:
    """Return about how many tokens key terms have; Deepgram allows 500."""
    return sum(len(term.split()) for term in terms)


def _checked(pairs: Pairs, known: frozenset[str]) -> dict[str, str]:
    """Return a query by name; of several values with one name, the first."""
    query: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            raise Unfit(f"Unknown query parameter: {name}.")
        if not value.strip():
            raise Unfit(f"Invalid query string: {name} is blank.")
        if name in _FLAGS and value not in ("true", "false"):
            raise Unfit(f"Invalid query string: {name} must be true or false.")
        query.setdefault(name, value)
    return query


def _audio_format(query: Mapping[str, str]) -> AudioFormat:
    encoding = _ENCODINGS.get(query.get("encoding", ""))
    rate = query.get("sample_rate", "")
    if encoding is None or not rate.isdecimal() or not 8_000 <= int(rate) <= 48_000:
        raise Unfit("encoding and sample_rate are required for raw audio; containers are not simulated.")
    if query.get("channels", "1") != "1" or query.get("multichannel") == "true":
        raise Unfit("One channel is all that is simulated.")
    return AudioFormat(encoding, int(rate))


def _number(query: Mapping[str, str], name: str, default: float) -> float:
    if name not in query:
        return default
    try:
        number = float(query[name])
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise Unfit(f"Invalid query string: {name} must be a number.")
    return number
