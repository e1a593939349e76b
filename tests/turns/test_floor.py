"""The floor's table."""

import itertools
from pathlib import Path

import pytest

from warmline.errors import InvalidTransition
from warmline.turns.floor import TRANSITIONS, Floor, FloorEvent, next_floor, to_mermaid

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("floor", "event"), list(itertools.product(Floor, FloorEvent)))
def test_every_pair_is_in_the_table_or_refused(floor, event):
    """No event is silently ignored."""
    if (floor, event) in TRANSITIONS:
        assert next_floor(floor, event) is TRANSITIONS[floor, event]
    else:
        with pytest.raises(InvalidTransition) as refused:
            next_floor(floor, event)
        assert (refused.value.state, refused.value.event) == (floor.value, event.value)


def test_every_floor_is_reached_and_left_until_the_session_is_closed():
    """No state is a dead end or dead code."""
    assert set(TRANSITIONS.values()) == set(Floor)
    assert {before for before, _ in TRANSITIONS} == set(Floor) - {Floor.CLOSED}


@pytest.mark.parametrize("floor", [Floor.THINKING, Floor.AGENT])
def test_the_user_can_always_take_the_floor_from_the_agent(floor):
    """By speaking and by typing."""
    assert next_floor(floor, FloorEvent.SPEECH_STARTED) is Floor.USER
    assert next_floor(floor, FloorEvent.TEXT_RECEIVED) is Floor.THINKING


def test_the_architecture_page_shows_this_table():
    """The diagram is the code's."""
    page = Path(__file__).parents[2] / "ARCHITECTURE.md"
    assert to_mermaid() in page.read_text()
