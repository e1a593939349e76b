"""Where a long recording is cut."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from warmline.providers.offline.stretches import LONGEST_S, stretches

pytestmark = pytest.mark.unit

RATE_HZ = 16_000


def sound(seconds, level=6_000):
    return (np.random.default_rng(1).normal(0, level, int(seconds * RATE_HZ))).astype(np.int16).tobytes()


def lengths_s(pcm):
    return [len(each) / 2 / RATE_HZ for each in stretches(pcm)]


def test_a_short_recording_is_one_stretch():
    """As nearly all voice notes are."""
    assert lengths_s(sound(LONGEST_S)) == [LONGEST_S]
    assert list(stretches(b"")) == []


def test_a_long_one_is_cut_in_its_pauses():
    """In the middle of the longest silence, not at the first breath."""
    speech = sound(13) + sound(0.1, 20) + sound(4) + sound(0.6, 20) + sound(20) + sound(0.5, 20) + sound(9)
    assert lengths_s(speech) == pytest.approx([17.4, 20.55, 9.25], abs=0.25)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(0.1, 30), st.integers(0, 8_000)), max_size=8))
def test_nothing_is_lost_and_no_stretch_is_too_long(parts):
    """Whatever is loud and quiet."""
    pcm = b"".join(sound(seconds, level) for seconds, level in parts)
    found = list(stretches(pcm))
    assert b"".join(found) == pcm
    assert all(0 < len(each) <= LONGEST_S * RATE_HZ * 2 for each in found)
    assert all(len(each) >= 12 * RATE_HZ * 2 for each in found[:-1])
