"""The offline voice with its real process."""

import os
import signal
import subprocess
import sys

import anyio
import numpy as np
import pytest

from warmline.core.formats import PCM_16K, PCM_24K, PCMA_8K, PCMU_8K, AudioFormat, Encoding
from warmline.errors import ConfigError, ProviderRejected, ProviderUnavailable
from warmline.interfaces.tts import SpokenWord
from warmline.providers.offline.silence_trim import SENTENCE_PAUSE_MS
from warmline.providers.offline.voice import OfflineVoice

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

TEN_SENTENCES = "This is one sentence of a longer text. " * 10


async def speak(
    voice: OfflineVoice, text: str, audio_format: AudioFormat = PCM_16K
) -> tuple[bytes, list[SpokenWord]]:
    """Return all of a text's audio and its words."""
    with anyio.fail_after(20):
        async with voice.synthesise(text, audio_format) as stream:
            chunks = [chunk async for chunk in stream]
    return b"".join(chunk.audio for chunk in chunks), [word for chunk in chunks for word in chunk.words]


def assert_same_speech(one, other, audio_format: AudioFormat = PCM_16K):
    """Compare by words and times: espeak's breath noise, and with it a millisecond, differs each time."""
    (audio, words), (other_audio, other_words) = one, other
    assert [(w.text_start, w.text_end) for w in words] == [(w.text_start, w.text_end) for w in other_words]
    assert [w.start_ms for w in words] == pytest.approx([w.start_ms for w in other_words], abs=15)
    assert audio_format.duration_s(len(audio)) == pytest.approx(
        PCM_16K.duration_s(len(other_audio)), abs=0.03
    )


async def test_words_when_spoken_are_placed_in_text_and_time(voice):
    """Every word is told once, in order, where it is in the text and in the audio."""
    text = "Hello, “naïve” café! It costs $42.50 \N{EN DASH} or 10,000 yen 😀 today."
    audio, words = await speak(voice, text)
    assert [text[word.text_start : word.text_end] for word in words] == (
        "Hello, “naïve” café! It costs $42.50 or 10,000 yen today.".split()
    )
    starts = [word.start_ms for word in words]
    assert starts == sorted(set(starts))
    assert starts[0] == 0
    samples = np.abs(np.frombuffer(audio, np.int16).astype(int))
    for start_ms in starts:
        assert samples[start_ms * 16 : start_ms * 16 + 3_200].max() > 500


async def test_word_when_chunked_comes_with_the_audio_it_begins_in(voice):
    """A word is told no later than its sound, so that a barge-in never finds a heard word untimed."""
    received_ms = 0.0
    async with voice.synthesise("One, two. Three and four!", PCM_24K) as stream:
        async for chunk in stream:
            end_ms = received_ms + PCM_24K.duration_s(len(chunk.audio)) * 1000
            assert all(received_ms - 5 <= word.start_ms <= end_ms + 5 for word in chunk.words)
            received_ms = end_ms
    assert received_ms > 1_000


async def test_silence_when_around_a_sentence_is_cut_to_a_pause(voice):
    """Speech begins with the first sample and ends with the pause that belongs between sentences."""
    audio, _ = await speak(voice, "It is nine.")
    sounding = np.flatnonzero(np.abs(np.frombuffer(audio, np.int16).astype(int)) > 60)
    assert sounding[0] < 160
    tail_ms = (len(audio) // 2 - sounding[-1]) / 16
    assert tail_ms == pytest.approx(SENTENCE_PAUSE_MS, abs=15)


@pytest.mark.parametrize(
    "audio_format", [PCM_16K, PCM_24K, PCMU_8K, PCMA_8K, AudioFormat(Encoding.PCM16, 44_100)], ids=str
)
async def test_audio_when_asked_for_in_a_format_comes_in_it(voice, audio_format):
    """The same speech, as long in every format."""
    reference = await speak(voice, "Two words here.")
    assert_same_speech(await speak(voice, "Two words here.", audio_format), reference, audio_format)


@pytest.mark.parametrize("text", ["", "   ", "...", "?!", "😀", "\0", "\ud800", "\N{LINE SEPARATOR}"])
async def test_text_when_without_a_word_is_no_audio(voice, text):
    """Nothing to say is no error, and takes no time."""
    assert await speak(voice, text) == (b"", [])


@pytest.mark.parametrize(
    "text", ["a", "7", "$", "日本", "nul\0byte", "bad \ud800 half", "[[h@lou]] <b>", "a\u2028b. C"]
)
async def test_text_when_strange_is_spoken_all_the_same(voice, text):
    """What has a word in it is heard, and never ends the process."""
    pid = voice.process_id
    audio, words = await speak(voice, text)
    assert len(audio) > 3_200
    assert words[0].text_start == next(i for i, c in enumerate(text) if c.isalnum() or c == "$" or c == "[")
    assert voice.process_id == pid


async def test_text_when_very_long_is_made_as_it_is_used(voice):
    """Ten thousand characters start at once and do not pile up: leaving early ends them."""
    received = 0
    async with voice.synthesise("word " * 2_000, PCM_16K) as stream:
        async for chunk in stream:
            received += len(chunk.audio)
            if PCM_16K.duration_s(received) > 60:
                break
    audio, _ = await speak(voice, "And now something else.")
    assert 0.5 < PCM_16K.duration_s(len(audio)) < 3


async def test_stream_when_left_at_once_does_not_disturb_the_next(voice):
    """Twenty barge-ins in a row, then a sentence comes whole."""
    expected = await speak(voice, "This one is whole.")
    for _ in range(20):
        async with voice.synthesise(TEN_SENTENCES, PCM_24K) as stream:
            await anext(stream)
    assert_same_speech(await speak(voice, "This one is whole."), expected)


async def test_requests_when_concurrent_are_each_what_they_are_alone(voice):
    """Eight sessions at once hear nothing of each other."""
    texts = [f"Caller number {number} asked for this. And for that." for number in range(8)]
    alone = [await speak(voice, text) for text in texts]
    together: dict[int, tuple[bytes, list[SpokenWord]]] = {}

    async def keep(index: int) -> None:
        together[index] = await speak(voice, texts[index])

    async with anyio.create_task_group() as tasks:
        for index in range(8):
            tasks.start_soon(keep, index)
    for index in range(8):
        assert_same_speech(together[index], alone[index])


async def test_short_text_when_beside_a_long_one_is_not_kept_waiting(voice):
    """A caller's one sentence overtakes another's ten."""
    finished: list[str] = []

    async def keep(name: str, text: str) -> None:
        await speak(voice, text)
        finished.append(name)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep, "long", TEN_SENTENCES)
        tasks.start_soon(keep, "short", "Just this.")
    assert finished == ["short", "long"]


async def test_process_when_killed_fails_its_streams_and_is_replaced():
    """The stream in progress is told; the next request is served by a new process."""
    async with OfflineVoice() as voice:
        expected = await speak(voice, "We are back.")
        first = voice.process_id
        assert first is not None
        async with voice.synthesise(TEN_SENTENCES, PCM_16K) as stream:
            await anext(stream)
            os.kill(first, signal.SIGKILL)
            with pytest.raises(ProviderUnavailable, match="status -9") as failed:
                [chunk async for chunk in stream]
        assert failed.value.phase == "stream"
        assert_same_speech(await speak(voice, "We are back."), expected)
        assert voice.process_id != first
        last = voice.process_id
    assert last is not None
    with pytest.raises(ProcessLookupError):
        os.kill(last, 0)


async def test_voice_when_unknown_is_a_setting_to_fix():
    """A mistyped voice is told at start, with names that work."""
    with pytest.raises(ConfigError, match=r"'xx-nope'; try en-us"):
        async with OfflineVoice(voice="xx-nope"):
            pass


@pytest.mark.parametrize("settings", [{"rate_wpm": 20}, {"pitch": 100}])
def test_voice_when_a_figure_is_out_of_range_is_refused(settings):
    """A speed that nobody understands is told before anything is started."""
    with pytest.raises(ConfigError, match="not within"):
        OfflineVoice(**settings)


async def test_speed_when_set_is_heard(speech):
    """A slower voice takes longer over the same words."""
    async with OfflineVoice(rate_wpm=110) as slow:
        audio, _ = await speak(slow, "What are your opening hours on Monday?")
    assert len(audio) > 1.2 * len(speech)


async def test_format_when_impossible_is_rejected_and_the_voice_goes_on(voice):
    """One bad request ends nobody else's speech."""
    pid = voice.process_id
    with pytest.raises(ProviderRejected, match="rates are positive"):
        await speak(voice, "Hello.", AudioFormat(Encoding.PCM16, 0))
    assert (await speak(voice, "Hello."))[0]
    assert voice.process_id == pid


@pytest.mark.parametrize(
    ("sent", "status"),
    [(b"", 0), (b"\xff" * 100, 1), (bytes(13), 1)],
    ids=["nothing", "no frame", "no command"],
)
def test_child_when_its_input_ends_or_is_garbage_ends(sent, status):
    """It does not outlive its parent, and does not guess."""
    module = "warmline.providers.offline.voice_process"
    arguments = ["--voice", "en-us", "--rate-wpm", "165", "--pitch", "50"]
    ended = subprocess.run(
        [sys.executable, "-m", module, *arguments], input=sent, capture_output=True, timeout=20, check=False
    )
    assert ended.returncode == status
    assert bool(ended.stderr) == bool(status)
