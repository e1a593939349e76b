"""Who speaks: over the socket that a call keeps, and over HTTP, which stands in for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from warmline.core.formats import PCM_24K
from warmline.core.line_use import LineUse
from warmline.interfaces.tts import SpeechChunk
from warmline.providers.elevenlabs.voice import ElevenLabs
from warmline.server.doctor.findings import Outcome
from warmline.server.doctor.subjects import CLOCK, SENTENCE, Subject, since_ms

__all__ = ["audio_problem", "speech_by_http", "speech_by_socket"]

_SHORTEST_S: Final = 1.0
_LONGEST_S: Final = 8.0
_QUIETEST: Final = 100.0
"""Root mean square of 16-bit samples; speech has more than 1,000, and silence with dither less than 10."""


@dataclass(frozen=True, slots=True)
class _Spoken:
    first_byte_ms: float
    audio: bytes


async def speech_by_socket(subject: Subject[ElevenLabs]) -> Outcome:
    """Speak twice on one socket that is open, as in a call; it costs some characters."""
    uses: list[LineUse] = []
    async with subject.opened(warm=1) as service:
        speaker = service.provider
        await (await speaker.sockets(PCM_24K)).pool.until_warm()
        voice = speaker.open(PCM_24K)
        spoken = []
        try:
            for _ in range(2):
                began_s = CLOCK.now_s()
                async with voice.speak(_sentence(), PCM_24K, uses.append) as chunks:
                    spoken.append(await _heard(chunks, began_s))
                if speaker.problem is not None:
                    return Outcome({}, str(speaker.problem))
        finally:
            await voice.aclose()
    first, second = spoken
    figures = {
        "first_byte_ms": first.first_byte_ms,
        "first_byte_again_ms": second.first_byte_ms,
        "audio_bytes": len(first.audio),
        "audio_ms": PCM_24K.duration_s(len(first.audio)) * 1000,
    }
    problem = audio_problem(first.audio) or audio_problem(second.audio)
    if not problem and speaker.use_persistent_tts and uses[0].line_id != uses[-1].line_id:
        problem = "the second reply needed another socket: the far end closes them; see elevenlabs.base_urls"
    return Outcome(figures, problem)


async def speech_by_http(subject: Subject[ElevenLabs]) -> Outcome:
    """Speak once on an open line; it costs some characters."""
    async with subject.opened() as service:
        await service.check_key(None)
        began_s = CLOCK.now_s()
        async with service.provider.rest.synthesise(SENTENCE, PCM_24K) as chunks:
            spoken = await _heard(chunks, began_s)
    figures = {
        "first_byte_ms": spoken.first_byte_ms,
        "audio_bytes": len(spoken.audio),
        "audio_ms": PCM_24K.duration_s(len(spoken.audio)) * 1000,
    }
    return Outcome(figures, audio_problem(spoken.audio))


def audio_problem(audio: bytes) -> str:
    """Return why 24 kHz pcm16 can't be the sentence, or nothing."""
    samples = np.frombuffer(audio[: len(audio) // 2 * 2], "<i2").astype(np.float64)
    length_s = PCM_24K.duration_s(len(audio))
    if not _SHORTEST_S <= length_s <= _LONGEST_S:
        return (
            f"the sentence is {length_s:.1f} s long instead of {_SHORTEST_S:g} to {_LONGEST_S:g}: "
            "see elevenlabs.voice, elevenlabs.model and elevenlabs.speed"
        )
    if float(np.sqrt(np.mean(samples**2))) < _QUIETEST:
        return "the audio is silent: see elevenlabs.voice and elevenlabs.model"
    return ""


async def _sentence() -> AsyncIterator[str]:
    yield SENTENCE


async def _heard(chunks: AsyncIterator[SpeechChunk], began_s: float) -> _Spoken:
    first_byte_ms = 0.0
    audio = bytearray()
    async for chunk in chunks:
        if chunk.audio and not audio:
            first_byte_ms = since_ms(began_s)
        audio += chunk.audio
    return _Spoken(first_byte_ms, bytes(audio))
