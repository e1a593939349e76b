"""A running server keeps its turns, and runs on where it can't."""

import math

import anyio
import httpx2
import pytest

from tests.wire.server import running_server, speak, until
from tests.wire.test_realtime_server import SILENCE, SPEECH, hands
from warmline.server.settings import HistoryTable, StoreTable
from warmline.store.database import Database
from warmline.store.turn_reading import TurnReading, Window

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

SAID = "when do you open"
EVER = Window(0, math.inf)


def keeping_server(url, **history):
    """Run a server that hears something once, and keeps its turns."""
    return running_server(hands(SAID).providers(), store=StoreTable(url), history=HistoryTable(**history))


async def hold_a_turn(server):
    async with server.connect() as client:
        await speak(client, SPEECH + SILENCE)
        await until(client, "response.done")
    await server.has_no_session()


async def health(server):
    async with httpx2.AsyncClient() as client:
        return (await client.get(f"{server.url}/health")).json()["history"]


async def test_turns_of_a_running_server_are_kept(store_url):
    history = HistoryTable(transcripts=True)
    async with running_server(
        hands(SAID).providers(), store=StoreTable(store_url), history=history
    ) as server:
        await hold_a_turn(server)
        with anyio.fail_after(10):
            while (await health(server))["kept"] == 0:  # noqa: ASYNC110 - another process would poll as well
                await anyio.sleep(0.02)
        assert await health(server) == {
            "is_on": True,
            "kept": 1,
            "waiting": 0,
            "lost": 0,
            "problem": False,
        }
    with Database(store_url) as database:
        reading = TurnReading(database)
        [line] = reading.turns(EVER, order="newest").lines
        kept = reading.turn(line.call, line.number)
        assert reading.overview(EVER).whole[""].asked == 1
    assert kept is not None
    assert kept.texts is not None
    assert line.facts["channel"] == "browser"
    assert kept.texts.user == SAID
    assert kept.turn.is_asked


async def test_without_being_asked_to_nothing_that_was_said_is_kept(tmp_path):
    url = f"sqlite:///{tmp_path}/warmline.db"
    async with running_server(
        hands(SAID).providers(), store=StoreTable(url), history=HistoryTable()
    ) as server:
        await hold_a_turn(server)
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"turn_committed" in content
    assert SAID.encode() not in content


async def test_a_server_whose_store_cannot_be_opened_answers_all_the_same(tmp_path):
    (tmp_path / "folder").write_text("a file where a folder should be")
    url = f"sqlite:///{tmp_path}/folder/warmline.db"
    async with running_server(
        hands(SAID).providers(), store=StoreTable(url), history=HistoryTable()
    ) as server:
        await hold_a_turn(server)
        assert await health(server) == {"is_on": False, "problem": True}
