"""Closeness to score, for models that nobody has looked at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.knowledge.calibration import ANYTHING, MINILM, calibrated

pytestmark = pytest.mark.unit

CLOSENESS = st.floats(-0.2, 0.9)


def test_questions_about_anything_are_all_different():
    assert len(set(ANYTHING)) == len(ANYTHING) >= 30


def test_model_of_this_machine_keeps_the_scale_that_was_read_off_its_figures():
    closeness = np.array([-0.5, 0.0, 0.25 / 0.9, 0.5, 1.0])
    assert MINILM.scores(closeness) == pytest.approx([0.0, 0.0, 0.25, 0.45, 0.9])


def test_three_questions_in_four_about_anything_score_below_what_is_relevant():
    closest = [0.70, 0.72, 0.74, 0.76, 0.78, 0.80, 0.82, 0.84]
    scores = calibrated(closest).scores(np.array(closest))
    assert sum(scores < 0.25) == 6
    assert calibrated(closest).scores(np.array([1.0])) == pytest.approx([1.0])


@given(
    closest=st.lists(CLOSENESS, min_size=4, max_size=40),
    asked=st.lists(CLOSENESS, min_size=1, max_size=10),
    shift=st.floats(0.0, 0.9),
)
def test_scores_are_the_same_for_a_model_that_finds_everything_more_alike(closest, asked, shift):
    """Its cosines are crowded between `shift` and 1."""

    def crowded(values):
        return shift + (1 - shift) * np.array(values)

    plain = calibrated(closest).scores(np.array(asked))
    assert calibrated(crowded(closest)).scores(crowded(asked)) == pytest.approx(plain, abs=0.01)


@given(closest=st.lists(st.floats(-1, 1), min_size=1, max_size=40), asked=st.floats(-1, 1))
def test_score_is_a_share_whatever_the_model(closest, asked):
    assert 0 <= calibrated(closest).scores(np.array([asked]))[0] <= 1
