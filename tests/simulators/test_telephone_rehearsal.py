"""What callers say, from files and from texts; and networks that are switched off while somebody talks."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from tests.simulators.telephone_server import place, telephone_server, tone, wav
from warmline.errors import InputError
from warmline.simulators.running import simulators_running
from warmline.simulators.telephone.rehearsal import rehearsed
from warmline.simulators.telephone.sound import speech_span_s
from warmline.simulators.telephone.steps import Interrupt, Say, Stay, Wait
from warmline.simulators.telnyx.commands import StreamOptions

pytestmark = [pytest.mark.wire, pytest.mark.anyio]


@pytest.fixture(scope="module")
async def simulator(anyio_backend):
    async with simulators_running(only=["twilio"]) as running:
        yield running.simulators["twilio"]


async def test_recordings_and_texts_are_what_a_telephone_carries(simulator, tmp_path):
    """Whatever their format, rate and channels."""
    stereo = np.stack([np.sin(np.arange(24_000) / 20), np.zeros(24_000)], axis=1) / 2
    path = tmp_path / "tone.flac"
    soundfile.write(path, stereo, 24_000)
    file = io.BytesIO()
    soundfile.write(file, stereo[:, 0], 24_000, format="OGG")
    steps = [Say(text="When are you open?"), Interrupt(recording=str(path)), Say(audio=file.getvalue())]
    said = await rehearsed([*steps, Wait(wait_s=1)], simulator.speech)
    assert list(said) == steps
    assert len(said[steps[1]]) == len(said[steps[2]]) == 16_000
    levels = [np.sqrt((np.frombuffer(said[step], np.int16).astype(float) ** 2).mean()) for step in steps[1:3]]
    assert levels == pytest.approx([32_767 / 4 / 2**0.5, 32_767 / 2 / 2**0.5], rel=0.03)
    began_s, ended_s = speech_span_s(said[steps[0]])
    assert 0.5 < ended_s - began_s < 3


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (Say(recording="/no/such.wav"), "such.wav"),
        (Say(audio=b"no file"), "reading recording that was given"),
        (Say(audio=wav(b"")), "nothing can be heard"),
        (Say(text="..."), "nothing can be heard"),
    ],
)
async def test_what_can_not_be_said_is_an_error_before_anybody_calls(simulator, step, says):
    with pytest.raises(InputError, match=says):
        await rehearsed([step], simulator.speech)


async def test_a_network_that_is_switched_off_leaves_nothing_behind():
    """The call that goes on is cut off."""

    async def on_hook(hook):
        return None

    async with telephone_server(on_hook) as server:
        async with simulators_running(only=["telnyx"]) as running:
            call = await place(running.simulators["telnyx"], server, Say(audio=wav(tone(5))), Stay())
            await server.until(lambda: server.hooks)
            call.answer_with(StreamOptions())
            await server.until(lambda: call.phone.spoken)
        assert call.report_is_final
