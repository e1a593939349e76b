"""Goals: kept, broken, or not to be judged yet."""

import pytest

from warmline.errors import ConfigError
from warmline.reporting.goals import DEFAULT_GOALS, Verdict, goals_with, judged

pytestmark = pytest.mark.unit


def verdicts(values_ms=None, *, dropped=0, begun=0, goals=DEFAULT_GOALS):
    results = judged(goals, {"response_simple": sorted(values_ms or [])}, dropped=dropped, begun=begun)
    return {result.goal.name: result for result in results}


def test_the_defaults_are_those_of_the_earlier_systems():
    assert {goal.name: (goal.at_least, goal.at_most, goal.minimum) for goal in DEFAULT_GOALS} == {
        "simple_turn": (0, 1_800, 20),
        "turn_with_retrieval": (0, 2_000, 20),
        "voice_first_audio": (0, 500, 20),
        "speech_to_model": (0, 100, 20),
        "retrieval": (0, 800, 20),
        "cancellation_rate": (0.30, 0.40, 20),
    }


@pytest.mark.parametrize(
    ("values_ms", "verdict"),
    [
        ([], Verdict.NO_DATA),
        ([3_000] * 19, Verdict.TOO_FEW),
        ([3_000] * 20, Verdict.BROKEN),
        ([1_000] * 20, Verdict.MET),
        # Three of twenty beyond: p90 is, and the true one need not be.
        ([1_000] * 17 + [3_000] * 3, Verdict.TOO_FEW),
        ([1_000] * 170 + [3_000] * 30, Verdict.BROKEN),
        ([1_000] * 185 + [3_000] * 15, Verdict.MET),
    ],
)
def test_a_limit_is_broken_only_by_enough_turns_that_are_surely_beyond_it(values_ms, verdict):
    assert verdicts(values_ms)["simple_turn"].verdict is verdict


@pytest.mark.parametrize(
    ("dropped", "begun", "verdict"),
    [
        (0, 0, Verdict.NO_DATA),
        (2, 2, Verdict.TOO_FEW),
        (9, 2, Verdict.TOO_FEW),
        (3, 0, Verdict.NO_DATA),
        (19, 19, Verdict.TOO_FEW),
        (20, 20, Verdict.BROKEN),
        (7, 20, Verdict.MET),
        (9, 20, Verdict.TOO_FEW),
        (90, 200, Verdict.TOO_FEW),
        (120, 200, Verdict.BROKEN),
        (20, 200, Verdict.BROKEN),
    ],
)
def test_a_rate_is_broken_only_if_it_is_surely_outside_its_band(dropped, begun, verdict):
    assert verdicts(dropped=dropped, begun=begun)["cancellation_rate"].verdict is verdict


def test_of_too_few_for_a_percentile_the_slowest_is_shown():
    assert verdicts([900, 1_551])["simple_turn"].value == 1_551


def test_limits_can_be_other_ones():
    goals = {goal.name: goal for goal in goals_with({"simple_turn": "900", "cancellation_rate": "10-30"})}

    assert goals["simple_turn"].at_most == 900
    assert (goals["cancellation_rate"].at_least, goals["cancellation_rate"].at_most) == (0.10, 0.30)
    assert goals["retrieval"].at_most == 800


@pytest.mark.parametrize(
    ("name", "limit", "told"),
    [
        ("simple", "900", "there is no simple; there are simple_turn"),
        ("simple_turn", "fast", "fast is no limit; give milliseconds such as 400"),
        ("simple_turn", "-5", "nothing can keep to -5"),
        ("simple_turn", "nan", "nothing can keep to nan"),
        ("cancellation_rate", "30", "30 is no limit; give a band such as 10-30"),
        ("cancellation_rate", "40-30", "nothing can keep to 40-30"),
    ],
)
def test_a_limit_that_is_none_is_refused_with_what_to_write(name, limit, told):
    with pytest.raises(ConfigError, match=told):
        goals_with({name: limit})
