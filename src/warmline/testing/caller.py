"""A person on a line: speaks, pauses and types by a script."""

from __future__ import annotations

from typing import Final

import anyio

from warmline.core.formats import PCM_16K, AudioFormat
from warmline.interfaces.channel import Conversation

__all__ = ["Caller"]

_FRAME_S: Final = 0.02
_SOUND: Final = b"\x10"
"""In no format is this silence."""


class Caller:
    """Sends 20 ms frames in real time, as a microphone or a telephone does."""

    def __init__(self, conversation: Conversation, audio_format: AudioFormat = PCM_16K) -> None:
        """Prepare a person whose audio is in the channel's `input_format`."""
        self._conversation = conversation
        self._speech = _SOUND * audio_format.size_bytes(_FRAME_S)
        self._silence = audio_format.silence(_FRAME_S)

    async def speaks(self, duration_s: float) -> None:
        """Speak for so long."""
        await self._send(self._speech, duration_s)

    async def is_silent(self, duration_s: float) -> None:
        """Send silence for so long."""
        await self._send(self._silence, duration_s)

    async def sends_nothing(self, duration_s: float) -> None:
        """Send no frame at all, as a muted microphone."""
        await anyio.sleep(duration_s)

    async def _send(self, frame: bytes, duration_s: float) -> None:
        for _ in range(round(duration_s / _FRAME_S)):
            await anyio.sleep(_FRAME_S)
            self._conversation.receive_audio(frame)
