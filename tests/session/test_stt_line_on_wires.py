"""An utterance whose socket fails is recognised on the next one: the simulated Deepgram, over real TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from tests.simulators.far_ends import FarEnds, far_ends
from warmline.core.formats import PCM_16K
from warmline.core.setback import Remedy, Setback
from warmline.errors import ProviderError
from warmline.failover.legs import FailoverState
from warmline.interfaces.stt import Transcript
from warmline.providers.deepgram.protocol import FluxSettings, NovaSettings, flux_path, nova_path
from warmline.providers.deepgram.recogniser import DeepgramRecogniser
from warmline.session.stt_line import SttLine
from warmline.simulators.running import KEY

pytestmark = [pytest.mark.wire, pytest.mark.anyio, pytest.mark.alone]

SENTENCE = "The library is open on Monday."
HEADERS = {"authorization": f"Token {KEY}"}


@asynccontextmanager
async def recogniser(ends: FarEnds, *, is_flux: bool) -> AsyncIterator[DeepgramRecogniser]:
    def sockets(audio_format):
        path = flux_path(FluxSettings(), audio_format) if is_flux else nova_path(NovaSettings(), audio_format)
        return ends.sockets(path, HEADERS, warm=1)

    async with DeepgramRecogniser(sockets, ends.lines.clock, is_flux=is_flux) as found:
        yield found


@pytest.mark.parametrize("is_flux", [False, True], ids=["nova", "flux"])
async def test_utterance_whose_socket_is_cut_is_heard_to_its_end_and_once(is_flux: bool):
    finals: list[Transcript] = []
    setbacks: list[Setback] = []
    troubles: list[ProviderError] = []
    async with far_ends("deepgram", sentences=[SENTENCE]) as ends, recogniser(ends, is_flux=is_flux) as stt:
        came = anyio.Event()

        def heard(transcript: Transcript) -> None:
            if transcript.is_final:
                finals.append(transcript)
                came.set()

        line = SttLine(
            stt, heard, troubles.append, ends.lines.clock, state=FailoverState(), on_setback=setbacks.append
        )
        spoken = await ends.simulator.speech.spoken(SENTENCE, PCM_16K)
        audio = PCM_16K.silence(0.3) + spoken.audio + PCM_16K.silence(0.2)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(line.run)
            ends.fault("cut;after=2;path=listen")
            await anyio.sleep(0.3)
            line.begin_utterance(1)
            size = PCM_16K.size_bytes(0.02)
            for begin in range(0, len(audio), size):
                line.push(audio[begin : begin + size])
                await anyio.sleep(0.01)
            line.finish_utterance()
            with anyio.fail_after(20):
                await came.wait()
            tasks.cancel_scope.cancel()
    [final] = finals
    assert {"library", "open"} <= set(final.text.lower().replace(".", "").split())
    assert [setback.remedy for setback in setbacks][:1] == [Remedy.REPLAY]
    assert troubles == []
