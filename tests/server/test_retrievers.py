"""Passages by a service's embeddings, against the simulated OpenAI over real TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from tests.wire.server import knowledge
from warmline.errors import ConfigError
from warmline.interfaces.retriever import Query, Retriever
from warmline.knowledge.index import OnProgress, Progress
from warmline.knowledge.minilm import find_model
from warmline.server.services.opened import Opened, lines_of
from warmline.server.services.retrievers import open_retriever
from warmline.server.settings import Settings, load_settings
from warmline.simulators.faults import parse_fault
from warmline.simulators.running import KEY, Running, simulators_running
from warmline.simulators.script import Script

pytestmark = [
    pytest.mark.wire,
    pytest.mark.anyio,
    pytest.mark.skipif(find_model() is None, reason="the embedding model is not installed"),
]

NO_SHARED_WORD = Query("my daughter is seven can she sign up herself")
ANSWER = "Cards for children"


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with simulators_running(only=["openai"], scripts={"openai": Script(key=KEY)}) as found:
        yield found


@pytest.fixture
def settings(running: Running, tmp_path: Path) -> Settings:
    flags = {
        **running.settings,
        "knowledge.embedder": "openai",
        "knowledge.cache_dir": str(tmp_path),
        # The simulator embeds on this machine's processor, which other tests use as well.
        "knowledge.embedding_deadline_ms": 1_500,
    }
    return load_settings(None, flags, {"OPENAI_API_KEY": KEY}).settings


@asynccontextmanager
async def opened(
    settings: Settings, on_progress: OnProgress | None = None
) -> AsyncIterator[Opened[Retriever]]:
    known = await anyio.to_thread.run_sync(knowledge)
    async with lines_of(settings) as lines, open_retriever(settings, known, lines, on_progress) as found:
        yield found


def requests(running: Running) -> list[int]:
    """Return the connections that embeddings were asked for on."""
    found = running.simulators["openai"].requests
    return [each.connection for each in found if each.path.endswith("/embeddings")]


async def test_documents_are_embedded_once_and_questions_on_a_line_that_stands(
    running: Running, settings: Settings
):
    seen: list[Progress] = []
    async with opened(settings, seen.append) as first:
        assert first.name == "by meaning (text-embedding-3-small at localhost) and words"
        assert first.note == ""
        best = (await first.provider.retrieve(NO_SHARED_WORD))[0]
        assert (best.title, best.is_by_words) == (ANSWER, False)
        assert best.score > 0.25
        assert max(passage.score for passage in await first.provider.retrieve(Query("play me a song"))) < 0.25
        assert requests(running)[-1] in requests(running)[:-1]
    assert (seen[0].done, seen[-1].done) == (0, seen[-1].total)
    before = len(requests(running))
    async with opened(settings) as again:
        assert len(requests(running)) == before
        assert (await again.provider.retrieve(NO_SHARED_WORD))[0].title == ANSWER
        assert len(requests(running)) == before + 1


@pytest.mark.parametrize(
    "fault", ["mute;path=/embeddings", "quota;path=/embeddings", "503;times=9;path=/embeddings"]
)
async def test_question_is_answered_from_words_while_the_service_is_not_there(
    running: Running, settings: Settings, fault: str
):
    async with opened(settings) as found:
        running.simulators["openai"].faults.add(parse_fault(fault))
        with anyio.fail_after(4):
            best = (await found.provider.retrieve(Query("where can I park my car")))[0]
        assert (best.title, best.is_by_words) == ("Parking", True)


async def test_service_that_refuses_at_the_start_is_told_and_words_find(running: Running, settings: Settings):
    running.simulators["openai"].faults.add(parse_fault("401;times=0;path=/embeddings"))
    async with opened(settings) as found:
        assert "words alone" in found.note
        assert "OPENAI_API_KEY" in found.note
        assert KEY not in found.note
        assert (await found.provider.retrieve(Query("where can I park my car")))[0].is_by_words


async def test_service_without_a_key_is_an_error_that_says_which():
    settings = load_settings(None, {"knowledge.embedder": "openai"}, {}).settings
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        async with opened(settings):
            pass
