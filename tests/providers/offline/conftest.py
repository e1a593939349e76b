"""Speech for the ears to hear, made or recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from warmline.core.formats import PCM_16K
from warmline.providers.offline.voice import OfflineVoice


@pytest.fixture(scope="module")
async def voice() -> AsyncIterator[OfflineVoice]:
    """Yield the offline voice, one for the tests of a file."""
    async with OfflineVoice() as running:
        yield running


@pytest.fixture(scope="module")
async def speech(voice: OfflineVoice) -> bytes:
    """Return about two seconds of 16 kHz pcm16 in which somebody speaks."""
    async with voice.synthesise("What are your opening hours on Monday?", PCM_16K) as chunks:
        return b"".join([chunk.audio async for chunk in chunks])
