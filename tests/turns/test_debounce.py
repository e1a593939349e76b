"""How long a pause must be before a draft is begun."""

import statistics
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.turns.talkers import AVERAGE, BRISK, THINKS_ALOUD, Talker, converse
from warmline.turns.debounce import (
    Debounce,
    DebounceCause,
    DebounceChange,
    DebouncePolicy,
    DraftOutcome,
    to_mermaid,
)

pytestmark = pytest.mark.unit

POLICY = DebouncePolicy()
KEPT, DROPPED = DraftOutcome.KEPT, DraftOutcome.DROPPED


def learned(outcomes, policy=POLICY, begin_ms=None):
    """Return the debounce after the outcomes, and all changes on the way."""
    debounce = Debounce(begin_ms or policy.default_ms, 0.0)
    changes = []
    for outcome in outcomes:
        debounce, change = debounce.after(outcome, 1.0, policy)
        changes += [change] if change else []
    return debounce, changes


@st.composite
def policies(draw):
    floor_ms = draw(st.integers(50, 400))
    default_ms = draw(st.integers(floor_ms, 700))
    low = draw(st.floats(0, 1))
    min_samples = draw(st.integers(1, 12))
    return DebouncePolicy(
        default_ms=default_ms,
        step_ms=draw(st.integers(1, 300)),
        floor_ms=floor_ms,
        ceiling_ms=draw(st.integers(default_ms, 1500)),
        band=(low, draw(st.floats(low, 1))),
        window=draw(st.integers(min_samples, 30)),
        min_samples=min_samples,
        decay_after_s=draw(st.floats(1, 600)),
    )


OUTCOMES = st.lists(st.sampled_from(DraftOutcome), max_size=60)


def test_many_dropped_drafts_make_the_pause_longer():
    """The reason can be read on the timeline."""
    debounce, changes = learned([DROPPED, KEPT] * 5)
    assert changes == [DebounceChange(400, 450, DebounceCause.MANY_DROPPED, "cancellation 50 % of 10 > 40 %")]
    assert (debounce.ms, debounce.outcomes) == (450, ())


def test_few_dropped_drafts_make_the_pause_shorter():
    """Somebody who never pauses is answered sooner."""
    debounce, changes = learned([KEPT, KEPT, DROPPED, *[KEPT] * 7])
    assert changes == [DebounceChange(400, 350, DebounceCause.FEW_DROPPED, "cancellation 10 % of 10 < 30 %")]
    assert debounce.ms == 350


def test_two_turns_both_cancelled_move_nothing():
    """Two of two is chance."""
    debounce, changes = learned([DROPPED, DROPPED])
    assert (debounce.ms, changes) == (400, [])
    assert debounce.cancellation_rate == 1.0


def test_a_rate_inside_the_band_moves_nothing():
    """Its edges belong to it."""
    assert learned([DROPPED, KEPT, KEPT] * 20)[1] == []
    assert learned([DROPPED] * 3 + [KEPT] * 7)[1] == []
    assert learned([DROPPED] * 4 + [KEPT] * 6)[1] == []


def test_only_the_newest_drafts_count():
    """What somebody did half an hour ago says little of now."""
    steady = [DROPPED, KEPT, KEPT] * 10
    debounce, changes = learned(steady)
    assert (changes, len(debounce.outcomes)) == ([], POLICY.window)
    _, changes = learned([*steady, KEPT, KEPT, KEPT])
    assert [change.after_ms for change in changes] == [350]


def test_after_a_move_counting_starts_anew():
    """A draft begun at the old debounce says nothing of the new one."""
    _, changes = learned([DROPPED] * (POLICY.min_samples * 2 - 1))
    assert len(changes) == 1
    _, changes = learned([DROPPED] * POLICY.min_samples * 2)
    assert [change.after_ms for change in changes] == [450, 500]


@pytest.mark.parametrize(("outcome", "limit_ms"), [(DROPPED, POLICY.ceiling_ms), (KEPT, POLICY.floor_ms)])
def test_a_limit_that_is_reached_is_not_reported_again(outcome, limit_ms):
    """Nothing changes, so nothing is said."""
    debounce, changes = learned([outcome] * 500)
    assert debounce.ms == limit_ms
    assert len(changes) == abs(limit_ms - POLICY.default_ms) / POLICY.step_ms


def test_the_debounce_returns_to_the_default_when_nothing_is_learned():
    """Step by step, from above and from below, and no further."""
    long = Debounce(550, 100.0, (KEPT,))
    assert long.decayed(219.9, POLICY) == (long, None)
    debounce, change = long.decayed(220.0, POLICY)
    assert (debounce, change) == (
        Debounce(500, 220.0),
        DebounceChange(550, 500, DebounceCause.NOTHING_LEARNED, "nothing learned for 120 s"),
    )
    assert long.decayed(100.0 + 2 * 120 + 60, POLICY)[0] == Debounce(450, 340.0)
    assert long.decayed(10_000.0, POLICY)[0].ms == 400
    assert Debounce(370, 0.0).decayed(120.0, POLICY)[0].ms == 400
    assert Debounce(250, 0.0).decayed(120.0, POLICY)[0].ms == 300


def test_old_outcomes_are_forgotten_even_at_the_default():
    """Nine drafts of another part of the conversation and one of now are not ten of now."""
    debounce, change = Debounce(400, 0.0, (DROPPED,) * 9).decayed(130.0, POLICY)
    assert (debounce, change) == (Debounce(400, 120.0), None)


@given(OUTCOMES, policies(), st.lists(st.floats(0, 2000), min_size=60, max_size=60))
def test_the_debounce_stays_between_floor_and_ceiling(outcomes, policy, pauses_s):
    """Whatever happens, and however much time passes; each change is what was before and is now."""
    debounce, now_s = Debounce.initial(0.0, policy), 0.0
    for outcome, pause_s in zip(outcomes, pauses_s, strict=False):
        now_s += pause_s
        for learn in (Debounce.decayed, lambda d, at_s, p, o=outcome: d.after(o, at_s, p)):
            before_ms = debounce.ms
            debounce, change = learn(debounce, now_s, policy)
            assert policy.floor_ms <= debounce.ms <= policy.ceiling_ms
            assert debounce.learned_at_s <= now_s
            assert (change is None) == (before_ms == debounce.ms)
            assert change is None or (change.before_ms, change.after_ms) == (before_ms, debounce.ms)


@given(OUTCOMES, policies(), st.sampled_from(DraftOutcome))
def test_it_moves_only_with_enough_samples_and_in_the_right_direction(outcomes, policy, last):
    """Longer when many are dropped, shorter when few are, by one step at most."""
    before, _ = learned(outcomes, policy)
    after, change = before.after(last, 1.0, policy)
    counted = (*before.outcomes, last)[-policy.window :]
    rate = counted.count(DROPPED) / len(counted)
    if change is None:
        assume(policy.floor_ms < before.ms < policy.ceiling_ms)
        assert len(counted) < policy.min_samples or policy.band[0] <= rate <= policy.band[1]
        return
    assert len(counted) >= policy.min_samples
    assert rate > policy.band[1] if after.ms > before.ms else rate < policy.band[0]
    assert abs(after.ms - before.ms) <= policy.step_ms


@given(policies(), st.floats(0, 10_000), st.data())
def test_decay_never_leads_away_from_the_default(policy, now_s, data):
    """Nor past it."""
    begin_ms = data.draw(st.integers(policy.floor_ms, policy.ceiling_ms))
    debounce, _ = Debounce(begin_ms, 0.0).decayed(now_s, policy)
    low, high = sorted([begin_ms, policy.default_ms])
    assert low <= debounce.ms <= high


SEEDS = range(30)


def rates(talkers, turns=200, **settings):
    return [converse(talkers, turns, seed, POLICY, **settings).rate(100) for seed in SEEDS]


def test_two_hundred_turns_of_mixed_talkers_end_inside_the_band():
    """Of thirty conversations, as many as chance allows: a rate of 150 drafts is known to 0.04."""
    adapted = rates([BRISK, AVERAGE, THINKS_ALOUD])
    fixed = rates([BRISK, AVERAGE, THINKS_ALOUD], adapts=False)
    low, high = POLICY.band
    assert low <= statistics.mean(adapted) <= high < statistics.mean(fixed)
    assert sum(low <= rate <= high for rate in adapted) >= 26
    assert sum(low <= rate <= high for rate in fixed) <= 8
    assert all(low - 0.05 <= rate <= high + 0.05 for rate in adapted)


@pytest.mark.parametrize(
    ("talker", "shortest_ms", "longest_ms"),
    [(BRISK, 200, 400), (AVERAGE, 350, 600), (THINKS_ALOUD, 500, 800)],
)
def test_each_talker_gets_a_debounce_of_their_own(talker, shortest_ms, longest_ms):
    """For people who think aloud it is the 500 to 600 ms, and more, that the earlier system found right."""
    means_ms = [statistics.mean(converse([talker], 200, seed, POLICY).debounces_ms[100:]) for seed in SEEDS]
    assert shortest_ms <= statistics.mean(means_ms) <= longest_ms


def test_somebody_who_never_pauses_is_at_the_floor():
    """And somebody whose pauses are all long is at the ceiling."""
    assert converse([Talker(0, 1, 0)], 200, 1, POLICY).debounces_ms[-1] == POLICY.floor_ms
    assert converse([Talker(5, 5000, 0.1)], 200, 1, POLICY).debounces_ms[-1] == POLICY.ceiling_ms


def test_a_conversation_is_not_moved_by_every_turn():
    """Every change goes onto the timeline, and the next outcomes are needed to judge it."""
    for seed in SEEDS:
        measured = converse([AVERAGE], 200, seed, POLICY)
        assert len(measured.changes) <= sum(map(len, measured.outcomes)) / POLICY.min_samples
        assert all(abs(b - a) <= 2 * POLICY.step_ms for a, b in pairwise(measured.debounces_ms))


def test_the_diagram_holds_every_figure_of_the_policy():
    """A diagram of other figures is another diagram."""
    other = DebouncePolicy(410, 60, 210, 810, (0.31, 0.41), 13, 7, 121.0)
    shown = to_mermaid(other)
    assert shown.startswith("flowchart TD\n")
    for figure in ("410 ms", "60 ms longer", "60 ms shorter", "210 ms", "810 ms", "31 %", "41 %"):
        assert figure in shown
    assert "last 13" in shown
    assert "fewer than 7" in shown
    assert "121 s" in shown


def test_the_page_about_turns_shows_this_rule():
    """The diagram is the code's."""
    page = Path(__file__).parents[2] / "docs" / "concepts" / "turns.md"
    assert f"```mermaid\n{to_mermaid(POLICY)}```" in page.read_text(encoding="utf-8")
