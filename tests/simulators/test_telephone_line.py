"""The loudspeaker of a telephone, on instants that are given to it."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.simulators.telephone.codec import Codec, Decoder, Encoder
from warmline.simulators.telephone.line import Line, Track

pytestmark = pytest.mark.unit


def tone(seconds, level=1000):
    return np.full(round(seconds * 8000), level, np.int16).tobytes()


def samples(pcm):
    return np.frombuffer(pcm, np.int16)


def test_what_is_queued_is_heard_from_the_instant_it_came_with_silence_around_it():
    track = Track()
    track.push(tone(0.1), 0.25)
    heard, _ = track.play(0.5)
    assert len(samples(heard)) == 4000
    assert samples(heard).tolist() == [0] * 2000 + [1000] * 800 + [0] * 1200
    assert [(s.started_s, s.ended_s) for s in track.stretches] == [(0.25, 0.35)]


def test_what_is_heard_does_not_depend_on_how_often_somebody_listens():
    """A tick that is late, or missing, moves no sample."""
    heard = []
    for ticks in (range(1, 51), [7, 8, 30, 50]):
        track, pieces = Track(), b""
        for tick in ticks:
            if tick == 7:
                track.push(tone(0.3, 1) + tone(0.2, 2), 0.131)
            pieces += track.play(tick * 0.02)[0]
        heard.append(pieces)
    assert heard[0] == heard[1]
    assert len(heard[0]) == 16_000


def test_a_mark_comes_when_the_audio_before_it_was_played():
    track = Track()
    track.mark("nothing before it", 0.0)
    track.push(tone(0.05), 0.0)
    track.mark("first", 0.0)
    track.push(tone(0.05), 0.0)
    track.mark("second", 0.01)
    assert [track.play(instant)[1] for instant in (0.02, 0.04, 0.06, 0.08, 0.1)] == [
        ["nothing before it"],
        [],
        ["first"],
        [],
        ["second"],
    ]


def test_clear_drops_what_is_queued_and_returns_its_marks_at_once():
    track = Track()
    track.push(tone(1), 0.0)
    track.mark("a", 0.0)
    track.push(tone(1), 0.0)
    track.mark("b", 0.0)
    assert track.lead_s == 2
    track.clear(0.3)
    heard, marks = track.play(0.32)
    assert marks == ["a", "b"]
    assert np.count_nonzero(samples(heard)) == 2400
    track.push(tone(0.1), 0.4)
    track.play(0.6)
    assert [(s.started_s, s.ended_s, s.is_underrun) for s in track.stretches] == [
        (0.0, 0.3, False),
        (0.4, 0.5, False),
    ]


def test_a_queue_that_runs_dry_inside_a_reply_is_an_underrun_and_a_pause_between_replies_is_none():
    track = Track()
    for instant_s in (0.0, 0.1, 0.25, 3.0):
        track.push(tone(0.1), instant_s)
    track.play(4.0)
    assert [(s.started_s, s.ended_s, s.is_underrun) for s in track.stretches] == [
        (0.0, 0.2, False),
        (0.25, 0.35, True),
        (3.0, 3.1, False),
    ]
    assert track.underruns == 1
    assert track.longest_lead_s == 0.1


def test_a_line_mixes_the_stream_with_what_the_network_plays():
    line = Line()
    line.stream.push(tone(0.04, 20_000), 0.0)
    line.announcements.push(tone(0.02, 20_000), 0.01)
    line.announcements.mark("said", 0.01)
    assert line.play(0.02).announced == ()
    assert line.play(0.04).announced == ("said",)
    assert samples(bytes(line.heard)).tolist() == [20_000] * 80 + [32_767] * 160 + [20_000] * 80


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("push"), st.integers(1, 400)),
            st.tuples(st.just("mark"), st.just(0)),
            st.tuples(st.just("clear"), st.just(0)),
            st.tuples(st.just("wait"), st.integers(1, 500)),
        ),
        max_size=40,
    )
)
def test_no_sample_is_lost_or_doubled_and_each_mark_comes_back_once(script):
    """Whatever comes in whatever order, in real time."""
    track, now, pushed, marks, cleared = Track(), 0, 0, 0, 0
    heard = b""
    reached: list[str] = []
    for what, amount in script:
        if what == "push":
            track.push(tone(amount / 8000), now / 8000)
            pushed += amount
        elif what == "mark":
            track.mark(str(marks), now / 8000)
            marks += 1
        elif what == "clear":
            before = round(track.lead_s * 8000)
            track.clear(now / 8000)
            cleared += before
        else:
            now += amount
            pieces, names = track.play(now / 8000)
            heard, reached = heard + pieces, reached + names
    end = now + pushed + 1
    pieces, names = track.play(end / 8000)
    heard, reached = heard + pieces, reached + names
    assert len(heard) == end * 2
    assert np.count_nonzero(samples(heard)) == pushed - cleared
    assert reached == [str(number) for number in range(marks)]
    assert sum(round((s.ended_s - s.started_s) * 8000) for s in track.stretches) == pushed - cleared
    assert all(before.ended_s < after.started_s for before, after in pairwise(track.stretches))


@pytest.mark.parametrize(
    ("codec", "frame_bytes"),
    [
        (Codec("PCMU"), 160),
        (Codec("PCMA"), 160),
        (Codec("L16"), 320),
        (Codec("L16", is_big_endian=True), 320),
        (Codec("L16", 16_000), 640),
    ],
)
def test_every_codec_carries_a_tone_in_frames_of_20_ms(codec, frame_bytes):
    speech = (8000 * np.sin(np.arange(8000) * 2 * np.pi * 440 / 8000)).astype(np.int16)
    encoder, decoder = Encoder(codec), Decoder(codec)
    frames = [encoder.frame(speech[begin : begin + 160].tobytes()) for begin in range(0, 8000, 160)]
    assert {len(frame) for frame in frames} == {codec.frame_bytes} == {frame_bytes}
    assert codec.duration_s(frame_bytes) == 0.02
    heard = samples(b"".join(decoder.samples(frame) for frame in frames)).astype(float)
    levels = [np.sqrt((part[2000:6000].astype(float) ** 2).mean()) for part in (speech, heard)]
    assert levels[1] == pytest.approx(levels[0], rel=0.02)
    assert abs(heard).max() < 8300


def test_half_a_sample_waits_for_its_other_half():
    decoder = Decoder(Codec("L16"))
    assert decoder.samples(b"\x01") + decoder.samples(b"\x02\x03") + decoder.samples(b"\x04") == bytes((
        1,
        2,
        3,
        4,
    ))
