"""Replies cut into messages with marks between, and what the marks tell."""

from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from warmline.channels.telephone.marking import Cut, MarkedPlayout, Played, SendAudio, SendMark
from warmline.core.formats import PCM_16K, PCMU_8K

pytestmark = pytest.mark.unit

MS = 8
"""Bytes of mu-law."""


def playout(reply_id="r1"):
    made = MarkedPlayout(PCMU_8K)
    made.begin(reply_id, f"item_{reply_id}")
    return made


def sizes(sends):
    """Return each message as its milliseconds, and each mark as its name."""
    return [len(send.audio) / MS if isinstance(send, SendAudio) else send.name for send in sends]


def test_marks_stand_behind_the_first_20_ms_and_then_every_200_ms():
    """So it is known soon that a reply is heard, and never for long how far it is."""
    made = playout()
    assert sizes(made.add("r1", b"a" * 500 * MS, 0.0)) == [20, "1", 200, "2", 200, "3", 80]
    assert sizes(made.add("r1", b"a" * 130 * MS, 0.0)) == [120, "4"]
    assert sizes(made.complete("r1")) == [20, "5"]


def test_a_piece_that_is_a_message_is_sent_as_it_is():
    """No byte is copied."""
    made = playout()
    made.add("r1", b"a" * 20 * MS, 0.0)
    piece = b"b" * 40 * MS
    [send] = made.add("r1", piece, 0.0)
    assert send.audio is piece


def test_what_is_too_short_for_a_message_goes_with_the_next():
    """20 ms are the least that Telnyx takes."""
    made = playout()
    assert made.add("r1", b"a" * 15 * MS, 0.0) == []
    assert made.add("r1", b"b" * 9 * MS, 0.0) == [SendAudio(b"a" * 120 + b"b" * 40), SendMark("1")]
    assert sizes(made.add("r1", b"c" * 30 * MS, 0.0)) == [34]


def test_a_short_tail_is_padded_with_silence_at_the_end():
    """Of the codec: a zero byte is a click in mu-law."""
    made = playout()
    made.add("r1", b"a" * 23 * MS, 0.0)
    assert made.complete("r1") == [SendAudio(b"a" * 24 + b"\xff" * 136), SendMark("2", is_last=True)]
    assert made.complete("r1") == []


def test_a_reply_without_sound_needs_no_mark():
    """Nothing of it will be heard."""
    made = playout()
    assert made.complete("r1") == []
    assert made.add("r0", b"a" * 800, 0.0) == []


def test_marks_tell_what_was_heard():
    """The first of them that sound is heard at all, the last that nothing more comes."""
    made = playout()
    made.add("r1", b"a" * 250 * MS, 0.0)
    made.complete("r1")
    # 70 ms for both ways, and 10 until the end of a frame.
    assert made.reached("1", 0.1) == [Played("r1", 20, True, False, 0.035)]
    assert made.reached("2", 0.3) == [Played("r1", 220, is_first=False, is_whole=False)]
    assert made.reached("3", 0.4) == [Played("r1", 250, is_first=False, is_whole=True)]
    assert made.reached("3", 0.4) == []


def test_a_mark_tells_of_those_in_front_of_it_that_got_lost():
    """They stand in the same queue."""
    made = playout()
    made.add("r1", b"a" * 220 * MS, 0.0)
    made.complete("r1")
    made.begin("r2", "item_r2")
    made.add("r2", b"a" * 20 * MS, 0.0)
    assert made.reached("4", 1.0) == [
        Played("r1", 220, True, True, 0.485),
        Played("r2", 20, True, False, 0.97),  # It waited for the other to end.
    ]


def test_a_stop_tells_of_the_last_mark_and_the_time_since():
    """Marks stand 200 ms apart; a person interrupts in between."""
    made = playout()
    made.add("r1", b"a" * 1000 * MS, 0.0)
    made.reached("1", 10.0)
    made.reached("2", 10.2)
    stop = made.stop("r1", 10.25)
    assert stop.is_needed
    assert stop.cuts == [Cut("r1", "item_r1", 270)]


def test_marks_that_a_clear_gives_back_count_for_nothing():
    """They come all at once, and none of the audio in front of them was played."""
    made = playout()
    made.add("r1", b"a" * 1000 * MS, 0.0)
    made.reached("1", 10.0)
    made.stop("r1", 10.0)
    assert [made.reached(str(mark), 10.1) for mark in range(1, 7)] == [[]] * 6


def test_no_more_was_heard_than_was_sent():
    """A queue that ran dry does not play on."""
    made = playout()
    made.add("r1", b"a" * 230 * MS, 0.0)
    made.reached("1", 10.0)
    assert made.stop("r1", 15.0).cuts == [Cut("r1", "item_r1", 230 - 10)]


def test_nothing_is_known_to_be_heard_before_the_first_mark():
    """It may still be on its way."""
    made = playout()
    made.add("r1", b"a" * 500 * MS, 0.0)
    assert made.stop("r1", 99.0).cuts == [Cut("r1", "item_r1", 0)]


def test_a_stop_of_what_was_heard_to_its_end_needs_no_clear():
    """There is nothing left to drop, and nothing to tell."""
    made = playout()
    made.add("r1", b"a" * 40 * MS, 0.0)
    made.complete("r1")
    made.reached("2", 1.0)
    stop = made.stop("r1", 2.0)
    assert not stop.is_needed
    assert stop.cuts == []


def test_a_stop_of_what_ran_dry_tells_what_was_heard():
    """More was to come."""
    made = playout()
    made.add("r1", b"a" * 20 * MS, 0.0)
    made.reached("1", 1.0)
    stop = made.stop("r1", 2.0)
    assert not stop.is_needed
    assert stop.cuts == [Cut("r1", "item_r1", 20)]


def test_a_reply_in_front_is_cut_with_the_one_behind():
    """There is one queue; what comes behind is stopped by itself."""
    made = playout()
    made.add("r1", b"a" * 500 * MS, 0.0)
    made.complete("r1")
    made.begin("r2", "item_r2")
    made.add("r2", b"a" * 500 * MS, 0.0)
    made.reached("1", 1.0)
    assert made.stop("r1", 1.1).cuts == [Cut("r1", "item_r1", 120)]
    second = made.stop("r2", 1.1)
    assert not second.is_needed
    assert second.cuts == [Cut("r2", "item_r2", 0)]
    assert made.stop("r2", 1.1).cuts == []


def test_the_next_reply_sounds_from_the_last_mark_of_the_one_before():
    """They are played one behind the other."""
    made = playout()
    made.add("r1", b"a" * 20 * MS, 0.0)
    made.complete("r1")
    made.begin("r2", "item_r2")
    made.add("r2", b"a" * 500 * MS, 0.0)
    made.reached("2", 1.0)
    assert made.stop("r2", 1.015).cuts == [Cut("r2", "item_r2", 15)]


def test_a_silence_that_the_far_end_tells_of_was_not_heard():
    """Files may have a gap between them, which marks alone would not show."""
    made = playout()
    made.add("r1", b"a" * 1_000 * MS, 0.0)
    made.sounds(is_on=True, now_s=10.0)
    made.sounds(is_on=False, now_s=10.3)
    assert made.is_playing
    made.sounds(is_on=True, now_s=12.0)
    assert made.stop("r1", 12.1).cuts == [Cut("r1", "item_r1", 400)]
    made.sounds(is_on=True, now_s=13.0)
    assert not made.is_playing


def test_a_reply_goes_on_where_it_was_stopped():
    """Its milliseconds go on counting, and its end is known."""
    made = playout()
    made.add("r1", b"a" * 1000 * MS, 0.0)
    made.reached("1", 1.0)
    made.stop("r1", 1.3)
    assert made.is_cut("r1")
    made.resume("r1", "item_r1", 300, 640)
    assert not made.is_cut("r1")
    sends = made.add("r1", b"a" * 340 * MS, 0.0)
    assert sizes(sends) == [20, "6", 200, "7", 120, "8"]
    [resumed] = made.reached("6", 2.0)
    assert (resumed.played_ms, resumed.is_first, resumed.is_whole) == (320, True, False)
    assert made.reached("8", 2.4) == [Played("r1", 640, is_first=False, is_whole=True)]


def test_what_was_not_heard_is_sent_again_on_another_stream():
    """A network that breaks off takes its queue with it."""
    made = playout()
    made.add("r1", b"a" * 20 * MS + b"b" * 300 * MS, 0.0)
    made.reached("1", 1.0)
    assert made.unplayed() == [SendAudio(b"b" * 200 * MS), SendMark("2"), SendAudio(b"b" * 100 * MS)]
    assert made.stop("r1", 9.0).cuts == [Cut("r1", "item_r1", 20)]


def test_what_ran_dry_plays_on_only_when_more_is_sent():
    """Else a gap would count as heard."""
    made = playout()
    made.add("r1", b"a" * 170 * MS, 0.0)
    made.reached("1", 1.0)
    made.add("r1", b"a" * 400 * MS, 3.0)
    assert made.stop("r1", 3.05).cuts == [Cut("r1", "item_r1", 220)]


@given(st.lists(st.integers(1, 3000), max_size=30), st.sampled_from([PCMU_8K, PCM_16K]))
def test_every_sample_is_sent_once_in_messages_that_are_long_enough(lengths, audio_format):
    """However a voice cuts its sound."""
    made = MarkedPlayout(audio_format)
    made.begin("r1", "item_r1")
    whole, sends = b"", []
    for number, length in enumerate(lengths):
        audio = bytes([number]) * (length * audio_format.encoding.sample_bytes)
        whole += audio
        sends += made.add("r1", audio, 0.0)
    sends += made.complete("r1")
    sent = [send.audio for send in sends if isinstance(send, SendAudio)]
    least = audio_format.size_bytes(0.02)
    assert all(len(audio) >= least for audio in sent)
    joined = b"".join(sent)
    assert joined[: len(whole)] == whole
    assert len(joined) - len(whole) < least
    assert joined[len(whole) :].strip(audio_format.encoding.silent_byte) == b""
    marks = [send.name for send in sends if isinstance(send, SendMark)]
    assert len(set(marks)) == len(marks)
    if lengths:
        assert isinstance(sends[-1], SendMark)
        played = [report for mark in marks for report in made.reached(mark, 0.0)]
        assert played[-1].is_whole
        assert abs(played[-1].played_ms - audio_format.duration_s(len(whole)) * 1000) <= 0.51
        assert all(b.played_ms - a.played_ms <= 221 for a, b in pairwise(played))
