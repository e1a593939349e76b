"""A kept turn as the page's waterfall takes it."""

import dataclasses

import msgspec
import pytest

from tests.server.observability.dashboard.made_turns import made_turns
from warmline.core.line_use import LineUse, OpenCost
from warmline.core.setback import Setback
from warmline.reporting.turn import ReportedTurn
from warmline.server.observability.dashboard.turn_view import turn_view
from warmline.store.turn_views import KeptRow, TurnTexts
from warmline.timeline.marks import Mark
from warmline.timeline.notes import DraftReport, Note
from warmline.timeline.report import TurnReport

pytestmark = pytest.mark.unit

TURNS = list(made_turns(300, until_s=1_795_132_800.0))


def view(arrived, texts=None):
    return turn_view(KeptRow(arrived.turn, texts))


def test_contributions_sum_to_the_response_time_to_the_microsecond():
    answered = [view(each) for each in TURNS if each.turn.response_ms is not None]
    assert len(answered) > 200
    for shown in answered:
        assert sum(part["duration_us"] for part in shown["contributions"]) == shown["response_us"]


def test_it_has_every_field_that_a_live_turn_has():
    """The waterfall reads both."""

    def names(kind) -> set[str]:
        return {field.name for field in dataclasses.fields(kind)}

    shown = next(made for made in map(view, TURNS) if made["drafts"] and made["notes"])
    # What only the process itself can use, and what people are not shown.
    unseen = {"origin_s", "debounce_ms", "passages", "reply_id"}
    assert names(TurnReport) - unseen <= shown.keys()
    assert names(DraftReport) == shown["drafts"][0].keys()
    assert names(Note) == shown["notes"][0].keys()
    assert names(LineUse) == shown["lines"][0].keys()
    assert {"dns_s", "tcp_s", "tls_s", "upgrade_s"} == shown["lines"][0]["cost"].keys() <= names(OpenCost)
    failed = next(made for made in map(view, TURNS) if made["setbacks"])
    assert failed["setbacks"][0].keys() <= names(Setback)


def test_a_negative_span_is_left_out():
    """Of another system's log it may be there, and has no length to draw."""
    marks_ms = {
        Mark.TEXT_RECEIVED: 0.0,
        Mark.LLM_STARTED: 50.0,
        Mark.LLM_FIRST_TEXT: 40.0,
        Mark.LLM_DONE: 90.0,
    }
    shown = turn_view(KeptRow(ReportedTurn(1, marks_ms=marks_ms), None))
    assert shown["spans"] == [{"name": "model", "start_us": 50_000, "end_us": 90_000}]


def test_what_was_said_is_there_only_if_it_was_kept():
    without = view(TURNS[1])
    assert (without["texts_are_kept"], without["user_text"]) == (False, "")
    shown = view(TURNS[1], TurnTexts("hello", "good day", "good"))
    assert (shown["texts_are_kept"], shown["user_text"], shown["reply_text"], shown["heard_text"]) == (
        True,
        "hello",
        "good day",
        "good",
    )
    msgspec.json.encode(shown)
