"""The detector with its real model and thread, and with models that fail or stall."""

import asyncio
import threading
from collections.abc import Sequence

import anyio
import anyio.lowlevel
import numpy as np
import pytest

from warmline.audio.conversion import FormatEncoder
from warmline.audio.g711 import decode_pcmu
from warmline.audio.resample import StreamResampler
from warmline.audio.silero import SileroModel, SileroState, slice_samples
from warmline.audio.speech_segments import SpeechBegan, SpeechEnded, SpeechSegmenter
from warmline.core.formats import PCMU_8K, AudioFormat, Encoding
from warmline.errors import ProviderUnavailable
from warmline.providers.offline.voice_activity import (
    MAX_WAITING_SLICES,
    OfflineVoiceActivity,
    VoiceActivityLine,
)

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

SLICE_SAMPLES = slice_samples(16_000)
SLICE_BYTES = 2 * SLICE_SAMPLES
SILENCE = bytes(SLICE_BYTES)


class Listener:
    """Keeps what it is told, and can be awaited."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, int]] = []
        self._wanted = 0
        self._reached = anyio.Event()

    def __call__(self, probability: float, end_sample: int) -> None:
        self.heard.append((probability, end_sample))
        if len(self.heard) >= self._wanted:
            self._reached.set()

    async def wait_for(self, slices: int) -> None:
        self._wanted, self._reached = slices, anyio.Event()
        if len(self.heard) < slices:
            with anyio.fail_after(10):
                await self._reached.wait()


class StallingModel(SileroModel):
    """Says 0.5 of everything once it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.let_go = threading.Event()

    def infer(self, slices: np.ndarray, states: Sequence[SileroState]) -> np.ndarray:
        self.entered.set()
        assert self.let_go.wait(10)
        return np.full(len(states), 0.5, np.float32)


class CountingModel(SileroModel):
    """The model, which can be held up, and notes what it is given at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[tuple[int, int]] = []
        self.entered = threading.Event()
        self.let_go = threading.Event()
        self.let_go.set()

    def infer(self, slices: np.ndarray, states: Sequence[SileroState]) -> np.ndarray:
        self.entered.set()
        assert self.let_go.wait(10)
        self.batches.append((states[0].rate_hz, len(states)))
        return super().infer(slices, states)


class FailingModel(SileroModel):
    """Fails at the first slice."""

    def __init__(self) -> None:
        self.failed = threading.Event()

    def infer(self, slices: np.ndarray, states: Sequence[SileroState]) -> np.ndarray:
        self.failed.set()
        raise RuntimeError("out of memory")


@pytest.mark.parametrize("frame_bytes", [1, 640, 1_024, 5_000])
async def test_audio_when_pushed_in_any_frames_is_judged_slice_by_slice(speech, frame_bytes):
    """The frames of a channel need not be the model's slices."""
    audio = speech[:16_000] if frame_bytes == 1 else speech
    listener = Listener()
    async with OfflineVoiceActivity() as detector:
        stream = detector.open(listener)
        for start in range(0, len(audio), frame_bytes):
            stream.push(audio[start : start + frame_bytes])
        slices = len(audio) // SLICE_BYTES
        await listener.wait_for(slices)
    model, state = SileroModel(), SileroState()
    rows = np.frombuffer(audio[: slices * SLICE_BYTES], np.int16).reshape(slices, SLICE_SAMPLES)
    expected = [
        (float(model.infer(row[None], [state])[0]), i * SLICE_SAMPLES) for i, row in enumerate(rows, 1)
    ]
    assert [end for _, end in listener.heard] == [end for _, end in expected]
    assert [p for p, _ in listener.heard] == pytest.approx([p for p, _ in expected], abs=1e-5)


async def test_sessions_when_many_share_batches_and_hear_only_themselves(speech):
    """Sixty sessions at once: each gets what it would get alone, in far fewer runs than slices."""
    listeners = [Listener() for _ in range(60)]
    slices = len(speech) // SLICE_BYTES
    async with OfflineVoiceActivity() as detector:
        streams = [detector.open(listener) for listener in listeners]
        for start in range(0, slices * SLICE_BYTES, SLICE_BYTES):
            for index, stream in enumerate(streams):
                stream.push(speech[start : start + SLICE_BYTES] if index % 2 else SILENCE)
        for listener in listeners:
            await listener.wait_for(slices)
        done = detector.statistics()
    assert done.slices == 60 * slices
    assert done.batches < done.slices / 4
    assert 1 < done.largest_batch <= 32
    for index, listener in enumerate(listeners):
        probabilities = [p for p, _ in listener.heard]
        assert probabilities == pytest.approx([p for p, _ in listeners[index % 2].heard], abs=1e-5)
        assert (max(probabilities) > 0.8) == bool(index % 2)


async def test_stream_when_closed_with_a_slice_at_the_model_hears_nothing_more():
    """Hanging up at any instant is safe."""
    model, closed, open_one = StallingModel(), Listener(), Listener()
    async with OfflineVoiceActivity(model) as detector:
        stream, other = detector.open(closed), detector.open(open_one)
        stream.push(SILENCE * 3)
        other.push(SILENCE)
        stream.close()
        stream.push(SILENCE)
        model.let_go.set()
        await open_one.wait_for(1)
    assert closed.heard == []
    assert open_one.heard == [(0.5, SLICE_SAMPLES)]


async def test_session_when_its_callback_fails_does_not_deafen_the_others():
    """One session's mistake is reported to the loop, and the others hear on."""
    reported, listener = [], Listener()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))

    def fail(probability: float, end_sample: int) -> None:
        raise KeyError("a mistake")

    try:
        async with OfflineVoiceActivity() as detector:
            failing, other = detector.open(fail), detector.open(listener)
            failing.push(SILENCE)
            other.push(SILENCE * 2)
            await listener.wait_for(2)
    finally:
        asyncio.get_running_loop().set_exception_handler(None)
    assert [type(problem) for problem in reported] == [KeyError]


async def test_thread_when_it_fails_is_told_at_the_next_push():
    """A dead detector is not taken for a silent room."""
    model = FailingModel()
    async with OfflineVoiceActivity(model) as detector:
        stream = detector.open(Listener())
        stream.push(SILENCE)
        assert model.failed.wait(10)
        with pytest.raises(ProviderUnavailable, match="out of memory"):
            await push_until_refused(stream)


async def push_until_refused(stream: VoiceActivityLine) -> None:
    """Push as a session does, until the thread's end is known here."""
    with anyio.fail_after(10):
        while True:
            stream.push(SILENCE)
            await anyio.lowlevel.checkpoint()


async def test_detector_when_ten_seconds_behind_refuses_audio():
    """What waits is bounded, and overload is told."""
    model = StallingModel()
    async with OfflineVoiceActivity(model) as detector:
        stream = detector.open(Listener())
        stream.push(SILENCE)
        assert model.entered.wait(10)
        with pytest.raises(ProviderUnavailable, match="overloaded"):
            stream.push(SILENCE * (MAX_WAITING_SLICES + 1))
        model.let_go.set()


async def test_detector_when_closed_or_not_started_says_so():
    """No stream waits for a thread that is not there."""
    detector = OfflineVoiceActivity()
    with pytest.raises(ProviderUnavailable, match="not started"):
        detector.open(Listener())
    async with detector:
        stream = detector.open(Listener())
    with pytest.raises(ProviderUnavailable, match="closed"):
        stream.push(SILENCE)
    with pytest.raises(ProviderUnavailable, match="closed"):
        detector.open(Listener())


async def test_speech_on_a_telephone_is_found_where_it_is_at_16_khz(speech):
    """Cut to 8 kHz and through mu-law, judged by the weights for 8 kHz: within two slices of 32 ms."""
    noise = np.random.default_rng(5).normal(0, 60, 16_000).astype(np.int16).tobytes()
    whole = noise + speech + noise
    encoder = FormatEncoder(16_000, PCMU_8K)
    narrow = decode_pcmu(encoder.convert(whole) + encoder.flush())
    found = []
    async with OfflineVoiceActivity() as detector:
        for pcm, rate_hz in ((whole, 16_000), (narrow, 8_000)):
            listener, segmenter = Listener(), SpeechSegmenter(rate_hz=rate_hz, stop_ms=500)
            detector.open(listener, AudioFormat(Encoding.PCM16, rate_hz)).push(pcm)
            await listener.wait_for(len(pcm) // 2 // slice_samples(rate_hz))
            assert listener.heard[0][1] == slice_samples(rate_hz)
            events = [event for p, end in listener.heard if (event := segmenter.update(p, end, 0.5))]
            began, ended = events
            assert isinstance(began, SpeechBegan)
            assert isinstance(ended, SpeechEnded)
            found.append((began.start_sample * 1000 // rate_hz, ended.end_sample * 1000 // rate_hz))
    (wide_began_ms, wide_ended_ms), (began_ms, ended_ms) = found
    assert abs(began_ms - wide_began_ms) <= 64
    assert abs(ended_ms - wide_ended_ms) <= 64


async def test_rates_when_mixed_share_the_thread_and_are_judged_each_by_its_own_weights(speech):
    """One inference for all sessions of a rate; who else is on the telephone makes no difference."""
    model = CountingModel()
    narrow = StreamResampler(16_000, 8_000).convert(speech)
    rates_hz = (16_000, 8_000) * 6
    listeners = [Listener() for _ in rates_hz]
    async with OfflineVoiceActivity(model) as detector:
        model.let_go.clear()
        first = Listener()
        detector.open(first).push(SILENCE)
        assert model.entered.wait(10)
        for listener, rate_hz in zip(listeners, rates_hz, strict=True):
            detector.open(listener, AudioFormat(Encoding.PCM16, rate_hz)).push(
                (speech if rate_hz == 16_000 else narrow)[: 2 * rate_hz]
            )
        model.let_go.set()
        for listener in listeners:
            await listener.wait_for(31)
    assert model.batches[:3] == [(16_000, 1), (16_000, 6), (8_000, 6)]
    for rate_hz, pcm in ((16_000, speech), (8_000, narrow)):
        state, size = SileroState(rate_hz), slice_samples(rate_hz)
        rows = np.frombuffer(pcm, np.int16)[: 31 * size].reshape(31, size)
        alone = [float(SileroModel.infer(model, row[None], [state])[0]) for row in rows]
        for listener, other_hz in zip(listeners, rates_hz, strict=True):
            if other_hz == rate_hz:
                assert [p for p, _ in listener.heard] == pytest.approx(alone, abs=1e-5)
                assert [end for _, end in listener.heard] == [size * n for n in range(1, 32)]


async def test_speech_when_between_silence_and_noise_is_found_where_it_is(speech):
    """A second of noise, somebody speaking, a second of noise: one stretch, in the right place."""
    noise = np.random.default_rng(5).normal(0, 60, 16_000).astype(np.int16).tobytes()
    listener, segmenter = Listener(), SpeechSegmenter(stop_ms=500)
    async with OfflineVoiceActivity() as detector:
        stream = detector.open(listener)
        stream.push(noise + speech + noise)
        await listener.wait_for((len(speech) + 64_000) // SLICE_BYTES)
    events = [event for p, end in listener.heard if (event := segmenter.update(p, end, 0.5))]
    began, ended = events
    assert isinstance(began, SpeechBegan)
    assert isinstance(ended, SpeechEnded)
    assert 16_000 - 1_600 <= began.start_sample <= 16_000 + 4_800
    assert abs(ended.end_sample - (16_000 + len(speech) // 2)) <= 6_400


@pytest.mark.parametrize("level", [0, 60, 800])
async def test_noise_when_alone_is_never_speech(level):
    """A quiet room and a loud fan leave the floor alone."""
    noise = np.random.default_rng(6).normal(0, level, 16_000 * 5).astype(np.int16).tobytes()
    listener, segmenter = Listener(), SpeechSegmenter()
    async with OfflineVoiceActivity() as detector:
        detector.open(listener).push(noise)
        await listener.wait_for(len(noise) // SLICE_BYTES)
    assert [segmenter.update(p, end, 0.5) for p, end in listener.heard] == [None] * len(listener.heard)
