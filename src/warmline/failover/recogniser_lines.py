"""Lines to recognisers: opened on whichever leg gives one first, and given back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import anyio

from warmline.core.clock import Clock
from warmline.core.formats import PCM_16K, AudioFormat
from warmline.core.line_use import LineUse
from warmline.core.setback import ProviderRole
from warmline.errors import ProviderError, ProviderRejected
from warmline.failover.health import LegEvent
from warmline.failover.legs import FailoverState, Leg
from warmline.interfaces.stt import SpeechToText, SttStream, Transcript, TurnHint

__all__ = ["RecogniserLine", "RecogniserLines"]

_CLOSE_S: Final = 2.0
"""How long giving a line back may take."""


@dataclass(eq=False, slots=True)
class RecogniserLine:
    """One recogniser's stream."""

    leg: str
    stream: SttStream | None = None
    """None before it is open."""

    problem: ProviderError | None = None
    """Why it could not be had, or was lost."""

    is_over: bool = False
    """It is to be given back, and is not listened to any more."""

    has_understood: bool = False
    opened_at_s: float = 0.0
    use: LineUse | None = None
    used_from_s: float = 0.0


class RecogniserLines:
    """What one session opens and closes.

    What changes here: `_held`, when a line is open and when it is being given back; `_audio_format`, in
    `change_format`.
    """

    def __init__(
        self,
        legs: Sequence[Leg[SpeechToText]],
        state: FailoverState,
        clock: Clock,
        on_heard: Callable[[RecogniserLine, Transcript], None],
        on_lost: Callable[[RecogniserLine, ProviderError], None],
        on_hint: Callable[[RecogniserLine, TurnHint], None] | None = None,
        audio_format: AudioFormat = PCM_16K,
    ) -> None:
        """Prepare; nothing is opened.

        Args:
            legs: In the operator's order; at least one.
            state: The process's.
            clock: The session's.
            on_heard: Called with what a line that is not over has understood.
            on_lost: Called when one that is not over was lost; it is over then.
            on_hint: Called with what one that is not over thinks of the turn.
            audio_format: What every line is given.
        """
        self._legs = {leg.name: leg for leg in legs}
        self._state = state
        self._clock = clock
        self._on_heard = on_heard
        self._on_lost = on_lost
        self._on_hint = on_hint
        self._audio_format = audio_format
        self._held: list[RecogniserLine] = []

    @property
    def preferred(self) -> str:
        """The operator's first choice."""
        return next(iter(self._legs))

    def change_format(self, audio_format: AudioFormat) -> None:
        """Give lines another format; those of the old one are over, as are those that are being opened."""
        self._audio_format = audio_format
        for line in self._held:
            line.is_over = True

    async def open(self) -> tuple[RecogniserLine | None, list[RecogniserLine]]:
        """Open a line on the first leg that works, and beside it on the next if that takes long or fails.

        Returns:
            The first that was open, or None; and those that could not be had.
        """
        now_s = self._clock.now_s()
        order = self._state.health.choice(ProviderRole.STT, list(self._legs), now_s).order
        tried: list[RecogniserLine] = []
        first: RecogniserLine | None = None
        changed = anyio.Event()

        async def open_one(leg: str) -> None:
            nonlocal first
            line = RecogniserLine(leg)
            await self._open(line)
            tried.append(line)
            if line.problem is None and first is None:
                first = line
            elif line.stream is not None:
                line.is_over = True
            changed.set()

        async with anyio.create_task_group() as tasks:
            for begun, leg in enumerate(order, 1):
                tasks.start_soon(open_one, leg)
                with anyio.move_on_after(self._state.settings.again_s if begun < len(order) else None):
                    while first is None and len(tried) < begun:
                        await changed.wait()
                        changed = anyio.Event()
                if first is not None:
                    tasks.cancel_scope.cancel()
                    break
        return first, [line for line in tried if line.problem is not None]

    def better(self, leg: str) -> tuple[str, bool]:
        """Return a leg that should be used instead of this one, and whether that is a trial; or nothing.

        That a line can be opened is what is found out by a trial: no user's words depend on it.
        """
        choice = self._state.health.choice(ProviderRole.STT, list(self._legs), self._clock.now_s())
        if choice.trial:
            return choice.trial, True
        first = choice.order[0]
        return (
            (first, False)
            if first != leg and self._state.health.is_up(ProviderRole.STT, first)
            else ("", False)
        )

    async def open_better(self, leg: str, *, is_trial: bool) -> RecogniserLine | None:
        """Open a line on one leg; None if there is none to be had."""
        line = RecogniserLine(leg)
        event = LegEvent.PROBE_ABANDONED
        try:
            if is_trial:
                self._note(leg, LegEvent.PROBE_BEGAN)
            await self._open(line)
            event = LegEvent.PROBE_FAILED if line.problem is not None else LegEvent.PROBE_SUCCEEDED
        finally:
            if is_trial:
                self._note(leg, event)
        return line if line.problem is None and not line.is_over else None

    def over(self) -> list[RecogniserLine]:
        """Return the lines that are to be closed, each once."""
        found = [line for line in self._held if line.is_over]
        self._held = [line for line in self._held if not line.is_over]
        return found

    async def close(self, line: RecogniserLine) -> None:
        """Give a line back."""
        line.is_over = True
        if line.stream is not None:
            with anyio.move_on_after(_CLOSE_S, shield=True):
                await line.stream.aclose()

    async def close_all(self) -> None:
        """Give every line back that is held."""
        while self._held:
            await self.close(self._held.pop())

    async def _open(self, line: RecogniserLine) -> None:
        while line.stream is None:
            audio_format = self._audio_format
            opening = self._legs[line.leg].provider.open(
                partial(self._heard, line),
                partial(self._lost, line),
                partial(self._used, line),
                audio_format,
                on_hint=partial(self._hinted, line) if self._on_hint is not None else None,
            )
            try:
                stream = await opening
            except ProviderError as problem:
                line.problem = problem
                self._failed(line.leg, problem)
                return
            if audio_format == self._audio_format:
                line.stream = stream
            else:
                with anyio.move_on_after(_CLOSE_S, shield=True):
                    await stream.aclose()
        line.opened_at_s = self._clock.now_s()
        self._held.append(line)

    def _heard(self, line: RecogniserLine, transcript: Transcript) -> None:
        if not line.is_over:
            line.has_understood = True
            self._on_heard(line, transcript)

    def _hinted(self, line: RecogniserLine, hint: TurnHint) -> None:
        if not line.is_over and self._on_hint is not None:
            self._on_hint(line, hint)

    def _lost(self, line: RecogniserLine, problem: ProviderError) -> None:
        if line.is_over or line.problem is not None:
            return
        line.problem = problem
        self._failed(line.leg, problem)
        line.is_over = True
        self._on_lost(line, problem)

    def _used(self, line: RecogniserLine, use: LineUse) -> None:
        line.use, line.used_from_s = use, self._clock.now_s()

    def _failed(self, leg: str, problem: ProviderError) -> None:
        self._note(leg, LegEvent.REFUSED if isinstance(problem, ProviderRejected) else LegEvent.MISSED)

    def _note(self, leg: str, event: LegEvent) -> None:
        self._state.health.note(ProviderRole.STT, leg, event, self._clock.now_s())
