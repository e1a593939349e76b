import logging

import anyio
import msgspec
import pytest

from warmline.interfaces.channel import FloorChanged, TurnMeasured
from warmline.reporting.events import TURN_EVENT, decode_fields
from warmline.server.observability.observer import KeptTurn, Observer, log_turn
from warmline.server.vitals import Vitals
from warmline.testing.virtual_time import LoopClock
from warmline.timeline.marks import Mark
from warmline.timeline.report import PlayoutTruth, TurnStatus, turn_report
from warmline.timeline.timeline import Timeline
from warmline.turns.floor import Floor

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

UNIX_S = 1_800_000_000.0


def report(number, status=TurnStatus.COMPLETED, *, began_s=0.0, heard="the whole answer"):
    timeline = Timeline()
    for mark, after_s in ((Mark.TEXT_RECEIVED, 0.0), (Mark.TURN_COMMITTED, 0.0), (Mark.LLM_STARTED, 0.25)):
        timeline.record(mark, began_s + after_s)
    return turn_report(
        timeline,
        number=number,
        reply_id=f"resp_{number}",
        status=status,
        user_text="a question",
        reply_text="the whole answer",
        heard_text=heard,
        playout=PlayoutTruth.REPORTED,
    )


def observed(*events, vitals=None):
    clock = LoopClock()
    kept: list[KeptTurn] = []
    observer = Observer(
        (kept.append, log_turn), clock, lambda: UNIX_S, vitals or Vitals(clock), {"llm": "openai"}
    )
    take = observer.watching("sess_1", {"channel": "browser"})
    for event in events:
        take(event)
    return kept


async def test_a_turn_is_told_once_when_it_is_over_with_what_it_was_held_with():
    await anyio.sleep(60)
    began_s = LoopClock().now_s() - 5.0
    kept = observed(
        TurnMeasured(report(1, TurnStatus.PLAYING, began_s=began_s)),
        FloorChanged(Floor.OPEN),
        TurnMeasured(report(1, began_s=began_s, heard="the")),
    )
    [only] = kept
    assert only.turn.call == "sess_1"
    assert only.turn.at_s == UNIX_S - 5.0
    assert only.turn.facts == {"llm": "openai", "channel": "browser"}
    assert only.turn.heard_share == pytest.approx(3 / 16, abs=1e-4)
    assert (only.user_text, only.heard_text, only.is_correction) == ("a question", "the", False)


async def test_what_the_far_end_says_later_is_a_correction_and_not_logged_again(caplog):
    caplog.set_level(logging.INFO, "warmline")
    kept = observed(
        TurnMeasured(report(1, TurnStatus.INTERRUPTED)),
        TurnMeasured(report(2)),
        TurnMeasured(report(1, TurnStatus.INTERRUPTED, heard="the whole")),
    )
    assert [(each.turn.number, each.is_correction) for each in kept] == [(1, False), (2, False), (1, True)]
    lines = [record for record in caplog.records if record.message == TURN_EVENT]
    assert [record.turn for record in lines] == [1, 2]


async def test_the_line_holds_nothing_that_was_said_and_is_read_again(caplog):
    caplog.set_level(logging.INFO, "warmline")
    [kept] = observed(TurnMeasured(report(1)))
    [record] = caplog.records
    assert "question" not in repr(vars(record))
    assert "whole answer" not in repr(vars(record))
    fields = {name: getattr(record, name) for name in ("turn", "call", "marks_ms", "status", "facts")}
    again = decode_fields(msgspec.json.encode(fields))
    assert (again.marks_ms, again.status, again.facts) == (
        kept.turn.marks_ms,
        kept.turn.status,
        kept.turn.facts,
    )


async def test_a_turn_knows_how_late_the_loop_was_while_it_went_on():
    clock = LoopClock()
    vitals = Vitals(clock)
    vitals.note_lag(0.5)
    await anyio.sleep(10)
    began_s = clock.now_s()
    vitals.note_lag(0.02)
    vitals.note_lag(0.03)
    await anyio.sleep(1)
    [kept] = observed(TurnMeasured(report(1, began_s=began_s)), vitals=vitals)
    assert kept.turn.loop_lag_ms == 30
    assert kept.turn.collector_ms == 0
