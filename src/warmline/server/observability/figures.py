"""What is counted and measured of every turn: one list, for Prometheus and for OpenTelemetry alike; pure.

Labels are words of ours and names from the settings, so there are as many series as the settings allow for,
and no more: no call, no person, no host.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from warmline.reporting.measures import SPEECH_TO_MODEL, measured_ms
from warmline.reporting.turn import ReportedTurn

__all__ = [
    "CONTRIBUTION",
    "INSTRUMENTS",
    "RESPONSE",
    "SPAN",
    "TURNS",
    "Figure",
    "Gauge",
    "Instrument",
    "figures",
]

_WAIT_S: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2, 1.5, 1.8, 2.0, 2.5, 3.0, 5.0, 10.0)
"""Close together where a person notices: the goals' limits, 0.1, 0.5, 0.8, 1.8 and 2 s, are among them."""

_STAGE_S: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Instrument:
    """One thing that is counted, or if it has buckets measured."""

    name: str
    """As OpenTelemetry has it; Prometheus has underscores, the unit and `_total`."""

    doc: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    """`s`, or empty for a count."""

    buckets_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """What one turn adds to an instrument."""

    instrument: Instrument
    labels: tuple[str, ...]
    """Values, in the order of the instrument's."""

    value: float = 1.0


@dataclass(frozen=True, slots=True)
class Gauge:
    """One figure of the process as it is now."""

    name: str
    """As an instrument's."""

    doc: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()
    unit: str = ""


TURNS: Final = Instrument("warmline.turns", "Turns that are over.", ("channel", "status"))
RESPONSE: Final = Instrument(
    "warmline.turn.response",
    "From when the person began to wait to the first sound that was played.",
    ("channel", "retrieval"),
    "s",
    _WAIT_S,
)
CONTRIBUTION: Final = Instrument(
    "warmline.turn.contribution",
    "By how much a stage delayed the answer; of one turn they sum to its response time.",
    ("channel", "stage"),
    "s",
    _STAGE_S,
)
SPAN: Final = Instrument(
    "warmline.turn.span", "How long a stage itself took; stages overlap.", ("span",), "s", _STAGE_S
)
_TO_MODEL: Final = Instrument(
    "warmline.turn.speech_to_model",
    "From when the turn was known to be over to asking the model; 0 if it was asked before.",
    (),
    "s",
    _STAGE_S,
)
_DRAFTS: Final = Instrument(
    "warmline.drafts", "Answers begun on the guess that the turn is over.", ("outcome",)
)
_WASTED: Final = Instrument(
    "warmline.wasted.tokens",
    "Of drafts that were dropped, reckoned from their text: read by the model, and written.",
    ("direction",),
)
_SETBACKS: Final = Instrument(
    "warmline.setbacks", "Providers' failures in the middle of a turn.", ("role", "leg", "kind", "remedy")
)
_LEASES: Final = Instrument(
    "warmline.leases",
    "Connections that turns were given: warm, or cold if waited for.",
    ("endpoint", "state"),
)
_LEASE_WAIT: Final = Instrument(
    "warmline.lease.wait", "What turns waited for their connections.", ("endpoint",), "s"
)
_UNDERRUNS: Final = Instrument(
    "warmline.underruns", "Gaps inside a reply: the sound was not made yet.", ("channel",)
)
_UNDERRUN_TIME: Final = Instrument("warmline.underrun.time", "How long those were.", ("channel",), "s")

INSTRUMENTS: Final = (
    TURNS,
    RESPONSE,
    CONTRIBUTION,
    SPAN,
    _TO_MODEL,
    _DRAFTS,
    _WASTED,
    _SETBACKS,
    _LEASES,
    _LEASE_WAIT,
    _UNDERRUNS,
    _UNDERRUN_TIME,
)
"""All of them."""


def figures(turn: ReportedTurn) -> Iterator[Figure]:
    """Yield what a turn that is over adds."""
    channel = turn.facts.get("channel", "unknown")
    yield Figure(TURNS, (channel, turn.status.value if turn.status else "unknown"))
    yield from _times(turn, channel)
    adopted = max(turn.drafts_begun - turn.drafts_dropped, 0)
    yield from _counts(_DRAFTS, (("adopted",), adopted), (("dropped",), turn.drafts_dropped))
    read = sum(draft.prompt_tokens for draft in turn.drafts)
    written = sum(draft.tokens for draft in turn.drafts)
    yield from _counts(_WASTED, (("read",), read), (("written",), written))
    for setback in turn.setbacks:
        yield Figure(_SETBACKS, (setback.role, setback.leg, setback.kind, setback.remedy))
    for line in turn.lines:
        yield Figure(_LEASES, (line.endpoint, "cold" if line.is_cold else "warm"))
        yield Figure(_LEASE_WAIT, (line.endpoint,), line.waited_ms / 1000)
    yield from _counts(_UNDERRUNS, ((channel,), turn.underruns))
    yield from _counts(_UNDERRUN_TIME, ((channel,), turn.underrun_ms / 1000))


def _times(turn: ReportedTurn, channel: str) -> Iterator[Figure]:
    for measure, ms in measured_ms(turn):
        group, _, name = measure.partition(".")
        match group:
            case "stage":
                yield Figure(CONTRIBUTION, (channel, name), ms / 1000)
            case "span":
                yield Figure(SPAN, (name,), ms / 1000)
            case "response":
                yield Figure(RESPONSE, (channel, "with" if turn.has_retrieval else "without"), ms / 1000)
            case _ if measure == SPEECH_TO_MODEL:
                yield Figure(_TO_MODEL, (), ms / 1000)


def _counts(instrument: Instrument, *counts: tuple[Sequence[str], float]) -> Iterator[Figure]:
    for labels, count in counts:
        if count:
            yield Figure(instrument, tuple(labels), count)
