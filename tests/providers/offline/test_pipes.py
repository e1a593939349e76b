"""Frames on a pipe."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.errors import RemoteProtocolError
from warmline.providers.offline.pipes import Frame, FrameSplitter, pack_frame

pytestmark = pytest.mark.unit

FRAMES = st.builds(Frame, st.integers(0, 255), st.integers(-(2**63), 2**63 - 1), st.binary(max_size=60))


@given(st.lists(FRAMES, max_size=8), st.lists(st.integers(0, 40), max_size=30))
def test_frames_when_cut_anywhere_come_out_whole_and_in_order(frames, cuts):
    """A pipe hands over whatever it has; nothing is lost or joined."""
    data = b"".join(pack_frame(*frame) for frame in frames)
    splitter, received, start = FrameSplitter(), [], 0
    for cut in cuts:
        received += splitter.feed(data[start : start + cut])
        start += cut
    received += splitter.feed(data[start:])
    assert received == frames


@given(st.binary(max_size=200))
def test_bytes_when_garbage_give_frames_or_an_error(data):
    """No bytes can do anything else."""
    with contextlib.suppress(RemoteProtocolError):
        frames = FrameSplitter().feed(data)
        assert data.startswith(b"".join(pack_frame(*frame) for frame in frames))


def test_frame_when_longer_than_any_is_refused():
    """A damaged length does not make us wait for gigabytes."""
    with pytest.raises(RemoteProtocolError, match="4294967295 bytes"):
        FrameSplitter().feed(b"\x01" + bytes(8) + b"\xff" * 4)
