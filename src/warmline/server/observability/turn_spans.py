"""A turn as a trace: its spans, made of its marks when it is over; pure.

Names are those of OpenTelemetry's conventions for generative AI, which are still being developed
(https://github.com/open-telemetry/semantic-conventions-genai, October 2026); what they have no name for is
`warmline.`. A trace is a turn and not a session: a session lasts up to an hour, and a trace is shown, sampled
and searched for as a whole. The turns of one have its id as `session.id` and `gen_ai.conversation.id`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from warmline.core.setback import ProviderRole, Remedy, SetbackKind
from warmline.reporting.turn import ReportedTurn
from warmline.timeline.contributions import SPANS
from warmline.timeline.marks import Mark
from warmline.timeline.report import TurnStatus

__all__ = ["Attributes", "Instant", "TracedSpan", "TracedTurn", "provider_of", "traced_turn"]

Attributes = Mapping[str, str | int | float | bool]

_OUTRIGHT: Final = frozenset(
    kind.value
    for kind in (SetbackKind.REFUSED, SetbackKind.UNAVAILABLE, SetbackKind.SKIPPED, SetbackKind.CUT)
)
"""Failures after which the answer is surely another's; of one that was late, either may have been first."""


@dataclass(frozen=True, slots=True)
class Instant:
    """Something that happened in a turn."""

    name: str
    at_ns: int
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TracedSpan:
    """One stage; nanoseconds since 1970."""

    name: str
    start_ns: int
    end_ns: int
    attributes: Attributes
    is_remote: bool = False
    """Another process does the work, as far as is known: a span of kind `CLIENT`."""

    error: str = ""
    """`error.type`, where it failed."""


@dataclass(frozen=True, slots=True)
class TracedTurn:
    """A turn's span, and those of its stages beneath it."""

    turn: TracedSpan
    stages: tuple[TracedSpan, ...]
    instants: tuple[Instant, ...]


_ROLES: Final[Mapping[str, tuple[ProviderRole, str]]] = {
    "transcription": (ProviderRole.STT, "speech_to_text"),
    "model": (ProviderRole.LLM, "chat"),
    "voice": (ProviderRole.TTS, "text_to_speech"),
}
"""Stages that a provider does, and `gen_ai.operation.name`; the conventions have none for speech."""

_SHOWN: Final = ("speech", "endpointing", "transcription", "retrieval", "model", "voice", "playout")

_FIRST_CHUNK: Final = {"model": "model_first_text", "voice": "voice_first_audio"}
"""The span from a stage's beginning to the first thing that came of it."""


def traced_turn(turn: ReportedTurn) -> TracedTurn | None:
    """Return a turn's spans, or None if it is not known when it was."""
    if turn.at_s is None or not turn.marks_ms:
        return None
    origin_ns = round(turn.at_s * 1e9)
    first_ms, last_ms = min(turn.marks_ms.values()), max(turn.marks_ms.values())
    error = turn.setbacks[-1].kind if turn.setbacks else "failed"
    whole = TracedSpan(
        "turn",
        _at_ns(origin_ns, first_ms),
        _at_ns(origin_ns, last_ms),
        _turn_attributes(turn),
        error=error if turn.status is TurnStatus.FAILED else "",
    )
    return TracedTurn(
        whole, tuple(_stages(turn, origin_ns, last_ms)), tuple(_instants(turn, origin_ns, whole))
    )


def provider_of(turn: ReportedTurn, role: ProviderRole) -> tuple[str, str]:
    """Return who did the work of a role, as far as is known, and with which model; empty where it is not."""
    name = turn.facts.get(role.value, "")
    model = turn.facts.get(f"{role.value}_model", "")
    for setback in turn.setbacks:
        is_outright = setback.kind in _OUTRIGHT and setback.remedy != Remedy.NONE.value
        if setback.role == role.value and is_outright and setback.taken_by not in ("", name):
            name, model = setback.taken_by, ""
    return name, model


def _turn_attributes(turn: ReportedTurn) -> Attributes:
    told: dict[str, str | int | float | bool] = {
        **_session(turn),
        "warmline.turn.number": turn.number,
        "warmline.turn.status": turn.status.value if turn.status else "",
        "warmline.turn.playout": turn.playout.value if turn.playout else "",
        "warmline.turn.drafts_begun": turn.drafts_begun,
        "warmline.turn.drafts_dropped": turn.drafts_dropped,
        "warmline.turn.wasted_tokens": turn.wasted_tokens,
        "warmline.turn.cold_leases": len(turn.waits),
        "warmline.turn.lease_wait": sum(line.waited_ms for line in turn.lines) / 1000,
        "warmline.turn.underruns": turn.underruns,
        "warmline.turn.loop_lag": turn.loop_lag_ms / 1000,
    }
    if turn.response_ms is not None and turn.is_asked:
        told["warmline.turn.response"] = turn.response_ms / 1000
        told |= {
            f"warmline.turn.contribution.{part.name}": part.duration_us / 1e6 for part in turn.contributions
        }
    if turn.passages is not None:
        told["warmline.turn.passages"] = turn.passages
    if turn.heard_share is not None:
        told["warmline.turn.heard_share"] = turn.heard_share
    return told | {f"warmline.{name}": value for name, value in turn.facts.items()}


def _session(turn: ReportedTurn) -> Attributes:
    return {"session.id": turn.call, "gen_ai.conversation.id": turn.call}


def _stages(turn: ReportedTurn, origin_ns: int, last_ms: float) -> Iterator[TracedSpan]:
    marks = turn.marks_ms
    for stage in _SHOWN:
        first, last = SPANS[stage]
        if first not in marks:
            continue
        # What was cancelled has no last mark: it went on until the turn was over, at the most.
        end_ms = marks.get(last, last_ms)
        if end_ms < marks[first]:
            continue
        name, attributes = _named(turn, stage)
        yield TracedSpan(
            name,
            _at_ns(origin_ns, marks[first]),
            _at_ns(origin_ns, end_ms),
            attributes | {"warmline.stage": stage},
            is_remote=stage in _ROLES and attributes.get("gen_ai.provider.name") != "offline",
        )


def _named(turn: ReportedTurn, stage: str) -> tuple[str, dict[str, str | int | float | bool]]:
    told: dict[str, str | int | float | bool] = {**_session(turn)}
    if stage == "retrieval":
        return "retrieval", told | {"gen_ai.operation.name": "retrieval"}
    if stage not in _ROLES:
        return stage, told
    role, operation = _ROLES[stage]
    provider, model = provider_of(turn, role)
    told |= {"gen_ai.operation.name": operation, "gen_ai.provider.name": provider}
    if model:
        told["gen_ai.request.model"] = model
    if stage == "voice":
        told["gen_ai.output.type"] = "speech"
    elif stage == "model":
        told |= {"gen_ai.output.type": "text", "gen_ai.request.stream": True}
    first_ms = turn.spans_ms.get(_FIRST_CHUNK.get(stage, ""), -1.0)
    if first_ms >= 0:
        told["gen_ai.response.time_to_first_chunk"] = first_ms / 1000
    return f"{operation} {model}".strip(), told


def _instants(turn: ReportedTurn, origin_ns: int, whole: TracedSpan) -> Iterator[Instant]:
    for note in turn.notes:
        # Not its text: that is a sentence for people, and not for a search.
        yield Instant(f"warmline.{note.kind}", _at_ns(origin_ns, note.at_ms))
    if (barge_in_ms := turn.marks_ms.get(Mark.BARGE_IN)) is not None:
        yield Instant("warmline.barge_in", _at_ns(origin_ns, barge_in_ms))
    for setback in turn.setbacks:
        yield Instant(
            "warmline.provider_setback",
            whole.end_ns if setback.at_ms is None else _at_ns(origin_ns, setback.at_ms),
            {
                "warmline.role": setback.role,
                "warmline.leg": setback.leg,
                "warmline.kind": setback.kind,
                "warmline.remedy": setback.remedy,
                "warmline.taken_by": setback.taken_by,
                "warmline.lost": setback.lost_ms / 1000,
            },
        )


def _at_ns(origin_ns: int, at_ms: float) -> int:
    return origin_ns + round(at_ms * 1e6)
