"""One reply's sound on its way to the channel: held, sent a little ahead of its playing, or held again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import anyio

from warmline.audio.playout import Playout
from warmline.core.clock import Clock
from warmline.core.formats import AudioFormat
from warmline.interfaces.channel import Channel

__all__ = ["Playing"]

_KEPT_S: Final = 10.0
"""Sound that is kept after it was sent, for an interruption that turns out to be none."""

_PIECE_SHARE: Final = 0.25
"""The longest piece that is sent, of the lead: a voice's larger ones would run far ahead of it."""

_FRAME_S: Final = 0.02
"""No piece is cut smaller."""

_ROUNDING_S: Final = 1e-6

_UNDERRUN_S: Final = 0.005
"""A shorter gap is the reckoning's own error."""


class Playing:
    """The sound of one reply.

    It is made with the gate shut: what is made then is held. Opening the gate sends what is held in
    the same call; from then on sound is sent when it comes, at most `lead_s` ahead of its playing.

    What changes here: `_pieces` grow in `add` and move to `_sent` in `_send_due`; the gate, in `open` and
    `shut`; `playout` with what is sent and reported.
    """

    def __init__(
        self,
        reply_id: str,
        channel: Channel,
        clock: Clock,
        *,
        lead_s: float,
        held_s: float,
        on_first_sent: Callable[[], None],
    ) -> None:
        """Prepare, with the gate shut.

        Args:
            reply_id: Whose sound it is.
            channel: Where it goes.
            clock: The session's.
            lead_s: How much is sent ahead of its playing, or what the channel needs at least, if that is
                more; by a quarter of it at most exceeded.
            held_s: How much is made ahead of its sending before `until_wanted` waits.
            on_first_sent: Called when the first piece has been handed to the channel.
        """
        self.playout = Playout()
        self.underruns = 0
        """How often all that was sent had been played, and more was to come."""

        self.underrun_s = 0.0
        self.is_open = False
        self._reply_id = reply_id
        self._channel = channel
        self._clock = clock
        self._wanted_lead_s = lead_s
        self._held_s = held_s
        self._on_first_sent = on_first_sent
        self._format: AudioFormat | None = None
        self._pieces: deque[bytes] = deque()
        self._pending_s = 0.0
        self._sent: deque[tuple[float, bytes]] = deque()
        self._is_first = True
        self._is_complete = False
        self._is_closed = False
        self._is_cut = False
        self._is_fresh = True
        self._has_timer = False
        self._changed = anyio.Event()

    @property
    def made_s(self) -> float:
        """How much sound there is, sent or not."""
        return self.playout.sent_s + self._pending_s

    @property
    def kept_s(self) -> float:
        """How much sound is held in memory: made ahead, or sent and kept."""
        pieces = [*self._pieces, *(audio for _, audio in self._sent)]
        return sum(self._format.duration_s(len(audio)) for audio in pieces) if self._format else 0.0

    @property
    def has_more(self) -> bool:
        """Whether there is sound that is still to be sent, or to be sent again."""
        return self._is_cut or bool(self._pieces)

    @property
    def is_sent(self) -> bool:
        """Whether all of it is made, and was sent."""
        return self._is_complete and not self._pieces

    @property
    def _lead_s(self) -> float:
        return max(self._wanted_lead_s, self._channel.least_lead_s)

    def add(self, audio: bytes, audio_format: AudioFormat) -> None:
        """Take more sound; it is sent in this call if it is due. What comes after `close` is dropped."""
        if self._is_closed:
            return
        self._format = audio_format
        most_bytes = audio_format.size_bytes(max(self._lead_s * _PIECE_SHARE, _FRAME_S))
        if len(audio) <= most_bytes:
            self._pieces.append(audio)
        else:
            self._pieces += [audio[at : at + most_bytes] for at in range(0, len(audio), most_bytes)]
        self._pending_s += audio_format.duration_s(len(audio))
        self._send_due()
        if self._pieces and not self._has_timer:
            self._change()

    def complete(self) -> None:
        """Note that nothing more comes."""
        self._is_complete = True
        self._change()

    def open(self) -> None:
        """Let the sound out: what is held and due is sent in this call."""
        self.is_open = True
        self._is_fresh = True
        self._send_due()
        self._change()

    def shut(self) -> None:
        """Hold what comes from now on."""
        self.is_open = False

    def close(self) -> None:
        """Let go of the sound: nothing more is sent, and `has_more` stays what it is."""
        self._is_closed = True
        self._is_cut = bool(self._pieces)
        self.is_open = False
        self._pieces.clear()
        self._sent.clear()
        self._change()

    def rewind(self, to_s: float) -> None:
        """Have everything behind `to_s` sent again; the channel has dropped it, and the gate is shut.

        What lies further back than is kept is not sent again.
        """
        assert self._format is not None or not self._sent
        while self._sent and self.playout.sent_s > to_s + 2 * _ROUNDING_S:
            began_s, audio = self._sent.pop()
            keep = self._format.size_bytes(max(to_s - began_s, 0.0) + _ROUNDING_S) if self._format else 0
            again, kept = audio[keep:], audio[:keep]
            if kept:
                self._sent.append((began_s, kept))
            if again and self._format:
                self._pieces.appendleft(again)
                self._pending_s += self._format.duration_s(len(again))
            # The place of a whole sample: else pieces sent later would seem to begin beside theirs.
            place_s = began_s + (self._format.duration_s(len(kept)) if self._format else 0.0)
            self.playout.rewind(place_s, self._clock.now_s())
        if self.playout.sent_s <= to_s:  # Also where there was nothing to drop.
            self.playout.rewind(to_s, self._clock.now_s())

    async def until_wanted(self) -> None:
        """Wait while enough is made ahead."""
        while self._pending_s > self._held_s:
            await self._changed.wait()

    async def until_sent(self) -> None:
        """Wait until it is complete and everything was sent; it may be paused and sent again later."""
        while not self.is_sent:
            await self._changed.wait()

    async def run(self) -> None:
        """Send what becomes due with time, until cancelled."""
        while True:
            ahead_s = None
            self._has_timer = self.is_open and bool(self._pieces)
            if self._has_timer:
                ahead_s = max(self.playout.lead_s(self._clock.now_s()) - self._lead_s, 0.0)
            with anyio.move_on_after(ahead_s):
                await self._changed.wait()
            self._send_due()

    def _send_due(self) -> None:
        if not self.is_open:
            return
        was_enough = self._pending_s > self._held_s
        now_s = self._clock.now_s()
        while self._pieces and self.playout.lead_s(now_s) <= self._lead_s + _ROUNDING_S:
            self._send(self._pieces.popleft(), now_s)
        if was_enough or self.is_sent:
            self._change()

    def _send(self, audio: bytes, now_s: float) -> None:
        assert self._format is not None
        duration_s = self._format.duration_s(len(audio))
        if not self._is_fresh and (gap_s := self.playout.dry_s(now_s)) > _UNDERRUN_S:
            self.underruns += 1
            self.underrun_s += gap_s
        self._is_fresh = False
        self._channel.play(self._reply_id, audio)
        self._pending_s = max(self._pending_s - duration_s, 0.0) if self._pieces else 0.0
        self._sent.append((self.playout.sent_s, audio))
        self.playout.sent(duration_s, now_s)
        heard_s = self.playout.heard_s(now_s)
        while self._sent and self._sent[0][0] + _KEPT_S < heard_s:
            self._sent.popleft()
        if self._is_first:
            self._is_first = False
            self._on_first_sent()

    def _change(self) -> None:
        """Wake whoever waits."""
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
