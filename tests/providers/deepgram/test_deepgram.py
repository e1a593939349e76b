"""The recogniser against the simulator, over real TLS, hearing real speech."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import pytest

from tests.simulators.far_ends import FarEnds, far_ends
from warmline.core.formats import PCM_16K, PCMU_8K, AudioFormat
from warmline.core.line_use import LineUse
from warmline.errors import ProviderError, ProviderRejected, ProviderUnavailable
from warmline.interfaces.stt import Transcript, TurnHint, TurnHintKind
from warmline.providers.deepgram.protocol import (
    FluxSettings,
    NovaSettings,
    configure,
    flux_path,
    nova_path,
)
from warmline.providers.deepgram.recogniser import DeepgramRecogniser
from warmline.providers.deepgram.stream import DeepgramStream
from warmline.simulators.running import KEY
from warmline.simulators.script import Script

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

SENTENCES = ("The library is open on Monday.", "My name is Robert and I need a room.")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the recogniser of this machine the time it needs while other tests run."""
    monkeypatch.setattr("warmline.providers.deepgram.nova._FINALIZE_S", 8.0)
    monkeypatch.setattr("warmline.providers.deepgram.flux._FORCED_S", 8.0)
    monkeypatch.setattr("warmline.providers.deepgram.flux._MUTE_S", 8.0)


@dataclass
class Heard:
    """What a session is told."""

    transcripts: list[Transcript] = field(default_factory=list)
    failures: list[ProviderError] = field(default_factory=list)

    def finals(self) -> list[Transcript]:
        return [each for each in self.transcripts if each.is_final]

    async def until_final(self, count: int = 1) -> Transcript:
        with anyio.fail_after(10):
            while len(self.finals()) < count and not self.failures:  # noqa: ASYNC110 - callbacks, as a session has
                await anyio.sleep(0.02)
        return self.finals()[count - 1]

    async def until_failed(self) -> ProviderError:
        with anyio.fail_after(10):
            while not self.failures:  # noqa: ASYNC110 - as above
                await anyio.sleep(0.02)
        return self.failures[0]


def _words(text: str) -> set[str]:
    return set(text.lower().replace("?", "").replace(".", "").split())


@asynccontextmanager
async def listening(
    ends: FarEnds,
    *,
    is_flux: bool = False,
    flux: FluxSettings | None = None,
    ends_turns: bool = False,
    key: str = KEY,
) -> AsyncIterator[DeepgramRecogniser]:
    headers = {"authorization": f"Token {key}"}

    def sockets(audio_format: AudioFormat):
        path = (
            flux_path(flux or FluxSettings(), audio_format)
            if is_flux
            else nova_path(NovaSettings(), audio_format)
        )
        return ends.sockets(path, headers, warm=0)

    recogniser = DeepgramRecogniser(sockets, ends.lines.clock, is_flux=is_flux, ends_turns=ends_turns)
    async with recogniser:
        yield recogniser


async def speak(stream: DeepgramStream, audio: bytes, *, speed: float = 4.0) -> None:
    """Push audio as a caller's frames come, only faster."""
    size = stream.audio_format.size_bytes(0.02)
    for begin in range(0, len(audio), size):
        stream.push(audio[begin : begin + size])
        await anyio.sleep(0.02 / speed)


async def said(ends: FarEnds, text: str, audio_format: AudioFormat = PCM_16K) -> bytes:
    spoken = await ends.simulator.speech.spoken(text, audio_format)
    return audio_format.silence(0.3) + spoken.audio + audio_format.silence(0.2)


@pytest.mark.parametrize("is_flux", [False, True], ids=["nova", "flux"])
@pytest.mark.parametrize("audio_format", [PCM_16K, PCMU_8K], ids=["linear16", "mulaw"])
async def test_utterances_are_recognised_each_for_itself(is_flux: bool, audio_format: AudioFormat):
    async with far_ends("deepgram", sentences=SENTENCES) as ends, listening(ends, is_flux=is_flux) as stt:
        heard = Heard()
        lines: list[LineUse] = []
        stream = await stt.open(heard.transcripts.append, heard.failures.append, lines.append, audio_format)
        for number, (sentence, expected) in enumerate(
            zip(SENTENCES, [{"library", "open"}, {"robert", "room"}], strict=True), 1
        ):
            audio = await said(ends, sentence, audio_format)
            stream.begin_utterance(number)
            await speak(stream, audio)
            stream.finish_utterance()
            final = await heard.until_final(number)
            assert final.utterance == number
            # On a telephone the recogniser of this machine gets a synthetic voice wrong.
            assert final.text if audio_format is PCMU_8K else expected & _words(final.text)
        interims = [each for each in heard.transcripts if not each.is_final]
        assert interims
        assert len(heard.finals()) == 2
        assert not heard.failures
        assert len(lines) == 1
        await stream.aclose()


@pytest.mark.parametrize("is_flux", [False, True], ids=["nova", "flux"])
async def test_utterance_that_is_dropped_leaves_nothing_behind(is_flux: bool):
    async with far_ends("deepgram", sentences=SENTENCES) as ends, listening(ends, is_flux=is_flux) as stt:
        heard = Heard()
        stream = await stt.open(heard.transcripts.append, heard.failures.append)
        first, second = [await said(ends, sentence) for sentence in SENTENCES]
        stream.begin_utterance(1)
        await speak(stream, first)
        stream.discard_utterance()
        await anyio.sleep(0.3)
        stream.begin_utterance(2)
        await speak(stream, second)
        stream.finish_utterance()
        final = await heard.until_final()
        assert final.utterance == 2
        assert "library" not in _words(final.text)
        assert {"robert", "room"} & _words(final.text)
        await stream.aclose()


@pytest.mark.parametrize("is_flux", [False, True], ids=["nova", "flux"])
async def test_final_comes_even_of_nothing(is_flux: bool):
    async with far_ends("deepgram") as ends, listening(ends, is_flux=is_flux) as stt:
        heard = Heard()
        stream = await stt.open(heard.transcripts.append, heard.failures.append)
        stream.begin_utterance(7)
        await speak(stream, PCM_16K.silence(0.5))
        stream.finish_utterance()
        assert (await heard.until_final()).text == ""
        await stream.aclose()


async def test_nova_keeps_a_stream_open_that_hears_nothing():
    async with far_ends("deepgram", Script(key=KEY, idle_s=4.5)) as ends, listening(ends) as stt:
        heard = Heard()
        stream = await stt.open(heard.transcripts.append, heard.failures.append)
        await anyio.sleep(6)
        assert not heard.failures
        await stream.aclose()


async def test_nova_that_says_no_endpoint_is_asked_for_the_final_all_the_same():
    async with far_ends("deepgram", sentences=SENTENCES) as ends, listening(ends) as stt:
        heard = Heard()
        stream = await stt.open(heard.transcripts.append, heard.failures.append)
        ends.fault("no_endpoint")
        stream.begin_utterance(1)
        await speak(stream, await said(ends, SENTENCES[0]) + PCM_16K.silence(0.6))
        stream.finish_utterance()
        assert "library" in _words((await heard.until_final()).text)
        await stream.aclose()


async def test_flux_ends_a_turn_by_itself_after_a_guess_that_was_wrong_and_one_that_was_right():
    """The far end guesses 200 ms after speech and is sure at 600; it hears in pieces of 80 ms."""
    script = Script(key=KEY, transcript="Yes", eager_end_ms=200, end_of_turn_ms=600, eager_end_confidence=0.5)
    settings = FluxSettings(eager_eot_threshold=0.4)
    async with far_ends("deepgram", script) as ends:
        async with listening(ends, is_flux=True, flux=settings, ends_turns=True) as stt:
            heard, hints, ends_at_s = Heard(), list[TurnHint](), list[float]()

            def take(hint: TurnHint) -> None:
                assert heard.transcripts[-1].text == hint.text
                hints.append(hint)
                ends_at_s.append(ends.lines.clock.now_s())

            stream = await stt.open(heard.transcripts.append, heard.failures.append, on_hint=take)
            assert stream.ends_turns
            speech = (await ends.simulator.speech.spoken("Yes.", PCM_16K)).audio
            stream.begin_utterance(1)
            await speak(stream, speech + PCM_16K.silence(0.4) + speech, speed=1.0)
            spoken_at_s = ends.lines.clock.now_s()
            await speak(stream, PCM_16K.silence(1.2), speed=1.0)
            assert hints == [
                TurnHint(TurnHintKind.EAGER_END, 1, "Yes", 0.5),
                TurnHint(TurnHintKind.RESUMED, 1, "Yes", 0.1),
                TurnHint(TurnHintKind.EAGER_END, 1, "Yes Yes", 0.5),
                TurnHint(TurnHintKind.END, 1, "Yes Yes", 0.8),
            ]
            assert heard.finals() == [Transcript(1, "Yes Yes", is_final=True)]
            assert ends_at_s[3] - ends_at_s[2] == pytest.approx(0.4, abs=0.15)
            assert ends_at_s[3] - spoken_at_s == pytest.approx(0.6, abs=0.3)
            # The utterance is over: nobody waits for another final.
            stream.finish_utterance()
            await anyio.sleep(0.2)
            assert len(heard.finals()) == 1
            stream.send(configure(eot_threshold=0.6))
            await stream.aclose()


@pytest.mark.parametrize("fault", ["cut", "garbage", "error_mid_stream"])
async def test_stream_that_fails_says_so_once(fault: str):
    async with far_ends("deepgram", sentences=SENTENCES) as ends, listening(ends) as stt:
        heard = Heard()
        stream = await stt.open(heard.transcripts.append, heard.failures.append)
        ends.fault(fault)
        stream.begin_utterance(1)
        await speak(stream, await said(ends, SENTENCES[0]))
        stream.finish_utterance()
        problem = await heard.until_failed()
        assert isinstance(problem, ProviderUnavailable)
        stream.push(PCM_16K.silence(0.1))
        await anyio.sleep(0.2)
        assert len(heard.failures) == 1
        # The next one works.
        heard = Heard()
        again = await stt.open(heard.transcripts.append, heard.failures.append)
        again.begin_utterance(2)
        await speak(again, await said(ends, SENTENCES[1]))
        again.finish_utterance()
        assert "robert" in _words((await heard.until_final()).text)
        await again.aclose()


async def test_flux_that_goes_quiet_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("warmline.providers.deepgram.flux._MUTE_S", 0.8)
    async with far_ends("deepgram", sentences=SENTENCES) as ends, listening(ends, is_flux=True) as stt:
        heard = Heard()
        stream = await stt.open(heard.transcripts.append, heard.failures.append)
        ends.fault("stall;after=1")
        stream.begin_utterance(1)
        await speak(stream, await said(ends, SENTENCES[0]))
        problem = await heard.until_failed()
        assert "said nothing" in str(problem)
        await stream.aclose()


@pytest.mark.parametrize(
    ("fault", "advice", "kind"),
    [
        ("429", "limit of streams", ProviderUnavailable),
        ("quota", "credit is used up", ProviderRejected),
        ("500", "try again", ProviderUnavailable),
        ("drop", "Deepgram", ProviderUnavailable),
    ],
)
async def test_refused_handshake_says_what_the_operator_can_do(
    fault: str, advice: str, kind: type[ProviderError]
):
    async with far_ends("deepgram") as ends, listening(ends) as stt:
        ends.fault(f"{fault};times=0")
        with pytest.raises(kind, match=advice):
            await stt.open(lambda _: None, lambda _: None)


async def test_wrong_key_says_what_to_do_and_quotes_no_key():
    async with far_ends("deepgram") as ends, listening(ends, key="secret-and-wrong") as stt:
        with pytest.raises(ProviderRejected, match="set DEEPGRAM_API_KEY") as caught:
            await stt.open(lambda _: None, lambda _: None)
        assert "secret" not in str(caught.value)


async def test_query_that_is_wrong_refuses_the_handshake():
    async with far_ends("deepgram") as ends:
        async with listening(ends, is_flux=True, flux=FluxSettings(eot_threshold=0.2)) as stt:
            with pytest.raises(ProviderRejected, match=r"eot_threshold must be between"):
                await stt.open(lambda _: None, lambda _: None)
