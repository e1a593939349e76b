"""The life of a draft: its table, and the page that shows it."""

from pathlib import Path

import pytest

from warmline.errors import InvalidTransition
from warmline.turns.draft import TRANSITIONS, DraftEvent, DraftState, next_draft_state, to_mermaid

pytestmark = pytest.mark.unit

ENDS = {DraftState.ADOPTED, DraftState.DROPPED}


@pytest.mark.parametrize("event", DraftEvent)
@pytest.mark.parametrize("state", DraftState)
def test_a_draft_that_is_over_stays_so_and_any_other_can_end(state, event):
    """What was dropped is never adopted, and what is adopted never dropped."""
    if state in ENDS or (state is DraftState.HELD and event is DraftEvent.AUDIO_MADE):
        with pytest.raises(InvalidTransition):
            next_draft_state(state, event)
    else:
        after = next_draft_state(state, event)
        assert (after is DraftState.ADOPTED) == (event is DraftEvent.COMMITTED)


def test_every_draft_that_is_not_over_can_be_dropped_by_whatever_goes_wrong():
    """There is no state in which a hang-up or a failure has no row."""
    for state in DraftState:
        if state not in ENDS:
            dropping = {
                e for (s, e), after in TRANSITIONS.items() if s is state and after is DraftState.DROPPED
            }
            assert dropping == set(DraftEvent) - {DraftEvent.AUDIO_MADE, DraftEvent.COMMITTED}


def test_the_page_about_turns_shows_this_table():
    """The diagram is the code's."""
    page = Path(__file__).parents[2] / "docs" / "concepts" / "turns.md"
    assert to_mermaid() in page.read_text()
