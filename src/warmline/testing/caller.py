"""A person on a line: speaks, pauses and types by a script."""

from __future__ import annotations

from typing import Final

import anyio

from warmline.interfaces.channel import Conversation

__all__ = ["Caller"]

_FRAME_S: Final = 0.02
_SPEECH: Final = b"\x10\x10" * 320
_SILENCE: Final = bytes(640)


class Caller:
    """Sends 20 ms frames of 16 kHz audio in real time, as a microphone does."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    async def speaks(self, duration_s: float) -> None:
        """Speak for so long."""
        await self._send(_SPEECH, duration_s)

    async def is_silent(self, duration_s: float) -> None:
        """Send silence for so long."""
        await self._send(_SILENCE, duration_s)

    async def sends_nothing(self, duration_s: float) -> None:
        """Send no frame at all, as a muted microphone."""
        await anyio.sleep(duration_s)

    async def _send(self, frame: bytes, duration_s: float) -> None:
        for _ in range(round(duration_s / _FRAME_S)):
            await anyio.sleep(_FRAME_S)
            self._conversation.receive_audio(frame)
