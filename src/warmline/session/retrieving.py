"""Looking things up while the user is still speaking, and never the same thing twice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import anyio

from warmline.errors import ProviderError
from warmline.interfaces.retriever import Passage, Query, Retriever
from warmline.session.reply import Reply
from warmline.session.stage import Stage
from warmline.timeline.marks import Mark
from warmline.timeline.notes import NoteKind
from warmline.turns.fit import normalised

__all__ = ["Retrieving"]

_KEPT: Final = 512
"""Questions of a session whose passages are kept: the words of a long turn are as many, one by one."""

_LEAST_WORDS: Final = 2
"""What is looked up ahead has so many; a single first word says too little."""

_Key = tuple[str, ...]


@dataclass
class _Search:
    """One question on its way."""

    key: _Key
    began_s: float
    ended_s: float = 0.0
    passages: Sequence[Passage] | None = None
    """None while it is under way, and if it failed."""

    problem: str = ""
    done: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


class Retrieving:
    """A session's questions to the index.

    One is under way at a time: other words supersede it. What was found, be it nothing, is kept by the
    normalised question.

    What changes here: `_search`, the newest; `_found`.
    """

    def __init__(self, stage: Stage, retriever: Retriever) -> None:
        self._stage = stage
        self._retriever = retriever
        self._search: _Search | None = None
        self._found: OrderedDict[_Key, Sequence[Passage]] = OrderedDict()

    def look_ahead(self, query: Query) -> None:
        """Begin to look up what is being said."""
        if len(query.text.split()) >= _LEAST_WORDS:
            self._begin(query)

    async def passages(self, query: Query, reply: Reply, deadline_s: float) -> Sequence[Passage]:
        """Return what is found in time; an answer without passages beats no answer.

        What comes too late is kept all the same.
        """
        found = self._found.get(_key(query))
        if found is not None:
            reply.note(NoteKind.RETRIEVAL_REUSED)
            reply.mark(Mark.RETRIEVAL_STARTED)
            reply.mark(Mark.RETRIEVAL_DONE)
            return found
        search = self._begin(query)
        assert search is not None
        began_s = max(search.began_s, reply.timeline.began_s)
        reply.timeline.record_once(Mark.RETRIEVAL_STARTED, began_s)
        with anyio.move_on_after(deadline_s):
            await search.done.wait()
        if search.passages is not None:
            reply.timeline.record_once(Mark.RETRIEVAL_DONE, max(search.ended_s, began_s))
            return search.passages
        if search.problem:
            reply.note(NoteKind.RETRIEVAL_FAILED, search.problem)
        else:
            reply.note(NoteKind.RETRIEVAL_LATE, f"not there within {deadline_s * 1000:.0f} ms")
        return ()

    def _begin(self, query: Query) -> _Search | None:
        """Return the search for a question; None if its passages are known."""
        key = _key(query)
        if key in self._found:
            self._found.move_to_end(key)
            return None
        if self._search is not None and self._search.key == key and not self._search.problem:
            return self._search
        if self._search is not None:
            self._search.scope.cancel()
        self._search = search = _Search(key, self._stage.clock.now_s())
        self._stage.start(self._run, search, query)
        return search

    async def _run(self, search: _Search, query: Query) -> None:
        try:
            with search.scope:
                search.passages = await self._retriever.retrieve(query)
                search.ended_s = self._stage.clock.now_s()
                self._found[search.key] = search.passages
                while len(self._found) > _KEPT:
                    self._found.popitem(last=False)
        except ProviderError as error:
            search.problem = str(error)
        if search.passages is None and not search.problem:
            search.problem = "another question took its place"
        search.done.set()


def _key(query: Query) -> _Key:
    return tuple(dict.fromkeys(map(normalised, (query.text, *query.alternatives))))
