"""Turns are kept once, found again, and counted as `warmline report` counts them; on either database."""

import math
import threading
from dataclasses import replace

import pytest
import sqlalchemy as sa

from tests.store.turns import FACTS, NOON_S, arrived, greeting, many, turn
from warmline.errors import ConfigError
from warmline.reporting.histogram import RELATIVE_ERROR
from warmline.reporting.period import Period
from warmline.reporting.samples import quantile
from warmline.store.database import Database
from warmline.store.schema import TURN_TEXTS, TURNS
from warmline.store.turn_keeping import TurnKeeping
from warmline.store.turn_reading import Overview, TurnReading, TurnTexts, Window
from warmline.store.turn_upkeep import TurnUpkeep
from warmline.timeline.marks import Mark
from warmline.timeline.report import PlayoutTruth, TurnStatus

pytestmark = pytest.mark.wire

EVER = Window(0, math.inf)
TEXTS = TurnTexts("when are you open", "at nine in the morning", "at nine")
HOUR_S, DAY_S = 3_600.0, 86_400.0


@pytest.fixture
def database(store_url):
    with Database(store_url) as database:
        yield database


@pytest.fixture
def keep(database):
    """Keep turns as they are given, in one transaction."""
    keeping = TurnKeeping(database, "worker")
    return lambda *turns: keeping.keep(turns)


@pytest.fixture
def reading(database):
    return TurnReading(database)


def count(database, table):
    with database.engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar()


def fold_all(database, now_s):
    upkeep, folds = TurnUpkeep(database), 0
    while upkeep.fold(now_s):
        folds += 1
    return folds


def check_agrees(overview: Overview, period: Period):
    """Assert that an overview without groups says what the report would."""
    summary = overview.whole[""]
    counts = (summary.turns, summary.answered, summary.drafts_begun, summary.drafts_dropped)
    assert counts == (period.turns, period.answered, period.drafts_begun, period.drafts_dropped)
    ordered_ms = period.ordered_ms()
    assert set(summary.measures) == set(ordered_ms)
    for measure, told in summary.measures.items():
        exact_ms = ordered_ms[measure]
        assert (told.count, told.max_ms) == (len(exact_ms), exact_ms[-1]), measure
        shares = ((0.5, told.p50_ms), (0.9, told.p90_ms), (0.95, told.p95_ms), (0.99, told.p99_ms))
        for share, ms in shares:
            assert ms == pytest.approx(quantile(exact_ms, share), rel=RELATIVE_ERROR * 1.001, abs=0.001), (
                measure
            )


def folded(turns):
    period = Period("")
    for each in turns:
        period.add(each)
    return period


def test_a_turn_is_read_as_it_was_kept(keep, reading):
    keep(arrived(turn(3)))
    kept = reading.turn("sess_1", 3)
    assert kept is not None
    assert (kept.turn, kept.texts) == (turn(3), None)
    assert reading.turn("sess_1", 4) is None


def test_what_was_said_is_kept_only_if_it_is_given(keep, reading, database):
    keep(arrived(turn(1), texts=TEXTS), arrived(turn(2)))
    assert reading.turn("sess_1", 1).texts == TEXTS
    assert reading.turn("sess_1", 2).texts is None
    assert count(database, TURN_TEXTS) == 1


def test_texts_that_a_database_cannot_hold_are_kept_without_what_it_cannot(keep, reading):
    keep(arrived(turn(1), texts=TurnTexts("a\0b", "c\ud800d", "")))
    assert reading.turn("sess_1", 1).texts == TurnTexts("ab", "c?d", "")


def test_the_same_turns_kept_again_change_nothing(keep, reading):
    """A connection may be lost between a transaction's end and the word of it."""
    told = [arrived(turn(number)) for number in range(1, 4)]
    keep(*told)
    before = reading.overview(EVER)
    keep(*told)
    assert reading.overview(EVER) == before
    assert before.whole[""].turns == 3


def test_a_correction_changes_what_is_known_better_and_is_counted_once(keep, reading):
    keep(arrived(turn(1), texts=TEXTS), arrived(turn(2)))
    better = turn(
        1,
        at_s=NOON_S + 0.001,
        status=TurnStatus.INTERRUPTED,
        playout=PlayoutTruth.RECKONED,
        heard_share=0.25,
        loop_lag_ms=99.0,
    )
    keep(arrived(better, texts=replace(TEXTS, heard="at"), is_correction=True))
    kept = reading.turn("sess_1", 1)
    assert kept.turn == replace(
        turn(1), status=TurnStatus.INTERRUPTED, playout=PlayoutTruth.RECKONED, heard_share=0.25
    )
    assert kept.texts.heard == "at"
    summary = reading.overview(EVER).whole[""]
    assert (summary.turns, summary.interrupted, summary.measures["response"].count) == (2, 1, 2)
    assert [line.status for line in reading.turns(EVER, order="newest").lines] == ["completed", "interrupted"]


def test_a_correction_in_the_same_transaction_as_its_turn_is_counted_once(keep, reading):
    keep(arrived(turn(1)), arrived(turn(1, status=TurnStatus.INTERRUPTED), is_correction=True))
    summary = reading.overview(EVER).whole[""]
    assert (summary.turns, summary.interrupted) == (1, 1)
    assert reading.turn("sess_1", 1).turn == turn(1, status=TurnStatus.INTERRUPTED)


def test_a_correction_of_a_turn_that_was_lost_is_kept_as_a_turn(keep, reading):
    keep(arrived(turn(1), is_correction=True))
    assert reading.overview(EVER).whole[""].turns == 1


def test_a_message_that_is_answered_anew_is_another_turn(keep, reading):
    """Its first turn has the same number, and both were held."""
    first, again = turn(1, call="wa_1"), turn(1, call="wa_1", at_s=NOON_S + 60)
    keep(arrived(first))
    keep(arrived(again), arrived(turn(1, call="wa_1", at_s=NOON_S + 90)))
    keep(arrived(again))
    assert [each.at_s for each in reading.each(EVER)] == [NOON_S, NOON_S + 60, NOON_S + 90]
    assert [line.number for line in reading.turns(EVER, order="newest").lines] == [3, 2, 1]
    assert reading.overview(EVER).whole[""].turns == 3


def test_a_turn_without_an_origin_is_found_where_it_was_over(keep, reading):
    keep(arrived(turn(1, at_s=None, marks_ms={Mark.BARGE_IN: 3.0}), arrived_s=NOON_S + 61))
    [line] = reading.turns(Window(NOON_S + 60, NOON_S + 120), order="newest").lines
    assert (line.at_s, line.is_asked, line.response_ms) == (NOON_S + 61, False, None)
    assert reading.turn("sess_1", 1).turn.at_s is None


def test_the_overview_agrees_with_the_report(keep, reading):
    told = many(500)
    keep(*told, arrived(greeting(call="other")))
    check_agrees(reading.overview(EVER), folded([*(each.turn for each in told), greeting(call="other")]))


def test_a_greeting_is_counted_and_answered_and_nobody_asked(keep, reading):
    keep(arrived(greeting()), arrived(turn(2)))
    summary = reading.overview(EVER).whole[""]
    assert (summary.turns, summary.asked, summary.answered) == (2, 1, 2)
    assert summary.measures["response"].count == 1
    [line, _] = sorted(reading.turns(EVER, order="newest").lines, key=lambda line: line.number)
    assert (line.is_asked, line.response_ms) == (False, None)


def test_counts_are_of_everything_that_turns_tell(keep, reading):
    keep(arrived(turn(1)), arrived(turn(2, status=TurnStatus.FAILED, lines=(), setbacks=(
        replace(turn().setbacks[0], remedy="none"), turn().setbacks[0],
    ))))  # fmt: skip
    summary = reading.overview(EVER).whole[""]
    assert replace(summary, measures={}) == type(summary)(
        turns=2, asked=2, answered=2, interrupted=0, failed=1, cold_turns=1, drafts_begun=4, drafts_dropped=2,
        wasted_tokens=1_824, setbacks_hidden=2, setbacks_noticed=1, underruns=2, underrun_ms=71.0,
    )  # fmt: skip


def test_nothing_changes_when_minutes_are_folded_into_hours_and_days(keep, reading, database):
    told = many(300, every_s=1_000.0)
    keep(*told)
    windows = [EVER, Window(NOON_S + 5 * HOUR_S, NOON_S + 2.3 * DAY_S), Window(NOON_S + 600, NOON_S + 30_000)]
    before = [[reading.overview(window, points=n) for n in (1, 3, 60)] for window in windows]
    assert fold_all(database, NOON_S + 10 * DAY_S) == 84
    assert [[reading.overview(window, points=n) for n in (1, 3, 60)] for window in windows] == before
    check_agrees(before[0][0], folded(each.turn for each in told))


def test_the_hour_that_goes_on_is_not_folded(keep, database):
    keep(*many(10))
    assert fold_all(database, NOON_S + HOUR_S + 299) == 0
    assert fold_all(database, NOON_S + HOUR_S + 301) == 1
    assert fold_all(database, NOON_S + HOUR_S + 301) == 0


def test_what_comes_late_is_folded_by_itself(keep, reading, database):
    """A turn whose minute is folded, and a correction of one."""
    keep(*many(10))
    fold_all(database, NOON_S + DAY_S)
    late = [turn(1, call="late", at_s=NOON_S + 3), many(1)[0].turn]
    keep(arrived(late[0]), arrived(replace(late[1], status=TurnStatus.FAILED), is_correction=True))
    failed = {"failed": sum(each.turn.status is TurnStatus.FAILED for each in many(10)[1:]) + 1}
    for _ in range(2):
        for points in (1, 60):
            summary = reading.overview(Window(NOON_S - DAY_S, NOON_S + DAY_S), points=points).whole[""]
            assert (summary.turns, summary.failed) == (11, failed["failed"])
        assert summary.measures["response"].count == 11
        fold_all(database, NOON_S + DAY_S)


def test_what_is_read_while_minutes_are_folded_is_of_one_instant(keep, reading, database):
    """Not those twice that are in an hour by now, and not none of them."""
    keep(*many(300, every_s=1_200.0))
    folding = threading.Thread(target=fold_all, args=(database, NOON_S + 10 * DAY_S))
    folding.start()
    seen = []
    while folding.is_alive():
        seen.append(reading.overview(EVER, points=1).whole[""].turns)
    folding.join()
    assert set(seen) == {300}


def test_points_cover_the_window_and_add_up_to_the_whole(keep, reading):
    keep(*many(300, every_s=100.0))
    overview = reading.overview(Window(NOON_S, NOON_S + 8 * HOUR_S), points=20)
    points = overview.points[""]
    assert overview.resolution_s == 1_800
    assert [point.at_s for point in points] == [NOON_S + 1_800 * number for number in range(16)]
    assert sum(point.summary.turns for point in points) == overview.whole[""].turns == 288
    assert all(point.summary.turns == 18 for point in points)


@pytest.mark.parametrize("points", [1, 2, 7, 60, 500])
def test_there_are_no_more_points_than_asked_for(keep, reading, points):
    keep(*many(200, every_s=7_777.0))
    assert len(reading.overview(EVER, points=points).points[""]) <= points


def test_a_window_is_widened_to_whole_minutes(keep, reading):
    keep(*(arrived(turn(n, at_s=NOON_S + 60 * n + 30)) for n in range(5)))
    assert reading.overview(Window(NOON_S + 119, NOON_S + 181)).whole[""].turns == 3
    assert reading.overview(Window(NOON_S + 120, NOON_S + 180)).whole[""].turns == 1


@pytest.mark.parametrize(
    "window", [Window(0, NOON_S), Window(NOON_S + DAY_S, math.inf), Window(NOON_S + 60, NOON_S + 60)]
)
def test_a_window_without_turns_has_an_empty_overview(keep, reading, window):
    for _ in range(2):
        overview = reading.overview(window)
        assert (overview.whole, overview.points) == ({}, {})
        assert list(reading.each(window)) == []
        assert reading.turns(window, order="newest").lines == []
        assert set(map(tuple, reading.facts(window).values())) == {()}
        keep(*many(20))


def test_turns_are_told_apart_by_what_they_were_held_with(keep, reading):
    told = many(200)
    keep(*told)
    overview = reading.overview(EVER, group_by="llm")
    assert set(overview.whole) == set(overview.points) == {"openai", "anthropic"}
    for llm in ("openai", "anthropic"):
        its = [each.turn for each in told if each.turn.facts["llm"] == llm]
        filtered = reading.overview(EVER, {"llm": llm})
        check_agrees(filtered, folded(its))
        assert filtered.whole[""] == overview.whole[llm]
        assert list(reading.each(EVER, {"llm": llm})) == its
    both = reading.overview(EVER, {"llm": "openai", "channel": "browser"}).whole[""]
    facts = {"llm": "openai", "channel": "browser"}
    assert both.turns == sum(facts.items() <= each.turn.facts.items() for each in told)


def test_facts_are_those_of_the_windows_turns_and_empty_where_one_is_not_known(keep, reading, database):
    keep(arrived(turn(1)), arrived(turn(2, at_s=NOON_S + 2 * DAY_S, lines=(), facts={"channel": "whatsapp"})))
    for _ in range(2):
        facts = reading.facts(EVER)
        assert facts["channel"] == ["browser", "whatsapp"]
        assert facts["llm"] == ["", "openai"]
        assert facts["region"] == ["", "api.openai.com"]
        assert reading.facts(Window(NOON_S, NOON_S + DAY_S))["channel"] == ["browser"]
        fold_all(database, NOON_S + 9 * DAY_S)
    assert reading.overview(EVER, {"llm": ""}).whole[""].turns == 1


def test_a_fact_that_turns_are_not_told_apart_by_is_refused(reading):
    for ask in (
        lambda: reading.overview(EVER, {"weather": "fine"}),
        lambda: reading.overview(EVER, group_by="weather"),
        lambda: reading.turns(EVER, {"weather": "fine"}, order="newest"),
        lambda: list(reading.each(EVER, {"weather": "fine"})),
    ):
        with pytest.raises(ConfigError, match="not told apart by weather; there are channel, stt"):
            ask()


@pytest.mark.parametrize("order", ["newest", "slowest"])
def test_pages_hold_every_turn_once_and_in_order(keep, reading, order):
    """Also where several are of the same instant, or took as long."""
    told = [*many(45), *(arrived(turn(n, call="same", at_s=NOON_S + 70)) for n in range(1, 6))]
    keep(*told, arrived(greeting(call="greeted", at_s=NOON_S + 3)))
    lines, cursor = [], None
    while True:
        page = reading.turns(EVER, order=order, limit=10, before=cursor)
        lines += page.lines
        cursor = page.next
        if cursor is None:
            break
    values = [line.at_s if order == "newest" else line.response_ms for line in lines]
    assert values == sorted(values, reverse=True)
    assert (
        len({(line.call, line.number) for line in lines}) == len(lines) == (51 if order == "newest" else 50)
    )


def test_a_line_says_what_a_list_shows(keep, reading):
    keep(arrived(turn(7)))
    [line] = reading.turns(EVER, order="slowest").lines
    assert (line.call, line.number, line.at_s, line.status) == ("sess_1", 7, NOON_S, "completed")
    assert (line.is_asked, line.response_ms, line.heard_share) == (True, 800.0, 0.75)
    assert line.facts == {**FACTS, "stt_model": "", "tts_model": "", "region": "api.openai.com"}
    shown = (line.cold_lines, line.drafts_begun, line.drafts_dropped, line.setbacks, line.underruns)
    assert shown == (1, 2, 1, 1, 1)


def test_turns_are_streamed_in_the_order_of_time_across_pages(keep, reading):
    told = many(450)
    same = [arrived(turn(n, call="same", at_s=NOON_S + 1_400)) for n in range(1, 300)]
    keep(*reversed(told))
    keep(*same)
    found = list(reading.each(EVER))
    assert len(found) == 749
    assert [each.at_s for each in found] == sorted(each.at_s for each in found)
    part = Window(NOON_S + 70, NOON_S + 700)
    assert [each.at_s for each in reading.each(part)] == [NOON_S + 70 + 7 * n for n in range(90)]


def test_old_turns_their_texts_and_roll_ups_are_deleted_by_the_day_a_little_at_a_time(
    keep, reading, database
):
    keep(*(replace(each, texts=TEXTS) for each in many(700, from_s=NOON_S - 4 * DAY_S, every_s=600.0)))
    fold_all(database, NOON_S)
    upkeep, rounds = TurnUpkeep(database), 0
    while upkeep.delete(NOON_S - 2 * DAY_S):
        rounds += 1
        assert rounds < 200
    midnight_s = NOON_S - 2.5 * DAY_S
    left = list(reading.each(EVER))
    assert rounds > 1
    assert len(left) == 700 - 216
    assert min(each.at_s for each in left) == midnight_s
    assert count(database, TURN_TEXTS) == count(database, TURNS) == len(left)
    check_agrees(reading.overview(EVER, points=1), folded(left))
    check_agrees(reading.overview(EVER, points=500), folded(left))


def test_processes_do_not_write_in_each_others_roll_ups(reading, database):
    told = many(100)
    one, other = TurnKeeping(database, "one"), TurnKeeping(database, "other")
    for number in range(0, 100, 10):
        (one if number % 20 else other).keep(told[number : number + 10])
    check_agrees(reading.overview(EVER), folded(each.turn for each in told))
    fold_all(database, NOON_S + DAY_S)
    check_agrees(reading.overview(EVER), folded(each.turn for each in told))
