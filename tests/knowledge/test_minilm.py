"""The embedding model, as installed."""

import shutil

import numpy as np
import pytest

from warmline.errors import ConfigError
from warmline.knowledge.minilm import DIMENSIONS, MiniLm, find_model

pytestmark = [
    pytest.mark.wire,
    pytest.mark.skipif(find_model() is None, reason="the embedding model is not installed"),
]


@pytest.fixture(scope="module")
def model():
    return MiniLm.load()


def test_embeddings_when_compared_then_as_published(model):
    """The three sentences of sentence-transformers' quickstart, and its printed similarities."""
    vectors = model.encode_all([
        "The weather is lovely today.",
        "It's so sunny outside!",
        "He drove to the stadium.",
    ])

    published = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
    assert np.abs(vectors @ vectors.T - published).max() < 1e-4


def test_embedding_when_in_a_batch_then_as_alone(model):
    """Padding does not leak into shorter texts, and the order is kept."""
    texts = [
        "",
        "Parking.",
        "\u0416\u4e2d\U0001f600",
        "word " * 400,
        *(f"room {n} " * n for n in range(1, 60, 7)),
    ]
    done: list[int] = []

    together = model.encode_all(texts, done.append)

    assert together.shape == (len(texts), DIMENSIONS)
    for text, vector in zip(texts, together, strict=True):
        assert np.abs(model.encode(text) - vector).max() < 1e-5
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-5)
    assert done == sorted(done)
    assert done[-1] == len(texts)


def test_embedding_when_a_text_is_too_long_then_its_beginning_counts(model):
    """The model was trained on 256 tokens; what follows them changes nothing."""
    assert np.array_equal(model.encode("word " * 300), model.encode("word " * 300 + "parking"))


def test_model_when_a_file_is_not_the_one_it_should_be_then_it_is_refused(tmp_path):
    """Weights from anywhere are not run unseen."""
    installed = find_model()
    assert installed is not None
    for name in ["model.safetensors", "tokenizer.json"]:
        shutil.copy(installed / name, tmp_path / name)
    with (tmp_path / "model.safetensors").open("r+b") as file:
        file.seek(50_000_000)
        file.write(b"changed")

    with pytest.raises(
        ConfigError, match=r"model\.safetensors has the SHA-256 .* not the model it should be"
    ):
        MiniLm.load(tmp_path)


def test_model_when_a_file_is_missing_then_the_error_says_how_to_install_it(tmp_path):
    """The one who reads it can do something."""
    with pytest.raises(ConfigError, match=r"cannot be read .*pip install"):
        MiniLm.load(tmp_path)
