"""Embeddings on disk."""

import numpy as np
import pytest

from warmline.knowledge.minilm import DIMENSIONS
from warmline.knowledge.vectors import VectorFile, text_digest

pytestmark = pytest.mark.wire


@pytest.fixture
def file(tmp_path):
    return VectorFile(tmp_path / "cache", tmp_path / "documents")


@pytest.fixture
def vectors():
    random = np.random.default_rng(0)
    return {text_digest(f"text {n}"): random.normal(size=DIMENSIONS).astype(np.float32) for n in range(5)}


def test_vectors_when_written_then_they_are_read_again(file, vectors):
    """What was embedded once is there the next time."""
    assert file.read() == {}

    file.write(vectors)

    found = file.read()
    assert found.keys() == vectors.keys()
    assert all(np.array_equal(found[digest], vectors[digest]) for digest in vectors)


def test_vectors_when_replaced_then_only_one_file_is_left(file, vectors):
    """No part of an old or unfinished file stays behind."""
    file.write(vectors)
    kept = dict(list(vectors.items())[:2])

    file.write(kept)

    assert file.read().keys() == kept.keys()
    assert list(file.path.parent.iterdir()) == [file.path]


def test_vectors_when_of_another_folder_then_they_are_kept_apart(tmp_path, file, vectors):
    """Two sets of documents do not throw each other out."""
    file.write(vectors)
    assert VectorFile(tmp_path / "cache", tmp_path / "other").read() == {}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: data[:100],
        lambda data: data[:-300],
        lambda data: b"not an archive",
        lambda data: data[:2000] + bytes(64) + data[2064:],
    ],
    ids=["empty", "head", "no end", "text", "a hole"],
)
def test_vectors_when_the_file_is_damaged_then_it_counts_as_empty(file, vectors, spoil):
    """A full disk or a crash costs time, not the start."""
    file.write(vectors)
    file.path.write_bytes(spoil(file.path.read_bytes()))
    assert file.read() == {}


@pytest.mark.parametrize(
    "arrays",
    [
        {"digests": np.zeros((2, 32), np.uint8)},
        {"digests": np.zeros((2, 32), np.uint8), "vectors": np.zeros((3, DIMENSIONS), np.float32)},
        {"digests": np.zeros((2, 32), np.uint8), "vectors": np.zeros((2, 10), np.float32)},
        {"digests": np.zeros((2, 32), np.uint8), "vectors": np.full((2, DIMENSIONS), np.nan, np.float32)},
        {"digests": np.zeros(2, np.uint8), "vectors": np.zeros((2, DIMENSIONS), np.float32)},
        {"digests": np.array([{}, {}], object), "vectors": np.zeros((2, DIMENSIONS), np.float32)},
    ],
    ids=["no vectors", "more vectors", "other model", "not numbers", "no digests", "objects"],
)
def test_vectors_when_the_file_holds_something_else_then_it_counts_as_empty(file, arrays):
    """Nothing is unpickled, and nothing of the wrong shape is searched."""
    file.path.parent.mkdir(parents=True)
    np.savez(file.path, **arrays)
    assert file.read() == {}


def test_vectors_when_the_folder_cannot_be_made_then_writing_says_so(tmp_path, vectors):
    """Whoever builds the index can go on without."""
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(OSError, match="cache"):
        VectorFile(tmp_path / "cache", tmp_path).write(vectors)
