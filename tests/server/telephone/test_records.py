from typing import Any

import pytest

from warmline.core.line_use import LineUse, OpenCost
from warmline.interfaces.channel import TurnMeasured
from warmline.server.telephone.records import FigureKeeper
from warmline.timeline.report import PlayoutTruth, TurnReport, TurnStatus

pytestmark = pytest.mark.unit


def report(number: int, **fields: Any) -> TurnReport:
    values: dict[str, Any] = {
        "number": number,
        "reply_id": f"resp_{number}",
        "status": TurnStatus.COMPLETED,
        "user_text": "when do you open",
        "reply_text": "At nine.",
        "heard_text": "At nine.",
        "playout": PlayoutTruth.REPORTED,
        "response_us": 700_000,
        "contributions": (),
        "spans": (),
        "marks_us": {},
    }
    return TurnReport(**{**values, **fields})


def used(endpoint: str, waited_s: float) -> LineUse:
    return LineUse(endpoint, "1", reused=True, age_s=1.0, waited_s=waited_s, cost=OpenCost())


def test_a_turn_counts_once_with_its_last_report_and_a_greeting_is_no_turn():
    keeper = FigureKeeper()
    keeper.see(TurnMeasured(report(1, user_text="", response_us=40_000)))
    for status in (TurnStatus.PLAYING, TurnStatus.INTERRUPTED):
        keeper.see(TurnMeasured(report(2, status=status)))
    keeper.see(TurnMeasured(report(3, response_us=900_000, underruns=1)))
    figures = keeper.figures
    assert (figures.turns, figures.interrupted, figures.underruns, figures.greeting_ms) == (2, 1, 1, 40)
    assert (figures.response_p50_ms, figures.response_max_ms) == (800, 900)


def test_a_turns_connections_are_waited_for_one_after_another_and_the_longest_wait_is_kept():
    keeper = FigureKeeper()
    keeper.see(TurnMeasured(report(1, lines=(used("openai", 0.0001), used("elevenlabs", 0.0002)))))
    keeper.see(TurnMeasured(report(2, lines=(used("openai", 0.15),))))
    assert keeper.figures.line_wait_max_ms == 150.0
    assert FigureKeeper().figures.line_wait_max_ms == 0.0
