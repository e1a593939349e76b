"""When turns begin and end, and when answers are begun before they do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from warmline.server.settings.declaration import setting

__all__ = ["DraftsTable", "TurnsTable"]


@dataclass(frozen=True, slots=True)
class TurnsTable:
    """When the user's turn begins and ends. A client may change these for its own session."""

    endpointing: Literal["recogniser", "silence"] = setting(
        "recogniser",
        "Who decides that the turn is over. `recogniser`: who listens, if that can tell from the words, as "
        "Deepgram's Flux can, else silence. `silence`: silence alone, whoever listens.",
    )
    silence_ms: int = setting(
        500,
        "Silence after which the turn is over, where silence decides.",
        unit="ms",
        at_least=100,
        at_most=5_000,
    )
    stop_ms: int = setting(
        200,
        "Silence after which speech counts as stopped, though the turn may go on; "
        "at most `turns.silence_ms`.",
        unit="ms",
        at_least=50,
        at_most=5_000,
    )
    speech_threshold: float = setting(
        0.5, "Probability from which a slice of sound counts as speech.", at_least=0.05, at_most=0.95
    )
    interrupt: bool = setting(True, "Whether speech stops a reply.")
    resume: bool = setting(
        True, "Whether a reply goes on where it stopped if what stopped it was a cough, or only `mhm`."
    )
    longest_silence_ms: int = setting(
        3_000,
        "Silence after which the turn is over whatever a recogniser makes of it that decides by itself.",
        unit="ms",
        at_least=500,
        at_most=30_000,
    )
    final_deadline_ms: int = setting(
        2_000,
        "How long to wait for the recogniser's final words before going on with its partial ones.",
        unit="ms",
        at_least=100,
        at_most=30_000,
    )


@dataclass(frozen=True, slots=True)
class DraftsTable:
    """Answers that are begun in a pause, on the guess that the turn is over, and heard only if it is."""

    enabled: bool = setting(True, "Whether answers are begun before the turn is over.")
    debounce_ms: int = setting(
        400,
        "How long a pause must be, with the words standing, before an answer is begun; where each session "
        "begins. What the recogniser takes for final, or for the turn's end, is not waited for.",
        unit="ms",
        at_least=0,
        at_most=5_000,
    )
    floor_ms: int = setting(200, "The shortest that it becomes.", unit="ms", at_least=0, at_most=5_000)
    ceiling_ms: int = setting(800, "The longest that it becomes.", unit="ms", at_least=0, at_most=5_000)
    step_ms: int = setting(50, "How far it moves at once.", unit="ms", at_least=1, at_most=1_000)
    cancelled_low: float = setting(
        0.3,
        "Share of begun answers that are dropped, below which the debounce becomes shorter.",
        at_least=0,
        at_most=1,
    )
    cancelled_high: float = setting(0.4, "The same above which it becomes longer.", at_least=0, at_most=1)
    least_samples: int = setting(
        10, "Begun answers before the share says anything.", unit="answers", at_least=1, at_most=1_000
    )
    per_turn: int = setting(3, "Most answers begun in one turn.", unit="answers", at_least=1, at_most=100)
    wasted_tokens_per_minute: int = setting(
        10_000,
        "Tokens of dropped answers, prompts included, in a minute of one session, beyond which no other "
        "is begun.",
        unit="tokens",
        at_least=0,
        at_most=10_000_000,
    )
