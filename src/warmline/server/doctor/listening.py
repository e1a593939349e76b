"""Who listens: a sentence by this machine's voice, at the pace of speech."""

from __future__ import annotations

from typing import Final

import anyio

from warmline.core.formats import PCM_16K
from warmline.errors import ProviderError
from warmline.interfaces.stt import SttStream, Transcript
from warmline.providers.deepgram.recogniser import DeepgramRecogniser
from warmline.providers.offline.voice import OfflineVoice
from warmline.server.doctor.findings import Outcome
from warmline.server.doctor.subjects import CLOCK, SENTENCE, Subject, since_ms

__all__ = ["recognition"]

_EXPECTED: Final = frozenset({"library", "open", "nine", "five"})
_PIECE_S: Final = 0.02
_LEAD_IN_S: Final = 0.3
"""Silence before the sentence, as before anybody speaks."""


class _Heard:
    """What a recogniser said of the one utterance."""

    def __init__(self) -> None:
        self.text = ""
        self.problem: ProviderError | None = None
        self.is_over = anyio.Event()

    def take(self, transcript: Transcript) -> None:
        if transcript.is_final:
            self.text = transcript.text
            self.is_over.set()

    def fail(self, problem: ProviderError) -> None:
        self.problem = problem
        self.is_over.set()


async def recognition(subject: Subject[DeepgramRecogniser]) -> Outcome:
    """Have a sentence recognised; it costs some seconds of audio."""
    speech = await _speech()
    heard = _Heard()
    async with subject.opened() as service:
        stream = await service.provider.open(heard.take, heard.fail)
        try:
            stream.begin_utterance(1)
            await _say(stream, bytes(PCM_16K.size_bytes(_LEAD_IN_S)) + speech, heard)
            stream.finish_utterance()
            spoken_at_s = CLOCK.now_s()
            await heard.is_over.wait()
            final_ms = since_ms(spoken_at_s)
        finally:
            await stream.aclose()
    if heard.problem is not None:
        raise heard.problem
    words = _EXPECTED.intersection(heard.text.lower().replace(".", "").split())
    figures = {"final_ms": final_ms, "speech_ms": PCM_16K.duration_s(len(speech)) * 1000}
    if not heard.text:
        return Outcome(
            figures,
            f"nothing was understood of a clear sentence in English: see {subject.table}.model "
            f"and {subject.table}.language",
        )
    if not words:
        return Outcome(
            figures,
            note="none of the expected words is in the transcript; the voice is a robot's, in English: "
            f"see {subject.table}.model and {subject.table}.language",
        )
    return Outcome(figures)


async def _speech() -> bytes:
    audio = bytearray()
    async with OfflineVoice() as voice, voice.synthesise(SENTENCE, PCM_16K) as chunks:
        async for chunk in chunks:
            audio += chunk.audio
    return bytes(audio)


async def _say(stream: SttStream, audio: bytes, heard: _Heard) -> None:
    """Push audio as a microphone would; stops when the stream has failed."""
    piece_bytes = PCM_16K.size_bytes(_PIECE_S)
    began_s = CLOCK.now_s()
    for start in range(0, len(audio), piece_bytes):
        stream.push(audio[start : start + piece_bytes])
        due_s = began_s + PCM_16K.duration_s(start + piece_bytes)
        with anyio.move_on_after(max(due_s - CLOCK.now_s(), 0.0)):
            await heard.is_over.wait()
            return
