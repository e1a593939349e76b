"""A question is embedded once, whoever asks it."""

from __future__ import annotations

import numpy as np
import pytest

from warmline.knowledge.asked import AskedBefore

pytestmark = pytest.mark.unit


def vector(number: float) -> np.ndarray:
    return np.full(3, number, np.float32)


def test_only_what_is_known_is_recalled():
    asked = AskedBefore()
    asked.keep({"when are you open": vector(1)})
    found = asked.recall(["when are you open", "where are you"])
    assert list(found) == ["when are you open"]
    assert found["when are you open"][0] == 1


def test_what_was_asked_longest_ago_is_forgotten_first():
    """Being asked again counts."""
    asked = AskedBefore(kept=2)
    asked.keep({"first": vector(1), "second": vector(2)})
    asked.recall(["first"])
    asked.keep({"third": vector(3)})
    assert asked.recall(["first", "second", "third"]).keys() == {"first", "third"}
