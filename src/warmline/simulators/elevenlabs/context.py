"""The text of one context: gathered, and cut into segments that are spoken one after another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import anyio

from warmline.core.clock import SystemClock
from warmline.simulators.elevenlabs.messages import VoiceSettings

__all__ = ["Context"]

_SCHEDULE: Final = (120, 160, 250, 290)
_PHRASE_END: Final = re.compile(r"[.!?,;:…]+[\"')\]]*\s")
_CLOCK: Final = SystemClock()


class Context:
    """What was given to be said, and not said yet.

    What changes here: the text, in `add` and `flush`; the end, in `close` and `abandon`.
    """

    def __init__(self, schedule: Sequence[float] | None, voice_settings: VoiceSettings | None) -> None:
        """Begin.

        Args:
            schedule: Characters before the first generation, the second and so on; the last is repeated.
            voice_settings: What the first message brought.
        """
        self.voice_settings = voice_settings
        self._schedule = schedule or _SCHEDULE
        self._generations = 0
        self._text = ""
        self._send, self._receive = anyio.create_memory_object_stream[tuple[str, float]](float("inf"))
        self.has_words = False
        """More than the blank that a context is opened with."""

        self.is_speaking = False
        self.is_abandoned = False
        self.is_done = anyio.Event()
        """Everything was said, after `close`."""

        self.used_at_s = _CLOCK.now_s()

    def add(self, text: str, *, is_auto: bool) -> None:
        """Take more text; begin to speak if there is enough of it."""
        self.has_words = self.has_words or bool(text.strip())
        self._text += text
        if is_auto:
            ends = [found.end() for found in _PHRASE_END.finditer(self._text)]
            if ends:
                self._generate(ends[-1])
        elif len(self._text) >= self._schedule[min(self._generations, len(self._schedule) - 1)]:
            self.flush()

    def flush(self) -> None:
        """Speak all there is."""
        self._generate(len(self._text))

    def close(self) -> None:
        """Speak all there is, and nothing more after it."""
        self.flush()
        self._send.close()

    def abandon(self) -> None:
        """Say no more."""
        self.is_abandoned = True
        self._send.close()

    async def next_segment(self) -> tuple[str, float] | None:
        """Return the next text to be spoken, and when it was there; None after the last one."""
        self.is_speaking = False
        try:
            segment = await self._receive.receive()
        except anyio.EndOfStream:
            self._receive.close()
            return None
        self.is_speaking = True
        return segment

    def drop(self) -> None:
        """Forget everything: the socket is gone."""
        self._send.close()
        self._receive.close()

    def _generate(self, length: int) -> None:
        text, self._text = self._text[:length], self._text[length:]
        if text.strip():
            self._generations += 1
            try:
                self._send.send_nowait((text, _CLOCK.now_s()))
            except anyio.ClosedResourceError:
                return
