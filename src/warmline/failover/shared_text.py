"""A reply's clauses, taken from where they come from once, and given to as many voices as it needs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import anyio

from warmline.core.clock import Clock

__all__ = ["SharedText"]


class SharedText:
    """The text so far. The first clause is taken at once, the others when a voice asks for them.

    What changes here: the clauses and the end, in `run`; what is asked for, in `clause`.
    """

    def __init__(self, clauses: AsyncIterator[str], clock: Clock, on_change: Callable[[], None]) -> None:
        """Prepare; nothing is taken until `run`.

        Args:
            clauses: Where they come from; closed by whoever made it.
            clock: The session's.
            on_change: Called after each clause, and at the end.
        """
        self.text = ""
        self.is_whole = False
        self.begun_at_s: float | None = None
        """When the first clause came."""

        self.problem: Exception | None = None
        """What stopped the text; it is to be raised when everything before it was spoken."""

        self.begun = anyio.Event()
        """Set with the first clause, or the end."""

        self._clauses = clauses
        self._clock = clock
        self._on_change = on_change
        self._ends: list[int] = []
        self._asked_for = 1
        self._asked = anyio.Event()
        self._came = anyio.Event()

    async def run(self) -> None:
        """Take what is asked for until the end; for a task of its own."""
        try:
            while True:
                while len(self._ends) >= self._asked_for:
                    self._asked = anyio.Event()
                    await self._asked.wait()
                clause = await anext(self._clauses, None)
                if clause is None:
                    break
                self.text += clause
                self._ends.append(len(self.text))
                if self.begun_at_s is None:
                    self.begun_at_s = self._clock.now_s()
                self._tell()
        # Whatever stopped the text is raised where the audio is taken.
        except Exception as problem:  # noqa: BLE001
            self.problem = problem
        self.is_whole = True
        self._tell()

    async def clause(self, place: int) -> str | None:
        """Return the clause that begins at a place, or its rest; None if there will be none."""
        while True:
            for end in self._ends:
                if end > place:
                    return self.text[place:end]
            if self.is_whole:
                return None
            self._asked_for = len(self._ends) + 1
            self._asked.set()
            await self._came.wait()

    def _tell(self) -> None:
        self.begun.set()
        self._came.set()
        self._came = anyio.Event()
        self._on_change()
