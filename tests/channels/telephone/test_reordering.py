"""Chunks of a media stream, put in order."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from warmline.channels.telephone.media import MediaAudio
from warmline.channels.telephone.reordering import Reordering
from warmline.core.formats import PCMA_8K, PCMU_8K

pytestmark = pytest.mark.unit

FRAME = 160


def chunk(number, *, timestamp_ms=None):
    """Return a frame whose every byte is its number."""
    at_ms = (number - 1) * 20 if timestamp_ms is None else timestamp_ms
    return MediaAudio(bytes([number % 251]) * FRAME, number, at_ms)


def heard(numbers, audio_format=PCMU_8K):
    """Return the frames' numbers as they come out, and S for each frame of silence."""
    reordering = Reordering(audio_format)
    audio = b"".join(piece for number in numbers for piece in reordering.push(chunk(number)))
    return names(audio + b"".join(reordering.flush()), audio_format)


def names(audio, audio_format=PCMU_8K):
    assert len(audio) % FRAME == 0
    frames = [audio[at : at + FRAME] for at in range(0, len(audio), FRAME)]
    silent = audio_format.encoding.silent_byte * FRAME
    return ["S" if frame == silent else frame[0] for frame in frames]


def test_audio_in_order_goes_through_as_it_is():
    """Nothing is copied, and nothing waits."""
    reordering = Reordering(PCMU_8K)
    for number in range(1, 50):
        frame = chunk(number)
        [audio] = reordering.push(frame)
        assert audio is frame.audio


@given(data=st.data())
def test_any_order_within_the_window_and_any_repetition_give_the_original(data):
    """Each chunk comes at most two places behind one that follows it."""
    count = data.draw(st.integers(1, 40))
    late = data.draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    order = sorted(range(1, count + 1), key=lambda number: (number + late[number - 1], -number))
    sent = []
    for number in order:
        sent += [number] * data.draw(st.integers(1, 2))
        if data.draw(st.booleans()):
            sent.append(data.draw(st.sampled_from(sent)))
    assert heard(sent) == list(range(1, count + 1))


@given(
    st.lists(st.integers(0, 2**53), max_size=60), st.lists(st.integers(0, 2**40), min_size=60, max_size=60)
)
def test_whatever_comes_no_chunk_is_heard_twice_in_a_row_and_no_more_waits_than_may(numbers, timestamps_ms):
    """A far end that counts nonsense is heard all the same, and costs no memory."""
    reordering = Reordering(PCMU_8K)
    for number, at_ms in zip(numbers, timestamps_ms, strict=False):
        out = b"".join(reordering.push(chunk(number, timestamp_ms=at_ms)))
        assert len(out) <= FRAME * 4 + PCMU_8K.size_bytes(0.2) * 3
    assert len(reordering.flush()) <= 4


def test_what_does_not_come_is_filled_with_silence():
    """The samples behind it keep their places."""
    assert heard([1, 2, 4, 5, 6, 7]) == [1, 2, "S", 4, 5, 6, 7]
    assert heard([1, 4, 5, 6], PCMA_8K) == [1, "S", "S", 4, 5, 6]


def test_a_gap_is_waited_for_until_three_chunks_stand_behind_it():
    """That is 60 ms."""
    reordering = Reordering(PCMU_8K)
    reordering.push(chunk(1))
    assert reordering.push(chunk(3)) == []
    assert reordering.push(chunk(4)) == []
    assert names(b"".join(reordering.push(chunk(5)))) == ["S", 3, 4, 5]


def test_a_chunk_that_begins_much_later_ends_the_waiting():
    """A network that sends nothing in silences has not lost three frames."""
    reordering = Reordering(PCMU_8K)
    reordering.push(chunk(1))
    assert names(b"".join(reordering.push(chunk(3, timestamp_ms=80)))) == ["S", 3]


def test_a_chunk_that_comes_after_its_silence_is_dropped():
    """Its place is taken."""
    assert heard([1, 3, 4, 5, 2, 6]) == [1, "S", 3, 4, 5, 6]


def test_no_more_than_200_ms_of_a_gap_are_filled():
    """What was missing for longer is behind the person, and would only delay them."""
    assert heard([1, 2, 100]) == [1, 2, *["S"] * 10, 100]


def test_nothing_is_filled_in_front_of_the_first_chunk():
    """A stream may begin anywhere."""
    assert heard([7, 8, 9, 10]) == [7, 8, 9, 10]
    assert heard([0, 1, 2]) == [0, 1, 2]


def test_a_count_that_begins_anew_is_followed():
    """A call must not go deaf over a number."""
    assert heard([*range(1, 101), 1, 2, 3]) == [*range(1, 101), 1, 2, 3]
