"""This machine's microphone as a caller."""

from __future__ import annotations

import asyncio
from typing import Any

from warmline.channels.local.devices import open_stream, sound_library
from warmline.core.formats import PCM_16K
from warmline.interfaces.channel import Conversation

__all__ = ["Microphone"]

_FRAME_SAMPLES = 320
"""20 ms."""


class Microphone:
    """Sends 20 ms frames of 16 kHz audio to a conversation until it is closed."""

    def __init__(self, conversation: Conversation) -> None:
        """Open the device and begin; from within the event loop.

        Raises:
            InputError: there is none, or the library that reaches it is missing.
        """
        self._loop = asyncio.get_running_loop()
        self._conversation = conversation
        self._stream = open_stream(
            sound_library().RawInputStream,
            samplerate=PCM_16K.rate_hz,
            channels=1,
            dtype="int16",
            blocksize=_FRAME_SAMPLES,
            callback=self._take,
        )

    def close(self) -> None:
        """Let the device go."""
        self._stream.close()

    def _take(self, frame: Any, _frames: int, _time: Any, _status: Any) -> None:
        # On the device's own thread.
        self._loop.call_soon_threadsafe(self._conversation.receive_audio, bytes(frame))
