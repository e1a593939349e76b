"""A recording played in as if somebody were speaking."""

from __future__ import annotations

from typing import Final

import anyio

from warmline.core.clock import Clock
from warmline.interfaces.channel import Conversation

__all__ = ["RecordedCaller"]

_FRAME_BYTES: Final = 640
"""20 ms of 16 kHz pcm16."""

_FRAME_S: Final = 0.02
_SILENCE: Final = bytes(_FRAME_BYTES)


class RecordedCaller:
    """Sends a frame every 20 ms: of a recording while one plays, of silence otherwise.

    What changes here: `_pcm`, what is still to be said.
    """

    def __init__(self, conversation: Conversation, clock: Clock, *, speed: float = 1.0) -> None:
        """Prepare a caller who speaks `speed` times as fast as the clock."""
        self._conversation = conversation
        self._clock = clock
        self._speed = speed
        self._pcm = memoryview(b"")
        self._said = anyio.Event()

    async def say(self, pcm: bytes) -> None:
        """Say a recording, 16 kHz pcm16; returns when its last frame was sent."""
        self._pcm = memoryview(pcm)
        self._said = anyio.Event()
        await self._said.wait()

    async def run(self) -> None:
        """Send frames until cancelled, at the pace of a microphone; late ones are made up for."""
        began_s = self._clock.now_s()
        sent = 0
        while True:
            sent += 1
            due_s = began_s + sent * _FRAME_S / self._speed
            await anyio.sleep(max(due_s - self._clock.now_s(), 0))
            frame = bytes(self._pcm[:_FRAME_BYTES])
            self._pcm = self._pcm[_FRAME_BYTES:]
            self._conversation.receive_audio(frame + _SILENCE[len(frame) :])
            if not self._pcm:
                self._said.set()
