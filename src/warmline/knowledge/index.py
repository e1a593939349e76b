"""The index over a folder of documents: what a question is looked up in.

Meaning decides (embeddings), words help a little (BM25); without the embedding model, words alone.
What a score means is in `ranking`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
import numpy as np

from warmline.errors import ConfigError
from warmline.interfaces.retriever import Passage, Query
from warmline.knowledge.asked import AskedBefore
from warmline.knowledge.calibration import MINILM
from warmline.knowledge.chunks import Chunk, chunk_document
from warmline.knowledge.documents import DEFAULT_MAX_FILE_BYTES, Reading, Skipped, read_folder
from warmline.knowledge.embedding import embed_chunks
from warmline.knowledge.minilm import Floats, MiniLm
from warmline.knowledge.ranking import LEXICAL_WEIGHT, Ranking, readings_of
from warmline.knowledge.vectors import VectorFile

__all__ = ["DEFAULT_TOP_K", "Index", "OnProgress", "Progress", "Stage", "build_index"]

DEFAULT_TOP_K: Final = 4

SEARCH_THREADS: Final = 2
"""A search fills one core; more at once would only make each slower."""


class Stage(enum.Enum):
    """What building an index is busy with."""

    READING = "reading"
    """Files."""

    EMBEDDING = "embedding"
    """Passages."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is."""

    stage: Stage
    done: int
    total: int
    name: str = ""
    """The file that is read now."""


OnProgress = Callable[[Progress], None]
"""Called on the thread that builds, or on the event loop where that is what builds."""


class Index:
    """Passages and how to find them; immutable, so that sessions and threads may share it."""

    def __init__(
        self,
        reading: Reading,
        chunks: Sequence[Chunk],
        *,
        model: MiniLm | None,
        vectors: Floats | None,
        notes: Sequence[str] = (),
        top_k: int = DEFAULT_TOP_K,
        lexical_weight: float = LEXICAL_WEIGHT,
    ) -> None:
        """Make an index of at least one chunk; `build_index` is the usual way.

        Args:
            reading: What the chunks were cut from.
            chunks: In the documents' order.
            model: For questions; None to search by words alone.
            vectors: The chunks' embeddings by the same model, or None.
            notes: What people should know about how the index was built.
            top_k: How many passages a search returns at most.
            lexical_weight: What shared words count beside meaning.
        """
        self.ranking = Ranking(chunks, top_k=top_k, lexical_weight=lexical_weight)
        """The passages, for those who compare meanings elsewhere."""

        self._reading = reading
        self._model = model
        self._vectors = vectors
        self._asked = AskedBefore()
        self._threads = anyio.CapacityLimiter(SEARCH_THREADS)
        self.notes = tuple(notes)

    @property
    def document_count(self) -> int:
        """How many files were read."""
        return len(self._reading.documents)

    @property
    def passage_count(self) -> int:
        """How many passages can be found."""
        return len(self.ranking.chunks)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The files that were not read, and why."""
        return self._reading.skipped

    @property
    def has_embeddings(self) -> bool:
        """Whether questions are compared by meaning, and not by words alone."""
        return self._vectors is not None

    @property
    def topics(self) -> tuple[str, ...]:
        """What one can ask about: the documents' titles, without repetition."""
        return tuple(dict.fromkeys(document.title for document in self._reading.documents))

    def sentences(self) -> tuple[str, ...]:
        """Return every heading and sentence once, in order: what a recogniser should expect to hear."""
        return tuple(
            dict.fromkeys(
                text for chunk in self.ranking.chunks for text in (*chunk.headings, *chunk.sentences)
            )
        )

    def search(self, query: Query) -> tuple[Passage, ...]:
        """Return the passages that fit best, best first; blocks for some milliseconds.

        A question without words finds nothing.
        """
        readings = readings_of(query)
        if not readings:
            return ()
        if self._model is None or self._vectors is None:
            return self.ranking.by_words(readings)
        questions = np.stack([*self._embedded(self._model, readings)])
        return self.ranking.by_meaning(readings, questions, self._vectors, MINILM)

    def _embedded(self, model: MiniLm, readings: Sequence[str]) -> Iterator[Floats]:
        known = self._asked.recall(readings)
        if missing := [text for text in readings if text not in known]:
            new = dict(zip(missing, model.encode_all(missing), strict=True))
            self._asked.keep(new)
            known.update(new)
        return (known[text] for text in readings)

    async def retrieve(self, query: Query) -> Sequence[Passage]:
        """Search on a thread. Cancelling returns at once; the thread finishes by itself."""
        return await anyio.to_thread.run_sync(
            self.search, query, limiter=self._threads, abandon_on_cancel=True
        )


def build_index(
    folder: Path,
    *,
    on_progress: OnProgress | None = None,
    cache_dir: Path | None = None,
    embeddings: bool = True,
    top_k: int = DEFAULT_TOP_K,
    lexical_weight: float = LEXICAL_WEIGHT,
    max_file_bytes: int = DEFAULT_MAX_FILE_BYTES,
) -> Index:
    """Read a folder of documents and index it; blocks, for seconds if much of it is new.

    Without the embedding model the index searches by words alone and says so in its notes.

    Args:
        folder: The folder, or a single document.
        on_progress: Told what is being done, on this thread.
        cache_dir: Where embeddings are kept; None for the user's cache folder.
        embeddings: False to search by words alone even if the model is installed.
        top_k: How many passages a search returns at most.
        lexical_weight: What shared words count beside meaning; without embeddings they are all.
        max_file_bytes: Larger files are skipped.

    Raises:
        InputError: there is no such folder, or no document in it could be read.
    """

    def report(stage: Stage, done: int, total: int, name: str = "") -> None:
        if on_progress is not None:
            on_progress(Progress(stage, done, total, name))

    reading = read_folder(
        folder,
        max_file_bytes=max_file_bytes,
        on_file=lambda done, total, name: report(Stage.READING, done, total, name),
    )
    # The same text under the same heading in two files, such as a page and its PDF, is one passage.
    distinct: dict[tuple[str, str], Chunk] = {}
    for document in reading.documents:
        for chunk in chunk_document(document):
            distinct.setdefault((chunk.title, chunk.text), chunk)
    chunks = list(distinct.values())
    if not embeddings:
        return Index(reading, chunks, model=None, vectors=None, top_k=top_k)
    notes: list[str] = []
    try:
        model = MiniLm.load()
    except ConfigError as error:
        notes.append(f"searching by words alone, which misses questions in other words: {error}")
        return Index(reading, chunks, model=None, vectors=None, notes=notes, top_k=top_k)
    file = VectorFile(cache_dir, folder)
    kept = file.read()
    vectors, used = embed_chunks(
        chunks, model, kept, lambda done, total: report(Stage.EMBEDDING, done, total)
    )
    if used.keys() != kept.keys():
        try:
            file.write(used)
        except OSError as error:
            notes.append(
                f"keeping embeddings: {file.path} cannot be written ({error.strerror}), "
                "so they will be made again next time; choose another cache folder"
            )
    return Index(
        reading, chunks, model=model, vectors=vectors, notes=notes, top_k=top_k, lexical_weight=lexical_weight
    )
