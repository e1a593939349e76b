"""A stream to Flux, which says by itself when turns begin and end."""

from __future__ import annotations

from collections import deque
from typing import Final

from warmline.interfaces.stt import TurnHintKind
from warmline.providers.deepgram.protocol import (
    FORCE_END_TURN,
    FluxEvent,
    FluxMessage,
    decode_flux,
)
from warmline.providers.deepgram.stream import DeepgramStream

__all__ = ["FluxStream"]

_PIECE_S: Final = 0.08
"""What Flux wants its audio in."""

_GAP_S: Final = 0.5
"""After so long without audio it is sent silence: it has no keepalive, and drops a quiet stream."""

_MUTE_S: Final = 3.0
"""While audio comes it says something four times a second."""

_FORCED_S: Final = 1.0
_HINTS: Final = {
    FluxEvent.EAGER_END_OF_TURN: TurnHintKind.EAGER_END,
    FluxEvent.TURN_RESUMED: TurnHintKind.RESUMED,
    FluxEvent.START_OF_TURN: TurnHintKind.RESUMED,
    FluxEvent.END_OF_TURN: TurnHintKind.END,
}
"""The next turn's start says that the one before was not over, where both are one utterance of ours."""

_NO_TURN: Final = "FORCE_END_TURN_NO_ACTIVE_TURN"


class FluxStream(DeepgramStream):
    """An `SttStream`. Where it does not end turns, those of Flux within one utterance are put together.

    What changes here: the turns' texts since the utterance before ended; the ForceEndTurns that were
    not answered yet, and how many were not waited for; whether an end was the last that was told.
    """

    def began(self) -> None:
        """Begin with nothing heard."""
        self._ended: list[str] = []
        self._turn = ""
        self._is_hinted = False
        self._asked: deque[int | None] = deque()
        self._asked_at_s = 0.0
        self._given_up = 0
        self._heard_at_s = self.clock.now_s()
        self._is_forced = False
        self._piece = bytearray()
        self._piece_bytes = self.audio_format.size_bytes(_PIECE_S)

    def push(self, audio: bytes) -> None:
        """Gather audio into the pieces that Flux wants."""
        self.pushed_at_s = self.clock.now_s()
        self._piece += audio
        while len(self._piece) >= self._piece_bytes:
            self.send_audio(bytes(self._piece[: self._piece_bytes]))
            del self._piece[: self._piece_bytes]

    def look(self) -> None:
        """Fill gaps with silence, and give up a stream that has gone quiet."""
        now_s = self.clock.now_s()
        if now_s - self.pushed_at_s >= _GAP_S:
            self.send_audio(self.audio_format.silence(self.look_s))
        if self._asked and now_s - self._asked_at_s > _FORCED_S:
            self._given_up += 1
            self._answered()
        if now_s - self._heard_at_s > _MUTE_S:
            if self._is_forced:
                self.fail(f"it has said nothing for {now_s - self._heard_at_s:.0f} s")
            else:
                self._is_forced = True
                self.send(FORCE_END_TURN)

    def begin_utterance(self, utterance: int) -> None:
        """Give what is recognised from now on to this utterance."""
        self.utterance = utterance
        if not self._asked:
            self._forget()

    def finish_utterance(self) -> None:
        """End the turn now; its text is the final."""
        if self.utterance is not None:
            self._force(self.utterance)

    def discard_utterance(self) -> None:
        """Drop the utterance; what is still said of it is passed over."""
        if self.utterance is not None:
            self._force(None)

    def received(self, payload: bytes) -> None:
        """Take an event."""
        message = decode_flux(payload)
        self._heard_at_s = self.clock.now_s()
        self._is_forced = False
        if message == _NO_TURN and self._asked:
            self._answered()
        if not isinstance(message, FluxMessage):
            return
        if message.was_forced and self._given_up and not self._asked:
            # What it says was told when nobody waited any longer; it must not end the utterance after.
            self._given_up -= 1
            self._forget()
            return
        self._turn = message.text
        if message.event is FluxEvent.END_OF_TURN:
            if message.text:
                self._ended.append(message.text)
            self._turn = ""
        if not self._asked:
            if self.utterance is not None and self._text():
                self._tell_of(self.utterance, message)
        elif message.was_forced:
            self._answered()

    def _tell_of(self, utterance: int, message: FluxMessage) -> None:
        """Tell of the words so far, and of what Flux thinks of the turn."""
        text = self._text()
        kind = _HINTS.get(message.event)
        if kind is TurnHintKind.RESUMED and not self._is_hinted:
            kind = None
        is_over = kind is TurnHintKind.END and self.ends_turns
        if is_over:
            self.utterance = None
            self._forget()
        elif kind is not None:
            self._is_hinted = kind is not TurnHintKind.RESUMED
        self.tell(utterance, text, is_final=is_over)
        if kind is not None:
            self.hint(kind, utterance, text, confidence=message.confidence)

    def _force(self, utterance: int | None) -> None:
        self.utterance = None
        self._asked.append(utterance)
        self._asked_at_s = self.clock.now_s()
        self.send_audio(bytes(self._piece))
        self._piece.clear()
        self.send(FORCE_END_TURN)

    def _answered(self) -> None:
        """What came up to here belongs to the oldest ForceEndTurn."""
        utterance, text = self._asked.popleft(), self._text()
        self._forget()
        if utterance is not None:
            self.tell(utterance, text, is_final=True)

    def _forget(self) -> None:
        self._ended = []
        self._turn = ""
        self._is_hinted = False

    def _text(self) -> str:
        return " ".join(filter(None, [*self._ended, self._turn]))
