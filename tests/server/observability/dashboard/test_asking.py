"""What is asked of the dashboard's API."""

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.server.observability.dashboard.asking import (
    WINDOWS_S,
    BadQuery,
    OverviewQuery,
    TurnsQuery,
    asked_overview,
    asked_turns,
    asked_window,
)
from warmline.store.turn_views import Cursor, Window

pytestmark = pytest.mark.unit

NOW = 1_795_132_800.0
DAY = Window(NOW - 86_400, math.inf)


def test_without_a_word_it_is_the_last_day_of_all_turns():
    assert asked_overview([], NOW) == OverviewQuery(DAY, {}, None, 60)
    assert asked_turns([], NOW) == TurnsQuery(DAY, {}, "newest", 50, None)
    assert asked_window([], NOW) == DAY


@pytest.mark.parametrize(("name", "length_s"), WINDOWS_S.items())
def test_each_window_ends_now_and_takes_in_what_comes(name, length_s):
    assert asked_window([("window", name)], NOW) == Window(max(NOW - length_s, 0.0), math.inf)


def test_everything_can_be_said():
    asked = asked_overview(
        [
            ("from_s", "100"),
            ("until_s", "200.5"),
            ("llm", "openai"),
            ("region", ""),
            ("group_by", "tts"),
            ("points", "7"),
        ],
        NOW,
    )
    assert asked == OverviewQuery(Window(100, 200.5), {"llm": "openai", "region": ""}, "tts", 7)
    cursor = [("before_value", "812.5"), ("before_call", "call_1"), ("before_number", "3")]
    turns = asked_turns([("order", "slowest"), ("limit", "500"), *cursor], NOW)
    assert turns == TurnsQuery(DAY, {}, "slowest", 500, Cursor(812.5, "call_1", 3))


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        ([("window", "2h")], "window is '2h'; it must be one of 15m, 1h, 24h, 7d, 30d, all"),
        ([("windw", "1h")], "'windw' is unknown"),
        ([("llm", "a"), ("llm", "b")], "llm is given twice"),
        ([("group_by", "call")], "group_by is 'call'; it must be one of channel, stt"),
        ([("points", "0")], "points is '0'; it must be a whole number from 1 to 500"),
        ([("points", "501")], "from 1 to 500"),
        ([("points", "²")], "from 1 to 500"),
        ([("points", "9" * 5000)], "from 1 to 500"),
        ([("from_s", "yesterday")], "from_s is 'yesterday'; it must be a number"),
        ([("from_s", "nan")], "it must be a number"),
        ([("until_s", "inf")], "it must be a number"),
        ([("from_s", "2"), ("until_s", "2")], "from_s must be before until_s"),
        ([("from_s", "2"), ("window", "1h")], "but not both"),
    ],
)
def test_what_cannot_be_told_is_said_in_words(pairs, told):
    with pytest.raises(BadQuery) as refused:
        asked_overview(pairs, NOW)
    assert told in str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        ([("order", "best")], "order is 'best'; it must be one of newest, slowest"),
        ([("limit", "501")], "from 1 to 500"),
        ([("before_value", "1")], "give before_value, before_call and before_number together"),
        ([("before_value", "x"), ("before_call", ""), ("before_number", "1")], "must be a number"),
        ([("group_by", "llm")], "'group_by' is unknown"),
    ],
)
def test_a_list_that_cannot_be_is_said_in_words(pairs, told):
    with pytest.raises(BadQuery) as refused:
        asked_turns(pairs, NOW)
    assert told in str(refused.value)


NAMES = st.sampled_from(["window", "from_s", "until_s", "llm", "group_by", "points", "limit", "before_value"])


@given(st.lists(st.tuples(NAMES, st.text(max_size=20))))
def test_any_query_is_a_value_or_a_word(pairs):
    for ask in (asked_overview, asked_turns, asked_window):
        with suppress(BadQuery):
            assert ask(pairs, NOW) is not None
