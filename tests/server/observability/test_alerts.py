import logging
import random
from dataclasses import replace

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server.observability.turns import kept, turn
from warmline.errors import ConfigError
from warmline.reporting.goals import CANCELLATION, DEFAULT_GOALS, Verdict, judged
from warmline.reporting.period import Period
from warmline.server.observability.alerts import Alerts, GoalChange, alert_goals
from warmline.server.observability.goal_states import AlertPolicy, AlertState
from warmline.server.observability.goal_window import GoalWindow
from warmline.server.settings import AlertsTable
from warmline.testing.virtual_time import LoopClock
from warmline.timeline.marks import Mark

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

NOW_UNIX_S = 1_795_250_000.0


def alerts(told, *, window_s=900.0, judge_s=10.0, policy=None):
    clock = LoopClock()
    began_s = clock.now_s()
    return Alerts(
        DEFAULT_GOALS,
        policy or AlertPolicy(confirm_s=30, settle_s=120),
        clock,
        lambda: NOW_UNIX_S + clock.now_s() - began_s,
        window_s=window_s,
        judge_s=judge_s,
        on_change=told.append,
    )


def slow_voice(late_ms=900.0, **fields):
    """A turn whose voice takes so long, and everything behind it too."""
    later = {
        mark: 801.0 + late_ms + more
        for mark, more in ((Mark.TTS_FIRST_AUDIO, 0), (Mark.AUDIO_SENT, 1), (Mark.AUDIO_PLAYED, 9))
    }
    return turn(later, **fields)


def row(judged_alerts, name):
    return next(each for each in judged_alerts.states() if each.name == name)


async def test_a_voice_that_gets_slow_is_told_of_once_and_again_when_it_is_quick(caplog):
    told: list[GoalChange] = []
    watching = alerts(told)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watching.run)
        with caplog.at_level(logging.INFO, "warmline"):
            for made in [turn()] * 60 + [slow_voice()] * 120 + [turn()] * 600:
                watching.take(kept(made))
                await anyio.sleep(3)
        tasks.cancel_scope.cancel()
    voice = [change for change in told if change.row.name == "voice_first_audio"]
    assert [change.event for change in voice] == ["goal.broken", "goal.kept_again"]
    broken, again = voice
    assert broken.row.measured == pytest.approx(900)
    assert broken.row.verdict is Verdict.BROKEN
    assert "connections may not be kept open" in broken.advice
    assert broken.at_unix_s == broken.row.since_unix_s
    # Nine of ten: it is broken when more than a tenth of the window is surely slow.
    assert NOW_UNIX_S + 180 < broken.at_unix_s < NOW_UNIX_S + 360
    assert again.row.since_unix_s is None
    assert again.at_unix_s > NOW_UNIX_S + 540, "while more than a tenth of the window is slow, it is broken"
    names = [
        record.message for record in caplog.records if record.__dict__.get("goal") == "voice_first_audio"
    ]
    assert names == ["goal.broken", "goal.kept_again"]
    logged = next(record.__dict__ for record in caplog.records if record.message == "goal.broken")
    assert (logged["at_most"], logged["unit"], logged["verdict"]) == (500, "ms", "broken")


async def test_two_turns_whose_drafts_were_both_dropped_are_no_alarm():
    told: list[GoalChange] = []
    watching = alerts(told, policy=AlertPolicy(0, 0))
    for _ in range(2):
        watching.take(kept(turn(drafts_begun=1, drafts_dropped=1)))
    await watching.judge()
    rate = row(watching, CANCELLATION)
    assert (rate.verdict, rate.samples, rate.measured, rate.state) == (
        Verdict.TOO_FEW,
        2,
        1.0,
        AlertState.QUIET,
    )
    assert not told


async def test_turns_leave_the_window_and_with_them_what_was_wrong():
    told: list[GoalChange] = []
    watching = alerts(told, window_s=60, policy=AlertPolicy(0, 0))
    for _ in range(30):
        watching.take(kept(slow_voice()))
    await watching.judge()
    assert row(watching, "voice_first_audio").state is AlertState.FIRING
    await anyio.sleep(61)
    await watching.judge()
    gone = row(watching, "voice_first_audio")
    assert (gone.verdict, gone.samples, gone.measured, gone.state) == (
        Verdict.NO_DATA,
        0,
        None,
        AlertState.QUIET,
    )
    assert [change.event for change in told if change.row.name == gone.name] == [
        "goal.broken",
        "goal.not_measured",
    ]


async def test_a_turn_that_is_told_again_counts_once():
    watching = alerts([])
    watching.take(kept())
    watching.take(kept(is_correction=True))
    await watching.judge()
    assert row(watching, "turn_with_retrieval").samples == 1


async def test_many_turns_are_judged_beside_the_loop_and_the_same():
    watching = alerts([], policy=AlertPolicy(0, 0))
    for _ in range(2_000):
        watching.take(kept(slow_voice()))
    await watching.judge()
    assert row(watching, "voice_first_audio").samples == 2_000
    assert row(watching, "voice_first_audio").state is AlertState.FIRING


async def test_a_row_says_all_that_a_dashboard_shows():
    watching = alerts([])
    for _ in range(25):
        watching.take(kept())
    await watching.judge()
    assert row(watching, "voice_first_audio").fields() == {
        "name": "voice_first_audio",
        "words": "Voice's first audio",
        "limit": "p90 within 500 ms",
        "at_least": 0.0,
        "at_most": 500,
        "measured": 120.0,
        "unit": "ms",
        "verdict": "met",
        "samples": 25,
        "state": "quiet",
        "since_unix_s": None,
    }


def test_goals_are_those_of_reports_with_what_was_set():
    assert alert_goals(AlertsTable()) == DEFAULT_GOALS
    changed = alert_goals(AlertsTable(goals=("voice_first_audio=300", "cancellation_rate=10-20"), minimum=50))
    by_name = {goal.name: goal for goal in changed}
    assert by_name["voice_first_audio"].at_most == 300
    assert (by_name[CANCELLATION].at_least, by_name[CANCELLATION].at_most) == (0.1, 0.2)
    assert {goal.minimum for goal in changed} == {50}
    with pytest.raises(ConfigError, match="there is no nonsense"):
        alert_goals(AlertsTable(goals=("nonsense=1",)))


@given(st.lists(st.tuples(st.floats(0, 3_000), st.integers(0, 3), st.booleans()), max_size=80), st.randoms())
def test_a_window_that_forgets_nothing_judges_as_a_report_does(made, draw):
    """The one place where a goal is judged is `reporting.goals.judged`."""
    window, period = GoalWindow(DEFAULT_GOALS, 900.0), Period("all")
    for late_ms, begun, has_passages in made:
        each = replace(
            slow_voice(late_ms),
            drafts_begun=begun,
            drafts_dropped=draw.randint(0, begun),
            passages=2 * has_passages,
        )
        window.add(each, 1.0)
        period.add(each)
    window.forget(2.0)
    assert window.results() == judged(
        DEFAULT_GOALS, period.ordered_ms(), dropped=period.drafts_dropped, begun=period.drafts_begun
    )


def test_a_window_keeps_a_few_numbers_a_turn_and_forgets_them_all():
    window = GoalWindow(DEFAULT_GOALS, 100.0)
    for at_s in range(1_000):
        window.add(turn(drafts_begun=1), float(at_s))
        window.forget(float(at_s))
    assert len(window) <= 101 * len(DEFAULT_GOALS)
    window.forget(5_000.0)
    assert len(window) == 0


def test_turns_are_judged_the_same_in_whatever_order_they_ended():
    values = [random.Random(7).uniform(100, 900) for _ in range(60)]
    results = []
    for order in (values, sorted(values), values[::-1]):
        window = GoalWindow(DEFAULT_GOALS, 900.0)
        for late_ms in order:
            window.add(slow_voice(late_ms), 0.0)
        results.append(window.results())
    assert results[0] == results[1] == results[2]
