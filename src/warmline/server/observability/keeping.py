"""Turns on their way to the store: taken on the event loop, written behind it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, Protocol

import anyio
import anyio.to_thread
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from warmline.errors import WarmlineError
from warmline.server.observability.observer import KeptTurn
from warmline.store.turn_keeping import ArrivedTurn
from warmline.store.turn_views import TurnTexts

__all__ = ["Keeping", "Storage", "in_thread", "problem_words"]

_log = logging.getLogger(__name__)

_EVERY_S: Final = 0.5
"""Between two transactions. What comes within is written together, and is what a crash loses."""

_LONGEST_S: Final = 10.0
"""Between two tries where writing fails."""

_AT_ONCE: Final = 200
"""Turns in a transaction: about 50 ms of a thread's work."""

_MOST: Final = 5_000
"""Turns that wait; some 25 MB of them, and at one a second more than an hour's."""

_WORDS_ELSEWHERE: Final = "whatsapp"
"""The channel whose words the store has in another place, where people can have them forgotten."""

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]


class Storage(Protocol):
    """Where turns are written to; blocks, for worker threads alone."""

    def keep(self, arrived: Sequence[ArrivedTurn]) -> None:
        """Keep turns, all or none; the same ones again change nothing."""
        ...

    def reopen(self) -> None:
        """Open anew what has failed."""
        ...

    @property
    def is_there(self) -> bool:
        """Whether what was opened is still there."""
        ...


async def in_thread(work: Callable[[], Any]) -> Any:
    """Have a worker thread do something; if that is cancelled the thread is left to itself."""
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)


def problem_words(error: Exception) -> str:
    """Return what went wrong with a database, in one line without what it was about."""
    return str(getattr(error, "orig", None) or error or type(error).__name__).strip().partition("\n")[0]


class Keeping:
    """Turns that wait to be written.

    What changes here: `_waiting`, in `take` and around a transaction; the counts and the problem, after it.
    """

    def __init__(
        self,
        storage: Storage,
        now_s: Callable[[], float],
        *,
        keeps_texts: bool,
        in_thread: InThread = in_thread,
    ) -> None:
        """Prepare.

        Args:
            storage: Where they are written to.
            now_s: The wall clock, in seconds since 1970.
            keeps_texts: Whether what was said is kept as well.
            in_thread: Does what blocks.
        """
        self._storage = storage
        self._now_s = now_s
        self._keeps_texts = keeps_texts
        self._in_thread = in_thread
        self._waiting: deque[ArrivedTurn] = deque()
        self._writing = 0
        self._came = anyio.Event()
        self._kept = 0
        self._lost = 0
        self._problem = ""

    def take(self, kept: KeptTurn) -> None:
        """Take a turn; a `TurnSink`. If too many wait, the oldest is lost."""
        has_texts = self._keeps_texts and kept.turn.facts.get("channel") != _WORDS_ELSEWHERE
        texts = TurnTexts(kept.user_text, kept.reply_text, kept.heard_text) if has_texts else None
        self._waiting.append(ArrivedTurn(kept.turn, self._now_s(), texts, kept.is_correction))
        self._drop_oldest()
        self._came.set()

    def figures(self) -> dict[str, Any]:
        """Return how many turns were kept, wait and are lost, and what is wrong with the store."""
        return {
            "kept": self._kept,
            "waiting": len(self._waiting) + self._writing,
            "lost": self._lost,
            "problem": self._problem,
        }

    async def run(self) -> None:
        """Write what comes, until cancelled."""
        pause_s = _EVERY_S
        while True:
            await self._came.wait()
            is_done = await self._write_some()
            pause_s = _EVERY_S if is_done else min(2 * pause_s, _LONGEST_S)
            await anyio.sleep(pause_s)

    async def flush(self) -> None:
        """Write all that waits, as far as that succeeds; `run` has ended."""
        while self._waiting and await self._write_some():
            pass

    async def _write_some(self) -> bool:
        """Write the oldest of those that wait; return whether that succeeded. They wait on if it did not."""
        some = [self._waiting.popleft() for _ in range(min(len(self._waiting), _AT_ONCE))]
        self._writing = len(some)
        is_done = False
        try:
            refused = await self._in_thread(partial(self._write, some))
            is_done = True
        except Exception as error:  # noqa: BLE001 - told of; the calls go on, whatever is wrong here
            self._failed(error)
        finally:
            self._writing = 0
            if not is_done:
                self._waiting.extendleft(reversed(some))
                self._drop_oldest()
        if is_done:
            self._succeeded(len(some) - refused, refused)
        if not self._waiting:
            self._came = anyio.Event()
        return is_done

    def _write(self, some: Sequence[ArrivedTurn]) -> int:
        """Write turns; return how many the store can't hold. Blocks."""
        if self._problem or not self._storage.is_there:
            self._storage.reopen()
        try:
            self._storage.keep(some)
        except Exception as error:
            if not _is_of_a_turn(error):
                raise
        else:
            return 0
        refused = 0
        for each in some:
            try:
                self._storage.keep([each])
            except Exception as error:
                if not _is_of_a_turn(error):
                    raise
                refused += 1
        return refused

    def _failed(self, error: Exception) -> None:
        words = problem_words(error)
        if not self._problem:
            _log.warning("history.failing", extra={"problem": words})
        self._problem = words

    def _succeeded(self, kept: int, refused: int) -> None:
        self._kept += kept
        self._lost += refused
        if refused:
            _log.warning("history.turns_refused", extra={"turns": refused})
        if self._problem:
            self._problem = ""
            _log.info("history.works_again", extra={"waiting": len(self._waiting), "lost": self._lost})

    def _drop_oldest(self) -> None:
        while len(self._waiting) + self._writing > _MOST and self._waiting:
            self._waiting.popleft()
            self._lost += 1


def _is_of_a_turn(error: Exception) -> bool:
    """Whether what is written may be at fault, and not where it is written to."""
    if isinstance(error, DataError | IntegrityError):
        return True
    return not isinstance(error, SQLAlchemyError | OSError | WarmlineError)
