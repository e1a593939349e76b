"""One step of a job after another: tried again where that helps, and waited for where it must be."""

from __future__ import annotations

import logging
import random
import traceback
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, ParamSpec

from anyio.from_thread import BlockingPortal

from warmline.channels.whatsapp.failure_kinds import GraphFailureKind
from warmline.channels.whatsapp.failures import GraphFailure
from warmline.channels.whatsapp.retrying import Confirm, Pause, Wait, next_step
from warmline.errors import InputError, ProviderError
from warmline.server.whatsapp.engine import JobEngine, Stopping
from warmline.server.whatsapp.policy import PAUSE
from warmline.store.messages import Forgotten, Messages

__all__ = ["INPUT", "LOOK_S", "Confirming", "Mistake", "Tries", "Undone"]

_log = logging.getLogger(__name__)

LOOK_S: Final = 0.25
"""How often a job that waits for something else looks whether it has come."""

_AGAIN_S: Final = (1.0, 4.0, 15.0)
"""When a provider that did not answer is asked again; failover has tried each leg by then."""

INPUT: Final = "input"
"""The kind of failure that whoever sent the message can mend."""

_DONE: Final = "done"
_PROVIDER: Final = "provider"
_REFUSED: Final = "provider_refused"

_P = ParamSpec("_P")
_Outcome = tuple[str, Any, float]
"""What a step came to: a kind of failure or `done`, the reason or the result, and a number from 0 to 1."""

Confirming = Callable[[float], object]
"""Waits for so long to be told of a message that may have been sent."""


@dataclass
class Undone(Exception):
    """A step that can't be done; `kind` is a failure's, such as `INPUT`."""

    kind: str
    reason: str


class Mistake(Exception):
    """A bug of ours: what it was and where, without its text, which may quote what people said."""

    @classmethod
    def of(cls, bug: Exception) -> Mistake:
        """Return what may be kept and logged of a bug."""
        if isinstance(bug, cls):
            return bug
        place = traceback.extract_tb(bug.__traceback__)[-1]
        return cls(f"{type(bug).__name__} in {place.name}, {Path(place.filename).name}:{place.lineno}")


class Tries:
    """Does steps for jobs, on the engine's threads; keeps nothing between them."""

    def __init__(
        self, engine: JobEngine, portal: BlockingPortal, messages: Messages, now_s: Callable[[], float]
    ) -> None:
        """Prepare; arguments as `MessageWork`'s."""
        self._engine = engine
        self._portal = portal
        self._messages = messages
        self._now_s = now_s

    def step(self, name: str, act: Callable[[], Any], confirming: Confirming | None = None) -> Any:
        """Do a step, again where that may help; return what it returned, which is kept.

        Args:
            name: The step's.
            act: Does it; takes note itself of what people said, which is not to be returned.
            confirming: For a message, which must not arrive twice.

        Raises:
            Undone: it can't be done.
        """
        tries = 0
        while True:
            outcome = self._attempt(name, tries, act)
            if outcome[0] == _DONE:
                return outcome[1]
            tries = self._after(outcome, tries, name, confirming)

    def on_loop(self, act: Callable[_P, Any], *args: _P.args, **kwargs: _P.kwargs) -> Any:
        """Do something on the event loop.

        Raises:
            Stopping: the process ends.
        """
        self._engine.check()
        try:
            with self._engine.waiting():
                return self._portal.call(lambda: act(*args, **kwargs))
        except CancelledError:
            raise Stopping from None
        except RuntimeError:
            self._engine.check()
            raise

    def beside(self, act: Callable[_P, Any], *args: _P.args, **kwargs: _P.kwargs) -> None:
        """Begin something on the event loop that nothing depends on, and that raises nothing.

        Raises:
            Stopping: the process ends.
        """
        self._engine.check()
        try:
            self._portal.start_task_soon(lambda: act(*args, **kwargs))
        except RuntimeError:
            self._engine.check()
            raise

    def _attempt(self, name: str, tries: int, act: Callable[[], object]) -> _Outcome:
        named = f"{name}, again {tries}" if tries else name
        return self._engine.step(named, lambda: _outcome(act))

    def _after(self, outcome: _Outcome, tries: int, name: str, confirming: Confirming | None) -> int:
        """Wait for what has to be waited for after a failure; return how many tries count by now.

        Raises:
            Undone: no other try will help.
        """
        kind, reason, chance = outcome
        if kind == _PROVIDER and tries < len(_AGAIN_S):
            self._engine.wait(f"wait for {name} {tries}", _AGAIN_S[tries], self._now_s)
            return tries + 1
        if kind in (_PROVIDER, INPUT, _REFUSED):
            raise Undone(kind, reason)
        is_sending = confirming is not None
        match next_step(GraphFailureKind(kind), tries + 1, sending=is_sending, chance=chance):
            case Wait(seconds=seconds):
                self._engine.wait(f"wait for {name} {tries}", seconds, self._now_s)
            case Pause():
                self._engine.step("pause", lambda: self._stand_still(kind, reason))
                self._engine.step("resume", self._until_resumed)
                return tries
            case Confirm(within_s=within_s) if confirming is not None:
                self._engine.step(f"confirm {name} {tries}", lambda: confirming(within_s))
            case _:
                raise Undone(kind, reason)
        return tries + 1

    def _stand_still(self, kind: str, reason: str) -> None:
        if self._messages.pause(PAUSE, reason, self._now_s()):
            _log.error("whatsapp.stands_still", extra={"kind": kind})

    def _until_resumed(self) -> None:
        while self._messages.pause_reason(PAUSE) is not None:
            self._engine.pause(4 * LOOK_S)


def _outcome(act: Callable[[], object]) -> _Outcome:
    """Return what a step comes to, as it is kept."""
    chance = random.random()
    try:
        return _DONE, act(), chance
    except GraphFailure as failure:
        return failure.kind.value, str(failure), chance
    except InputError as problem:
        return INPUT, str(problem), chance
    except ProviderError as problem:
        return (_PROVIDER if problem.retryable else _REFUSED), str(problem), chance
    except Forgotten:
        raise
    except Exception as bug:  # noqa: BLE001 - it goes on, without its text
        raise Mistake.of(bug) from None
