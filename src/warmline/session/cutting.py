"""A model's text into clauses that can be said, as it comes and as time passes."""

from __future__ import annotations

import anyio
from anyio.streams.memory import MemoryObjectSendStream

from warmline.core.clock import Clock
from warmline.session.reply import Reply
from warmline.timeline.marks import Mark
from warmline.turns.clauses import ClauseSplitter
from warmline.turns.speakable import SpeakableText

__all__ = ["Cutting"]


class Cutting:
    """Cuts one reply's text, and sends the clauses on in order.

    What changes here: the splitter, in `push`, `watch` and `finish`; each cuts without awaiting.
    """

    def __init__(
        self, reply: Reply, clauses: MemoryObjectSendStream[str], clock: Clock, language: str | None
    ) -> None:
        """Prepare.

        Args:
            reply: Whose text it is.
            clauses: Where they go; waits while enough of them are ahead.
            clock: The session's.
            language: The text's, as ISO 639-1; None to tell it from the script.
        """
        self._reply = reply
        self._clauses = clauses
        self._clock = clock
        self._speakable = SpeakableText()
        self._splitter = ClauseSplitter(language)
        self._is_finished = False
        self._watched = anyio.Event()

    async def push(self, text: str) -> None:
        """Take more text."""
        was_due = self._splitter.due_at_s is not None
        clauses = self._splitter.push(self._speakable.push(text), self._clock.now_s())
        if not was_due and self._splitter.due_at_s is not None:
            self._watched.set()
        await self._send(clauses)

    async def watch(self) -> None:
        """Send what has stood long enough without more text coming; return when `finish` is called."""
        while not self._is_finished:
            due_at_s = self._splitter.due_at_s
            wait_s = None if due_at_s is None else max(due_at_s - self._clock.now_s(), 0.0)
            self._watched = anyio.Event()
            with anyio.move_on_after(wait_s):
                await self._watched.wait()
            if not self._is_finished:
                await self._send(self._splitter.pending(self._clock.now_s()))

    def finish(self) -> list[str]:
        """Return what is left: the text is over."""
        self._is_finished = True
        self._watched.set()
        clauses = self._splitter.push(self._speakable.flush(), self._clock.now_s())
        return [*clauses, *self._splitter.flush()]

    async def _send(self, clauses: list[str]) -> None:
        for clause in clauses:
            self._reply.mark(Mark.FIRST_CLAUSE)
            await self._clauses.send(clause)
