"""Recordings on this machine, by its real processes."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator

import anyio
import pytest

from warmline.audio.voice_notes import encode
from warmline.core.clock import SystemClock
from warmline.core.formats import PCM_16K
from warmline.errors import InputError, ProviderRejected, ProviderUnavailable
from warmline.interfaces.transcriber import Transcriber
from warmline.providers.offline.recogniser import OfflineRecogniser
from warmline.providers.offline.transcriptions import OfflineTranscriptions
from warmline.providers.offline.voice import OfflineVoice

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

SENTENCES = (
    "The library is open on Monday.",
    "You can borrow ten books for four weeks.",
    "There is a garden behind the reading room.",
)


@pytest.fixture(scope="module")
async def recogniser(anyio_backend) -> AsyncIterator[OfflineRecogniser]:
    async with OfflineRecogniser(SENTENCES, max_processes=1) as running:
        yield running


@pytest.fixture(scope="module")
async def sentences(voice: OfflineVoice) -> list[bytes]:
    """Each sentence, with a pause after it."""
    found = []
    for sentence in SENTENCES:
        async with voice.synthesise(sentence, PCM_16K) as chunks:
            audio = b"".join([chunk.audio async for chunk in chunks])
        found.append(audio + PCM_16K.silence(0.7))
    return found


async def test_a_voice_note_is_written_down(recogniser, sentences):
    """A line is given back each time: there is one."""
    transcriber: Transcriber = OfflineTranscriptions(recogniser)
    for pcm, word in zip(sentences, ("library", "books", "garden"), strict=True):
        assert word in await transcriber.transcribe(encode(pcm, 16_000), "note.ogg", "en")


async def test_a_long_recording_is_written_down_from_beginning_to_end(recogniser, sentences):
    """In less time than it lasts, every sentence of it, and none twice."""
    clock = SystemClock()
    recording = b"".join(sentences) * 5
    began_s = clock.now_s()
    text = await OfflineTranscriptions(recogniser).transcribe(encode(recording, 16_000), "note.ogg")
    assert clock.now_s() - began_s < PCM_16K.duration_s(len(recording))
    words = text.split()
    assert PCM_16K.duration_s(len(recording)) > 35
    for word in ("library", "books", "garden"):
        assert 4 <= words.count(word) <= 5, text


@pytest.mark.parametrize(
    ("recording", "language", "kind", "words"),
    [
        (b"", "", InputError, "empty"),
        (b"no recording at all" * 50, "", InputError, "note.ogg"),
        (encode(PCM_16K.silence(3.0), 16_000), "", InputError, "longer than 2 s"),
        (encode(PCM_16K.silence(1.0), 16_000), "de", ProviderRejected, "English"),
    ],
    ids=["empty", "garbage", "long", "German"],
)
async def test_a_recording_that_can_not_be_used_costs_no_process(
    recogniser, recording, language, kind, words
):
    """It says what to do instead."""
    with pytest.raises(kind, match=words):
        await OfflineTranscriptions(recogniser, limit_s=2.0).transcribe(recording, "note.ogg", language)


async def test_silence_has_no_words(recogniser):
    """And is no failure."""
    note = encode(PCM_16K.silence(2.0), 16_000)
    assert await OfflineTranscriptions(recogniser).transcribe(note, "note.ogg") == ""


async def test_whoever_stops_waiting_gives_the_process_back(recogniser, sentences):
    """The next recording has it as soon as it has forgotten this one."""
    transcriber = OfflineTranscriptions(recogniser)
    with anyio.move_on_after(0.5) as waiting:
        await transcriber.transcribe(encode(b"".join(sentences) * 8, 16_000), "long.ogg")
    assert waiting.cancelled_caught
    with anyio.fail_after(20):
        assert "garden" in await transcriber.transcribe(encode(sentences[2], 16_000), "note.ogg")


async def test_a_process_that_ends_is_told(sentences):
    """Another one may do it."""
    async with OfflineRecogniser(SENTENCES, max_processes=1) as recogniser:
        transcriber = OfflineTranscriptions(recogniser)
        note = encode(b"".join(sentences) * 8, 16_000)

        async def kill() -> None:
            await anyio.sleep(0.7)
            for process_id in recogniser.process_ids:
                os.kill(process_id, signal.SIGKILL)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(kill)
            with pytest.raises(ProviderUnavailable):
                await transcriber.transcribe(note, "long.ogg")
