"""Random people, random far ends, random faults: what must hold of every conversation holds.

`python bench/random_turns.py` holds very many more of them; with `--seed N` it prints one.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.journeys.random_turns.running import run

pytestmark = pytest.mark.loop

MOST = 2**32


@pytest.mark.parametrize("first", range(0, 200, 40))
def test_what_must_hold_of_every_conversation_holds(first):
    for seed in range(first, first + 40):
        outcome = run(seed)
        assert not outcome.problems, str(outcome)


@settings(max_examples=50)
@given(st.integers(0, MOST))
def test_it_holds_whatever_the_seed(seed):
    outcome = run(seed)
    assert not outcome.problems, str(outcome)


def test_a_conversation_is_a_function_of_its_seed():
    """Else a failure could not be looked at again."""
    once, again = run(7), run(7)
    assert once.counts == again.counts
    assert [at_s for at_s, _ in once.trace] == [at_s for at_s, _ in again.trace]


def test_everything_is_met_that_can_go_wrong():
    """Conversations in which nothing happens would prove nothing."""
    counts = sum((run(seed).counts for seed in range(60)), run(60).counts)
    for what in (
        "drafts kept",
        "drafts dropped",
        "false interruptions",
        "resumed",
        "interrupted",
        "cancelled",
        "failed",
        "truncated",
        "tools",
        "setbacks, remedy: retry",
        "setbacks, remedy: continuation",
        "setbacks, remedy: replay",
        "answered",
        "telephone turns",
    ):
        assert counts[what], what
