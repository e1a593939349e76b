"""A stream to Nova: segments are frozen one by one, and an utterance ends when we say so."""

from __future__ import annotations

from collections import deque
from typing import Final

from warmline.interfaces.stt import TurnHintKind
from warmline.providers.deepgram.protocol import FINALIZE, KEEP_ALIVE, NovaMessage, decode_nova
from warmline.providers.deepgram.stream import DeepgramStream

__all__ = ["NovaStream"]

_KEEP_ALIVE_S: Final = 4.0
"""Without audio Deepgram hangs up after 10 s, and asks for a KeepAlive every 3 to 5."""

_FIRST_S: Final = 0.02
_FINALIZE_S: Final = 1.0
"""How long a final may take; Deepgram need not answer where there was next to nothing to hear."""


class NovaStream(DeepgramStream):
    """An `SttStream`. Voice activity decides where an utterance ends; Finalize asks for its text at once.

    What changes here: the segments since the last Finalize; the Finalizes that were not answered yet;
    whether an endpoint was the last that was told of the utterance.
    """

    def began(self) -> None:
        """Send a first sound, before which KeepAlives count for nothing."""
        self._frozen: list[str] = []
        self._interim = ""
        self._is_paused = False
        self._asked: deque[int | None] = deque()
        self._asked_at_s = 0.0
        self._kept_at_s = self.clock.now_s()
        self.send_audio(self.audio_format.silence(_FIRST_S))

    def look(self) -> None:
        """Keep a stream open that has nothing to hear, and wait for no final too long."""
        now_s = self.clock.now_s()
        if now_s - max(self.pushed_at_s, self._kept_at_s) >= _KEEP_ALIVE_S - self.look_s:
            self._kept_at_s = now_s
            self.send(KEEP_ALIVE)
        if self._asked and now_s - self._asked_at_s > _FINALIZE_S:
            self._answered()

    def begin_utterance(self, utterance: int) -> None:
        """Give what is recognised from now on to this utterance."""
        self.utterance = utterance
        if not self._asked:
            self._forget()

    def finish_utterance(self) -> None:
        """Ask for the final now."""
        if self.utterance is not None:
            self._ask(self.utterance)

    def discard_utterance(self) -> None:
        """Drop the utterance; what is still said of it is passed over."""
        if self.utterance is not None:
            self._ask(None)

    def received(self, payload: bytes) -> None:
        """Take a result."""
        message = decode_nova(payload)
        if message is None:
            return
        if not message.is_final:
            self._interim = message.text
        else:
            self._interim = ""
            if message.text:
                self._frozen.append(message.text)
        if message.answers_finalize and self._asked:
            self._answered()
        elif self.utterance is not None and not self._asked:
            self._tell_of(self.utterance, message)

    def _tell_of(self, utterance: int, message: NovaMessage) -> None:
        """Tell of new words, and of an endpoint: silence and nothing else, so it has no confidence."""
        if message.text:
            self.tell(utterance, self._text(), is_final=False)
        if self._is_paused and message.text:
            self._is_paused = False
            self.hint(TurnHintKind.RESUMED, utterance, self._text())
        if message.is_endpoint and self._text() and not self._is_paused:
            self._is_paused = True
            self.hint(TurnHintKind.EAGER_END, utterance, self._text())

    def _ask(self, utterance: int | None) -> None:
        self.utterance = None
        self._asked.append(utterance)
        self._asked_at_s = self.clock.now_s()
        self.send(FINALIZE)

    def _answered(self) -> None:
        """What came up to here belongs to the oldest Finalize."""
        utterance, text = self._asked.popleft(), self._text()
        self._forget()
        if utterance is not None:
            self.tell(utterance, text, is_final=True)

    def _text(self) -> str:
        return " ".join(filter(None, [*self._frozen, self._interim]))

    def _forget(self) -> None:
        self._frozen = []
        self._interim = ""
        self._is_paused = False
