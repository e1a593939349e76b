"""Turns are written behind the event loop, and whatever happens there never reaches a call."""

import logging
from contextlib import asynccontextmanager

import anyio
import pytest
from sqlalchemy.exc import DataError, OperationalError

from tests.store.turns import NOON_S, turn
from warmline.server.observability.keeping import Keeping
from warmline.server.observability.observer import KeptTurn
from warmline.store.turn_views import TurnTexts
from warmline.testing.virtual_time import LoopClock

pytestmark = [pytest.mark.loop, pytest.mark.anyio]


class ScriptedStorage:
    """Keeps in memory; `failing` is raised as long as it is there, and `bad` turns can't be kept."""

    def __init__(self):
        self.transactions = []
        self.at_s = []
        self.failing: Exception | None = None
        self.bad: set[int] = set()
        self.reopened = 0
        self.is_there = True
        self.takes_s = 0.0

    def keep(self, arrived):
        if self.failing is not None:
            raise self.failing
        if any(each.turn.number in self.bad for each in arrived):
            raise DataError("INSERT", {}, ValueError("no such text"))
        self.transactions.append([each.turn.number for each in arrived])
        self.at_s.append(LoopClock().now_s())
        self.kept = arrived

    def reopen(self):
        self.reopened += 1
        self.is_there = True


@asynccontextmanager
async def keeping_in(storage, **settings):
    async def beside(work):
        await anyio.sleep(storage.takes_s)
        return work()

    keeping = Keeping(storage, lambda: NOON_S, **{"keeps_texts": False, "in_thread": beside, **settings})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keeping.run)
        yield keeping
        tasks.cancel_scope.cancel()


def kept_turn(number, **fields):
    return KeptTurn(turn(number, **fields), "a question", "an answer", "an")


def disk_full():
    return OperationalError("INSERT", {}, Exception("database or disk is full\nof what somebody said"))


async def test_a_turn_is_written_at_once_and_what_comes_then_half_a_second_later():
    storage = ScriptedStorage()
    async with keeping_in(storage) as keeping:
        await anyio.sleep(10)
        keeping.take(kept_turn(1))
        for number in (2, 3):
            await anyio.sleep(0.1)
            keeping.take(kept_turn(number))
        await anyio.sleep(5)
        keeping.take(kept_turn(4))
        await anyio.sleep(5)
    assert storage.transactions == [[1], [2, 3], [4]]
    assert storage.at_s == pytest.approx([10.0, 10.5, 15.2])
    assert keeping.figures() == {"kept": 4, "waiting": 0, "lost": 0, "problem": ""}


async def test_texts_are_kept_if_that_is_wanted_and_those_of_messages_never():
    """A person who has their messages forgotten is to find none of them elsewhere."""
    storage = ScriptedStorage()
    async with keeping_in(storage, keeps_texts=True) as keeping:
        await anyio.sleep(1)
        keeping.take(kept_turn(1))
        keeping.take(kept_turn(2, facts={"channel": "whatsapp"}))
        await anyio.sleep(1)
    assert [each.texts for each in storage.kept] == [TurnTexts("a question", "an answer", "an"), None]
    async with keeping_in(storage) as keeping:
        keeping.take(kept_turn(3))
        await anyio.sleep(1)
    assert [each.texts for each in storage.kept] == [None]


async def test_turns_wait_while_the_store_fails_which_is_told_of_once(caplog):
    caplog.set_level(logging.INFO)
    storage = ScriptedStorage()
    async with keeping_in(storage) as keeping:
        storage.failing = disk_full()
        for number in range(1, 11):
            keeping.take(kept_turn(number))
            await anyio.sleep(7)
        problem = "database or disk is full"
        assert keeping.figures() == {"kept": 0, "waiting": 10, "lost": 0, "problem": problem}
        assert storage.reopened > 5
        storage.failing = None
        await anyio.sleep(11)
        assert keeping.figures() == {"kept": 10, "waiting": 0, "lost": 0, "problem": ""}
    assert storage.transactions == [list(range(1, 11))]
    told = [(each.levelno, each.getMessage()) for each in caplog.records]
    assert told == [(logging.WARNING, "history.failing"), (logging.INFO, "history.works_again")]
    assert caplog.records[0].problem == problem


async def test_of_too_many_that_wait_the_oldest_are_lost_and_counted():
    storage = ScriptedStorage()
    storage.failing = disk_full()
    async with keeping_in(storage) as keeping:
        for number in range(5_010):
            keeping.take(kept_turn(number))
        await anyio.sleep(1)
        figures = keeping.figures()
        assert (figures["waiting"], figures["lost"]) == (5_000, 10)
        storage.failing = None
        await anyio.sleep(60)
    assert [number for some in storage.transactions for number in some] == list(range(10, 5_010))
    assert max(map(len, storage.transactions)) == 200
    assert keeping.figures() == {"kept": 5_000, "waiting": 0, "lost": 10, "problem": ""}


async def test_turns_that_are_being_written_are_not_written_twice_when_too_many_come_meanwhile():
    storage = ScriptedStorage()
    storage.takes_s = 1.0
    async with keeping_in(storage) as keeping:
        keeping.take(kept_turn(0))
        await anyio.sleep(0.5)
        for number in range(1, 5_005):
            keeping.take(kept_turn(number))
        assert keeping.figures() == {"kept": 0, "waiting": 5_000, "lost": 5, "problem": ""}
        await anyio.sleep(100)
    assert [number for some in storage.transactions for number in some] == [0, *range(6, 5_005)]


async def test_a_turn_that_cannot_be_kept_keeps_no_other_waiting(caplog):
    storage = ScriptedStorage()
    storage.bad = {2}
    async with keeping_in(storage) as keeping:
        await anyio.sleep(1)
        for number in (1, 2, 3):
            keeping.take(kept_turn(number))
        await anyio.sleep(1)
        assert keeping.figures() == {"kept": 2, "waiting": 0, "lost": 1, "problem": ""}
    assert storage.transactions == [[1], [3]]
    assert [each.getMessage() for each in caplog.records] == ["history.turns_refused"]


async def test_a_store_that_has_vanished_is_opened_anew():
    storage = ScriptedStorage()
    async with keeping_in(storage) as keeping:
        storage.is_there = False
        keeping.take(kept_turn(1))
        await anyio.sleep(1)
    assert (storage.reopened, storage.transactions) == (1, [[1]])


async def test_what_was_being_written_when_the_process_ends_is_written_by_the_flush():
    storage = ScriptedStorage()
    storage.takes_s = 2.0
    async with keeping_in(storage) as keeping:
        for number in range(300):
            keeping.take(kept_turn(number))
        await anyio.sleep(1)
    assert storage.transactions == []
    await keeping.flush()
    assert [len(some) for some in storage.transactions] == [200, 100]


async def test_a_flush_to_a_store_that_fails_comes_to_an_end():
    storage = ScriptedStorage()
    storage.failing = disk_full()
    async with keeping_in(storage) as keeping:
        keeping.take(kept_turn(1))
        await anyio.sleep(1)
    await keeping.flush()
    assert keeping.figures()["waiting"] == 1
