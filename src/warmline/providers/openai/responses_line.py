"""One conversation's socket to the Responses API: its lanes, and what the far end holds of it."""

from __future__ import annotations

from collections import deque
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final, Self

import anyio

from warmline.core.clock import Clock
from warmline.core.line_use import LineUse
from warmline.errors import LineLost, NoAnswer
from warmline.interfaces.llm import LlmPiece, LlmRequest
from warmline.pool.sockets import SocketEndpoint, WebSocketLine
from warmline.providers.openai.responses_events import ResponseStream, kind_and_lane
from warmline.providers.openai.responses_protocol import (
    Held,
    ResponsesSettings,
    held_after,
    response_create,
)

__all__ = ["ResponsesLine", "Turn"]

_MOST_LANES: Final = 16
"""The far end works on so many responses of one socket at once, and knows twice as many lanes."""


class Turn:
    """One response on a lane of its line, from its request until `leave`.

    What changes here: the events that wait, by the line's callbacks and `next_pieces`.
    """

    def __init__(self, line: ResponsesLine, lane: str, request: LlmRequest, stream: ResponseStream) -> None:
        self.line = line
        self.lane = lane
        self.conversation_id = request.conversation_id
        self.messages = tuple(request.messages)
        self.stream = stream
        self._events: deque[bytes] = deque()
        self._arrived = anyio.Event()
        self._loss: LineLost | None = None

    async def next_pieces(self, within_s: float) -> list[LlmPiece] | None:
        """Return what the next event says, often nothing; None when the response is over.

        Raises:
            LineLost: the socket is closed.
            NoAnswer: nothing came within so many seconds.
            RemoteProtocolError: what came is no event.
            ProviderError: the far end reports a failure.
        """
        if self.stream.is_done:
            return None
        with anyio.move_on_after(within_s):
            while not self._events:
                if self._loss is not None:
                    raise self._loss
                self._arrived = anyio.Event()
                await self._arrived.wait()
        if not self._events:
            raise NoAnswer(f"nothing came for {within_s:g} s")
        return self.stream.take(self._events.popleft())

    def leave(self) -> None:
        """Let the rest come to nothing; what was whole is held for the next turn."""
        self.line.left(self)

    # Called by the line.

    def received(self, event: bytes) -> None:
        """Take an event of the lane."""
        self._events.append(event)
        self._arrived.set()

    def lost(self, loss: LineLost) -> None:
        """Note that no more will come."""
        self._loss = loss
        self._arrived.set()


class ResponsesLine:
    """A socket that one conversation holds between its turns, and on which it asks.

    The far end has no way to be told to stop. A turn that is left early goes on there, on a lane
    that nobody listens to any more; the next one asks on a lane of its own.

    What changes here: the turns under way, what is held and which lane is free, in `begin` and `left`.
    """

    def __init__(
        self,
        lease: AsyncExitStack,
        line: WebSocketLine,
        use: LineUse,
        clock: Clock,
        *,
        good_for_s: float,
    ) -> None:
        """Take over a lease; call `lease` instead.

        Args:
            lease: Gives the line back.
            line: It.
            use: How it was got.
            clock: The process's.
            good_for_s: For how long turns may begin on it, in seconds.
        """
        self.is_retired = False
        """Whether no turn should begin on it."""

        self._lease = lease
        self._line = line
        self._use = use
        self._clock = clock
        self._opened_at_s = clock.now_s() - use.age_s
        self._expires_at_s = clock.now_s() + good_for_s
        self._used_at_s = clock.now_s()
        self._turns: dict[str, Turn] = {}
        self._held: Held | None = None
        self._lanes = 0
        self._free_lane = ""
        line.attach(self._received, self._lost)

    @classmethod
    async def lease(cls, endpoint: SocketEndpoint, clock: Clock, *, wait_s: float) -> Self:
        """Lease a line; `aclose` gives it back.

        Raises:
            PoolError: none could be had within so many seconds.
        """
        uses: list[LineUse] = []
        lease = AsyncExitStack()
        line = await lease.enter_async_context(endpoint.lease(deadline_s=wait_s, on_line=uses.append))
        # Nobody else gets it: what this conversation leaves at the far end is not for another one.
        line.retire()
        policy = endpoint.pool.policy
        good_for_s = policy.max_age_s - policy.renew_margin_s - uses[0].age_s
        return cls(lease, line, uses[0], clock, good_for_s=good_for_s)

    @property
    def is_good(self) -> bool:
        """Whether another turn may begin: it is open, not too old, and has lanes left."""
        return not self.is_retired and self._lanes < _MOST_LANES and self._clock.now_s() < self._expires_at_s

    @property
    def is_busy(self) -> bool:
        """Whether a turn is under way."""
        return bool(self._turns)

    @property
    def idle_s(self) -> float:
        """For how long no turn has been under way, in seconds."""
        return 0.0 if self.is_busy else self._clock.now_s() - self._used_at_s

    @property
    def use(self) -> LineUse:
        """How the line is had now: the first time as it was leased, and then at no cost."""
        if not self._lanes:
            return self._use
        age_s = self._clock.now_s() - self._opened_at_s
        return replace(self._use, reused=True, age_s=age_s, waited_s=0.0)

    def begin(self, request: LlmRequest, settings: ResponsesSettings, *, generate: bool = True) -> Turn:
        """Ask, with no more of the context than the far end lacks.

        Raises:
            LineLost: the socket is closed.
        """
        lane, self._free_lane = self._free_lane, ""
        if not lane:
            self._lanes += 1
            lane = f"turn-{self._lanes}"
        held, self._held = self._held, None
        self._line.send_text(response_create(request, settings, lane, held, generate=generate))
        self._turns[lane] = turn = Turn(self, lane, request, ResponseStream(settings.model))
        return turn

    def left(self, turn: Turn) -> None:
        """Listen to a turn's lane no more; keep what can be built upon."""
        del self._turns[turn.lane]
        self._used_at_s = self._clock.now_s()
        held = held_after(turn.messages, turn.stream)
        if held is not None:
            self._held, self._free_lane = held, turn.lane

    async def aclose(self) -> None:
        """Give the line back; it is closed."""
        self.is_retired = True
        await self._lease.aclose()

    def _received(self, event: bytes, _: bool) -> None:
        kind, lane = kind_and_lane(event)
        if lane in self._turns:
            self._turns[lane].received(event)
        elif kind == "error" and not lane:
            # Such as that the socket's hour is over. What else has no lane may be of a turn that was left.
            self.is_retired = True
            for turn in self._turns.values():
                turn.received(event)

    def _lost(self, loss: LineLost) -> None:
        self.is_retired = True
        for turn in self._turns.values():
            turn.lost(loss)
