"""How often the right passage of the sample documents is found, how fast, and what is refused.

    python bench/passages.py [--json] [--quick]

The questions are in tests/knowledge/questions.toml. They, the documents and the search were written
by the same hand, and the search was tuned on them: the figures compare ways of searching, and
promise nothing for other documents.

"calibrated" searches this machine's vectors on the scale that a service's model is given, which is found
by questions about anything. No service is asked: what its own vectors let through is not known from here.
"""

from __future__ import annotations

import os

# Before numpy is imported: with threads, a slow query is as slow as its slowest thread.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import platform
import tempfile
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from warmline.interfaces.llm import Message, Role
from warmline.interfaces.retriever import Passage, Query
from warmline.knowledge.calibration import ANYTHING
from warmline.knowledge.embedding import texts_of
from warmline.knowledge.hybrid import Space
from warmline.knowledge.index import Index, build_index
from warmline.knowledge.minilm import MiniLm
from warmline.knowledge.ranking import readings_of
from warmline.knowledge.sample_library import SAMPLE_FOLDER
from warmline.knowledge.vectors import text_digest
from warmline.providers.offline.quoting import ASKED_BACK, REFUSE_BELOW, QuotingAnswerer

QUESTIONS = Path(__file__).parents[1] / "tests" / "knowledge" / "questions.toml"
REPEATS, QUICK_REPEATS = 10, 2
HONESTY = (
    "The documents, the questions and the search were written by the same hand, and the search was tuned on "
    "these questions: they compare ways of searching and promise nothing for other documents."
)


class Searched(Protocol):
    """What can be asked."""

    def search(self, query: Query) -> tuple[Passage, ...]:
        """Return the passages that fit best, best first."""
        ...


class Calibrated:
    """This machine's vectors, scored as those of a model that nobody has looked at."""

    def __init__(self, index: Index) -> None:
        self._ranking = index.ranking
        self._model = MiniLm.load()
        texts = [*texts_of(index.ranking.chunks), *ANYTHING]
        vectors = self._model.encode_all(texts)
        found = {text_digest(text): vector for text, vector in zip(texts, vectors, strict=True)}
        self.space = Space.of(index.ranking, found)

    def search(self, query: Query) -> tuple[Passage, ...]:
        """Return the passages that fit best, best first."""
        readings = readings_of(query)
        questions = self._model.encode_all(readings)
        return self._ranking.by_meaning(readings, questions, self.space.vectors, self.space.scale)


@dataclass(frozen=True, slots=True)
class OnTopic:
    """One way of searching, on one set of questions that the documents answer."""

    method: str
    questions: str
    count: int
    hit_at_1: int
    hit_at_3: int
    refused: int
    asked_back: int
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class OffTopic:
    """One way of searching, on questions that the documents do not answer."""

    method: str
    count: int
    refused: int
    highest_score: float


@dataclass(frozen=True, slots=True)
class Results:
    """All that was measured."""

    machine: str
    documents: int
    passages: int
    building_s: float
    notes: list[str]
    on_topic: list[OnTopic]
    off_topic: list[OffTopic]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--quick", action="store_true", help="ask each question twice instead of ten times")
    arguments = parser.parse_args()
    sets = tomllib.loads(QUESTIONS.read_text(encoding="utf-8"))
    repeats = QUICK_REPEATS if arguments.quick else REPEATS

    started_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as cache_dir:
        index = build_index(SAMPLE_FOLDER, cache_dir=Path(cache_dir))
        building_s = time.perf_counter() - started_s
        indexes: dict[str, Searched] = {"BM25": build_index(SAMPLE_FOLDER, embeddings=False)}
        if index.has_embeddings:
            meaning = build_index(SAMPLE_FOLDER, cache_dir=Path(cache_dir), lexical_weight=0.0)
            indexes = {
                "MiniLM+BM25": index,
                "calibrated": Calibrated(index),
                "MiniLM": meaning,
                **indexes,
            }

    results = Results(
        machine=f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        documents=index.document_count,
        passages=index.passage_count,
        building_s=round(building_s, 2),
        notes=list(index.notes),
        on_topic=[
            on_topic(method, name, questions, searched, repeats)
            for method, searched in indexes.items()
            for name, questions in question_sets(sets).items()
        ],
        off_topic=[
            off_topic(method, sets["off_topic"]["questions"], searched)
            for method, searched in indexes.items()
        ],
    )
    if arguments.json:
        print(json.dumps({"honesty": HONESTY, **asdict(results)}, indent=2))
    else:
        show(results)


def question_sets(sets: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return each set of questions with the heading of the passage that answers each."""
    return {
        "natural": {entry["natural"]: heading for heading, entry in sets["questions"].items()},
        "few words": dict(sets["short"]),
        "paraphrase": {entry["far"]: heading for heading, entry in sets["questions"].items()},
    }


def on_topic(method: str, name: str, questions: Mapping[str, str], index: Searched, repeats: int) -> OnTopic:
    """Ask questions whose answers are known."""
    found = {question: index.search(Query(question)) for question in questions}
    ranks = [
        next((rank for rank, passage in enumerate(found[question], 1) if passage.title == heading), 99)
        for question, heading in questions.items()
    ]
    times_ms = [time_ms(index, question) for _ in range(repeats) for question in questions]
    return OnTopic(
        method=method,
        questions=name,
        count=len(questions),
        hit_at_1=sum(rank == 1 for rank in ranks),
        hit_at_3=sum(rank <= 3 for rank in ranks),
        refused=sum(is_refused(passages) for passages in found.values()),
        asked_back=sum(is_asked_back(question, passages) for question, passages in found.items()),
        p50_ms=round(float(np.percentile(times_ms, 50)), 2),
        p95_ms=round(float(np.percentile(times_ms, 95)), 2),
    )


def off_topic(method: str, questions: Sequence[str], index: Searched) -> OffTopic:
    """Ask questions that the documents do not answer."""
    found = [index.search(Query(question)) for question in questions]
    return OffTopic(
        method=method,
        count=len(questions),
        refused=sum(map(is_refused, found)),
        highest_score=round(max(passages[0].score if passages else 0.0 for passages in found), 2),
    )


def time_ms(index: Searched, question: str) -> float:
    """Return how long one search takes, on this thread."""
    started_s = time.perf_counter()
    index.search(Query(question))
    return (time.perf_counter() - started_s) * 1000


def is_refused(passages: Sequence[Passage]) -> bool:
    """Return whether the answerer would say that it has nothing about it."""
    return not passages or passages[0].score < REFUSE_BELOW


def is_asked_back(question: str, passages: Sequence[Passage]) -> bool:
    """Return whether the answerer would ask which of two passages is meant."""
    message = Message(Role.USER, question, passages=tuple(passages))
    return QuotingAnswerer().reply([message])[0].startswith(ASKED_BACK)


def show(results: Results) -> None:
    """Print tables for people."""
    console = Console()
    console.print(
        f"{results.documents} documents, {results.passages} passages, indexed in {results.building_s} s; "
        f"{results.machine}"
    )
    for note in results.notes:
        console.print(f"Note: {note}")
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False)
    for column in ("method", "questions"):
        table.add_column(column, no_wrap=True)
    for column in ("of", "hit@1", "hit@3", "refused", "asked", "p50 ms", "p95 ms"):
        table.add_column(column, justify="right")
    for row in results.on_topic:
        table.add_row(*map(str, astuple(row)), end_section=row.questions == "paraphrase")
    console.print(table)
    table = Table("method", box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False)
    for column in ("off-topic questions", f"refused under {REFUSE_BELOW}", "highest score"):
        table.add_column(column, justify="right")
    for other in results.off_topic:
        table.add_row(*map(str, astuple(other)))
    console.print(table)
    console.print(HONESTY)


if __name__ == "__main__":
    main()
