"""A fixed text is made while the voice works, and is there when it does not."""

import math

import anyio
import pytest

from warmline.core.formats import PCM_16K, PCM_24K, PCMU_8K
from warmline.failover.made_ahead import MadeAhead
from warmline.testing.scripted import ScriptedFault, ScriptedVoice

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

TEXT = "Sorry, one moment please."


async def test_text_is_made_once_and_has_its_words_places():
    made, voice = MadeAhead(), ScriptedVoice(first_audio_s=0.1)
    assert made.get("voice", PCM_24K, TEXT) is None
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(made.prepare, "voice", voice, PCM_24K, TEXT)
    assert await made.prepare("voice", voice, PCM_24K, TEXT)
    assert voice.spoken == [TEXT]
    chunks = made.get("voice", PCM_24K, TEXT)
    assert chunks is not None
    assert PCM_24K.duration_s(sum(len(chunk.audio) for chunk in chunks)) == pytest.approx(1.2)
    words = [word for chunk in chunks for word in chunk.words]
    assert [TEXT[word.text_start : word.text_end] for word in words] == TEXT.split()


async def test_each_voice_format_and_text_has_its_own():
    made, voice = MadeAhead(), ScriptedVoice()
    assert await made.prepare("voice", voice, PCM_24K, TEXT)
    assert made.get("voice", PCM_16K, TEXT) is None
    assert made.get("other", PCM_24K, TEXT) is None
    assert made.get("voice", PCM_24K, "Sorry.") is None


async def test_voice_that_fails_or_is_mute_makes_none_and_is_asked_again_later():
    made = MadeAhead()
    voice = ScriptedVoice(faults=[ScriptedFault("cut", after=2), ScriptedFault("mute", for_s=math.inf)])
    assert not await made.prepare("voice", voice, PCM_24K, TEXT)
    assert not await made.prepare("voice", voice, PCM_24K, TEXT)
    assert made.get("voice", PCM_24K, TEXT) is None
    assert await made.prepare("voice", voice, PCM_24K, TEXT)


async def test_nothing_is_made_of_an_empty_text():
    voice = ScriptedVoice()
    assert not await MadeAhead().prepare("voice", voice, PCM_24K, "")
    assert voice.spoken == []


async def test_the_text_that_was_not_asked_for_for_longest_makes_room():
    """Greetings that name the person are as many as there are calls."""
    made, voice = MadeAhead(), ScriptedVoice()
    for number in range(64):
        assert await made.prepare("voice", voice, PCMU_8K, f"Hello {number}.")
    assert made.get("voice", PCMU_8K, "Hello 0.")
    assert await made.prepare("voice", voice, PCMU_8K, "Hello 64.")
    assert made.get("voice", PCMU_8K, "Hello 1.") is None
    assert all(made.get("voice", PCMU_8K, f"Hello {number}.") for number in (0, 2, 63, 64))
