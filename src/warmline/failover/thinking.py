"""An answer from whichever language model gives it: another line, another provider, or the rest by either."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from warmline.core.clock import Clock
from warmline.core.line_use import OnLine
from warmline.core.setback import OnSetback, ProviderRole
from warmline.errors import ProviderError
from warmline.failover.attempts import Attempt, Source
from warmline.failover.continuing import Seam, WholeWords, continuation
from warmline.failover.legs import FailoverState, Leg
from warmline.failover.patience import FEW, Wait, percentile_s
from warmline.failover.relay import Relay
from warmline.failover.running import relayed
from warmline.interfaces.llm import CallProgress, LanguageModel, LlmPiece, LlmRequest, ToolCall

__all__ = ["stream"]


@asynccontextmanager
async def stream(
    legs: Sequence[Leg[LanguageModel]],
    request: LlmRequest,
    state: FailoverState,
    clock: Clock,
    *,
    on_line: OnLine | None = None,
    on_setback: OnSetback | None = None,
) -> AsyncIterator[AsyncIterator[str | ToolCall]]:
    """Return an answer's text in whole words as they come, and calls of tools; as `LanguageModel.stream`.

    A leg that gives nothing in time is asked again on another line, then the next leg is; the first
    to answer is passed on, and the others are cancelled. An answer that is cut off, or stalls, is
    continued by a new request. After a call of a tool nothing is asked for again: where the
    answer breaks off behind it, the answer is over, and the call's result is what it goes on with.

    Args:
        legs: In the operator's order; at least one.
        request: What to answer.
        state: The process's.
        clock: The session's.
        on_line: Told of each connection that is used, by losers too.
        on_setback: Told of what goes wrong.

    Raises:
        ProviderError: from iterating; nobody was left who could go on.
    """
    answer = _Answer(legs, request, state, clock, on_line, on_setback)
    async with relayed(answer, answer.pieces()) as pieces:
        yield pieces


class _Answer(Relay[LanguageModel, LlmPiece]):
    """One answer.

    What changes here: what was said and called, in `pieces`; what is held back, there and in `leads`.
    """

    role = ProviderRole.LLM
    first_wait = Wait.LLM_FIRST_TEXT
    stall_wait = Wait.LLM_STALL
    ahead = 64

    def __init__(
        self,
        legs: Sequence[Leg[LanguageModel]],
        request: LlmRequest,
        state: FailoverState,
        clock: Clock,
        on_line: OnLine | None,
        on_setback: OnSetback | None,
    ) -> None:
        super().__init__(legs, state, clock, on_setback)
        self._request = request
        self._on_line = on_line
        self._said = ""
        self._has_called = False
        self._words = WholeWords()
        self._seam = Seam("")
        state.hedges.asked()

    async def pieces(self) -> AsyncGenerator[str | ToolCall, None]:
        """Yield what is passed on."""
        try:
            while (piece := await self.next()) is not None:
                if isinstance(piece, CallProgress):
                    continue
                if isinstance(piece, ToolCall):
                    if text := self._flushed():
                        yield text
                    self._has_called = True
                    yield piece
                elif text := self._seam.push(self._words.push(piece)):
                    self._said += text
                    self.went_on()
                    yield text
        except ProviderError:
            if not self._has_called:
                raise
        if text := self._flushed():
            yield text

    def source(self, leg: Leg[LanguageModel], *, is_again: bool) -> Source[LlmPiece]:
        """Return what gives the leg's answer, or the rest of it."""
        request = self._request
        if self._said.strip():
            request = continuation(request, self._said)
        elif is_again:
            # A line that is kept for the conversation is the one that failed.
            request = replace(request, conversation_id="")
        return partial(leg.provider.stream, request, self._on_line)

    def owed_since_s(self, attempt: Attempt[LanguageModel, LlmPiece]) -> float | None:
        """Return since when nothing came."""
        return None if attempt.is_full else attempt.quiet_since_s

    def is_piece(self, piece: LlmPiece) -> bool:
        """Return whether it says anything."""
        return piece != ""

    def may_take(self, leg: Leg[LanguageModel]) -> bool:
        """Return whether the leg can go on from here."""
        return not self._has_called and (leg.can_continue or not self._said.strip())

    def leads(self, attempt: Attempt[LanguageModel, LlmPiece]) -> None:
        """Join what comes to what was said."""
        self._words.drop()
        self._seam = Seam(self._said)

    def hedge_s(self, leg: str) -> float | None:
        """Return after how long a second request may be sent, if that is wanted and anything is known."""
        hedge = self.state.settings.hedge
        times = self.state.times.of(leg, Wait.LLM_FIRST_TEXT)
        return percentile_s(times, hedge.percent) if hedge.is_on and len(times) >= FEW else None

    def give_up_s(self) -> float:
        """Return how long nothing at all may come; behind a call, nothing has to."""
        if self._has_called and self.leader is not None:
            return self.patience_s(self.leader.leg.name, Wait.LLM_STALL)
        return super().give_up_s()

    def _flushed(self) -> str:
        text = self._seam.push(self._words.flush()) + self._seam.flush()
        self._said += text
        return text
