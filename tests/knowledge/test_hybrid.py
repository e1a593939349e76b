"""Passages found by an embedder elsewhere, which may be slow, down, or another one than yesterday."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import numpy.typing as npt
import pytest

from warmline.errors import ProviderError, ProviderRejected, ProviderUnavailable
from warmline.interfaces.retriever import Query
from warmline.knowledge.calibration import ANYTHING
from warmline.knowledge.chunks import Chunk
from warmline.knowledge.hybrid import HybridRetriever
from warmline.knowledge.index import Progress, Stage
from warmline.knowledge.lexical import words_of
from warmline.knowledge.ranking import Ranking
from warmline.knowledge.served import BATCH_TEXTS
from warmline.knowledge.vectors import VectorFile
from warmline.testing.virtual_time import LoopClock

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

PARKING = "You may leave your car behind the house for three hours."
SOUP = "The cafe sells tomato soup at noon."
DEADLINE_S = 0.5
DOWN = ProviderUnavailable("the embedder is down", provider="test", phase="connect")
SAME = {words_of(word)[0]: words_of(meaning)[0] for word, meaning in (("vehicle", "car"), ("broth", "soup"))}
"""What means the same to the embedder, and is another word."""


class Embedder:
    """Adds up a direction for each word; knows that some words mean the same."""

    def __init__(self, *, dimensions: int = 256) -> None:
        self.dimensions = dimensions
        self.delay_s = 0.0
        self.error: ProviderError | None = None
        self.fails_after_texts = 0
        self.answer: npt.NDArray[np.float32] | None = None
        self.asked: list[str] = []

    async def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.asked += texts
        asked = len(self.asked)
        await anyio.sleep(self.delay_s)
        if self.error is not None and asked > self.fails_after_texts:
            raise self.error
        if self.answer is not None:
            return self.answer
        return np.array([self._vector(text) for text in texts], np.float32)

    def _vector(self, text: str) -> Any:
        words = [SAME.get(word, word) for word in words_of(text)] or [""]
        seeds = [int.from_bytes(hashlib.sha256(word.encode()).digest()[:4]) for word in words]
        return np.sum([np.random.default_rng(seed).normal(size=self.dimensions) for seed in seeds], axis=0)


def chunks(*more: str) -> list[Chunk]:
    return [
        Chunk((PARKING,), "parking.md", ("Parking",)),
        Chunk((SOUP,), "cafe.md", ("Cafe", "Lunch")),
        *(Chunk((text,), "more.md", ("More",)) for text in more),
    ]


@pytest.fixture
def embedder() -> Embedder:
    return Embedder()


@pytest.fixture
def made(tmp_path: Path, embedder: Embedder):
    def make(*more: str) -> HybridRetriever:
        file = VectorFile(tmp_path / "cache", tmp_path, model="test", dimensions=None)
        ranking = Ranking(chunks(*more), top_k=2)
        return HybridRetriever(ranking, embedder, file, LoopClock(), deadline_s=DEADLINE_S)

    return make


async def test_passage_is_found_by_meaning_where_no_word_is_shared(made):
    retriever = made()
    seen: list[Progress] = []
    await retriever.embed_documents(seen.append)
    best = (await retriever.retrieve(Query("vehicle", alternatives=("vehicle ", ""))))[0]
    assert (best.text, best.source, best.is_by_words) == (PARKING, "parking.md", False)
    assert best.score > 0.25
    # Two texts, the two titles, and a heading below one of them.
    assert {step.total for step in seen} == {5 + len(ANYTHING)}
    assert (seen[0].stage, seen[0].done, seen[-1].done) == (Stage.EMBEDDING, 0, seen[-1].total)


async def test_nothing_is_asked_where_nothing_was(made, embedder: Embedder):
    retriever = made()
    await retriever.embed_documents()
    embedder.asked.clear()
    assert await retriever.retrieve(Query(" ", alternatives=("",))) == ()
    assert embedder.asked == []


async def test_text_is_embedded_once_for_all_starts(made, embedder: Embedder):
    await made().embed_documents()
    embedder.asked.clear()
    again = made()
    await again.embed_documents()
    assert again.has_embeddings
    assert embedder.asked == []
    await made("Dogs stay outside.").embed_documents()
    assert sorted(embedder.asked) == ["Dogs stay outside.", "More"]


async def test_question_that_is_not_embedded_in_time_finds_by_words(made, embedder: Embedder):
    retriever = made()
    await retriever.embed_documents()
    embedder.delay_s = 10.0
    began_s = anyio.current_time()
    best = (await retriever.retrieve(Query("can I have soup")))[0]
    assert anyio.current_time() - began_s == pytest.approx(DEADLINE_S, abs=0.01)
    assert (best.text, best.is_by_words) == (SOUP, True)


async def test_service_that_is_down_is_not_waited_for_by_every_turn(made, embedder: Embedder):
    """Two questions in a row find that out; one is sent again half a second later, and that ends it."""
    retriever = made()
    await retriever.embed_documents()
    embedder.asked.clear()
    embedder.error = DOWN
    found = [await retriever.retrieve(Query(text)) for text in ("soup one", "soup two", "soup three")]
    assert embedder.asked == ["soup one", "soup two"]
    assert all(passages[0].is_by_words for passages in found)
    embedder.error = None
    await anyio.sleep(0.6)
    assert (await retriever.retrieve(Query("broth")))[0].text == SOUP
    assert not (await retriever.retrieve(Query("broth")))[0].is_by_words


async def test_turn_that_is_interrupted_leaves_the_next_one_a_try(made, embedder: Embedder):
    """The question that was to find out whether the service is back is cancelled."""
    retriever = made()
    await retriever.embed_documents()
    embedder.error = DOWN
    for _ in range(2):
        await retriever.retrieve(Query("soup"))
    embedder.error, embedder.delay_s = None, 0.2
    await anyio.sleep(0.6)
    with anyio.move_on_after(0.1):
        await retriever.retrieve(Query("soup"))
    await anyio.sleep(1.1)
    assert not (await retriever.retrieve(Query("soup")))[0].is_by_words


@pytest.mark.parametrize(
    "answer",
    [
        np.full((1, 256), np.nan, np.float32),
        np.zeros((1, 256), np.float32),
        np.ones((2, 256), np.float32),
        np.ones(256, np.float32),
        np.ones((1, 8), np.float32),
    ],
    ids=["no numbers", "no direction", "too many", "no rows", "another model's"],
)
async def test_vectors_that_can_not_be_compared_are_none(made, embedder: Embedder, answer):
    retriever = made()
    await retriever.embed_documents()
    embedder.answer = answer
    assert (await retriever.retrieve(Query("soup")))[0].is_by_words


async def test_documents_are_embedded_when_the_service_comes(made, embedder: Embedder):
    """Words find until then; what had come before it went is not asked for again."""
    many = [f"Room {number} is on floor {number}." for number in range(5 * BATCH_TEXTS)]
    retriever = made(*many)
    embedder.delay_s = 1.0
    embedder.error, embedder.fails_after_texts = DOWN, 4 * BATCH_TEXTS
    with pytest.raises(ProviderUnavailable):
        await retriever.embed_documents()
    came = set(embedder.asked[: 4 * BATCH_TEXTS])
    assert len(embedder.asked) > len(came)
    assert (await retriever.retrieve(Query("soup")))[0].is_by_words
    embedder.asked.clear()
    embedder.error = None
    began_s = anyio.current_time()
    await retriever.embed_later()
    assert anyio.current_time() - began_s == pytest.approx(6.0, abs=0.1)
    assert retriever.has_embeddings
    assert not came & set(embedder.asked)
    embedder.delay_s = 0.0
    assert not (await retriever.retrieve(Query("soup")))[0].is_by_words


async def test_service_that_refuses_is_not_asked_again(made, embedder: Embedder):
    retriever = made()
    embedder.error = ProviderRejected("no such model", provider="test", phase="first_result")
    began_s = anyio.current_time()
    await retriever.embed_later()
    assert anyio.current_time() - began_s == pytest.approx(5.0, abs=0.1)
    assert not retriever.has_embeddings


async def test_model_that_changed_behind_its_name_embeds_everything_anew(made, embedder: Embedder):
    await made().embed_documents()
    embedder.dimensions = 64
    retriever = made("Dogs stay outside.")
    await retriever.embed_documents()
    assert (await retriever.retrieve(Query("broth")))[0].text == SOUP


async def test_text_that_no_service_takes_is_sent_as_it_can_be(made, embedder: Embedder):
    retriever = made()
    await retriever.embed_documents()
    embedder.asked.clear()
    await retriever.retrieve(Query("\ud800 soup " + "x" * 20_000))
    assert embedder.asked == [("? soup " + "x" * 20_000)[:8_000]]
