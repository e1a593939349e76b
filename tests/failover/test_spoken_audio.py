"""What is kept of what is being said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.failover.spoken_audio import SpokenAudio, spliced
from warmline.interfaces.stt import Transcript

pytestmark = pytest.mark.unit

SECOND = 32_000


class Listener:
    """A recogniser's line that notes what it is given."""

    ends_turns = False

    def __init__(self):
        self.heard: list[str | bytes] = []

    def push(self, pcm):
        if self.heard and isinstance(self.heard[-1], bytes):
            self.heard[-1] += pcm
        else:
            self.heard.append(pcm)

    def begin_utterance(self, utterance):
        self.heard.append(f"begin {utterance}")

    def finish_utterance(self):
        self.heard.append("finish")

    def discard_utterance(self):
        self.heard.append("discard")

    async def aclose(self):
        pass


def given_to(audio: SpokenAudio) -> list[str | bytes]:
    listener = Listener()
    audio.give(listener, 0.0)
    return listener.heard


def test_utterance_is_given_with_the_half_second_before_it():
    audio = SpokenAudio(30)
    audio.push(b"a" * SECOND)
    audio.push(b"b" * 1000)
    audio.begin(1)
    audio.push(b"c" * 2000)
    lead_in = b"a" * (SECOND // 2 - 1000) + b"b" * 1000
    assert given_to(audio) == [lead_in, "begin 1", b"c" * 2000]
    audio.finish(7.0)
    assert given_to(audio) == [lead_in, "begin 1", b"c" * 2000, "finish"]


def test_utterances_whose_finals_are_missing_are_given_in_order_and_those_that_came_are_not():
    audio = SpokenAudio(30)
    for number in (1, 2, 3):
        audio.begin(number)
        audio.push(bytes([number]) * 100)
        audio.finish(0.0)
        audio.push(b"-" * 10)
    audio.settle(2)
    assert given_to(audio) == [
        "begin 1", b"\1" * 100, "finish", b"-" * 10, "begin 3", b"\3" * 100, "finish", b"-" * 10,
    ]  # fmt: skip


def test_nothing_is_given_of_what_nobody_wants():
    audio = SpokenAudio(30)
    audio.begin(1)
    audio.push(b"a" * 100)
    audio.clear()
    assert not audio
    assert given_to(audio) == []
    audio.push(b"b" * 10)
    assert given_to(audio) == [b"b" * 10]


@given(st.lists(st.tuples(st.sampled_from("pbfsc"), st.integers(1, 60_000)), max_size=60))
def test_what_is_kept_is_bounded_whatever_is_said(acts):
    audio, number = SpokenAudio(2), 0
    for act, size in acts:
        if act == "p":
            audio.push(bytes(size))
        elif act == "b":
            number += 1
            audio.begin(number)
        elif act == "f":
            audio.finish(0.0)
        elif act == "s":
            audio.settle(number)
        else:
            audio.clear()
        kept = sum(len(each) for each in given_to(audio) if isinstance(each, bytes))
        assert kept <= 4 * (2.5 * SECOND) + SECOND / 2
        assert len(list(audio)) <= 4


@given(st.lists(st.integers(1, 5_000), max_size=40))
def test_audio_of_an_utterance_is_given_as_it_came(sizes):
    audio = SpokenAudio(30)
    audio.begin(1)
    whole = b"".join(bytes([place % 251]) * size for place, size in enumerate(sizes))
    at = 0
    for size in sizes:
        audio.push(whole[at : at + size])
        at += size
    assert b"".join(each for each in given_to(audio) if isinstance(each, bytes)) == whole


def test_partials_of_a_replay_take_no_words_back():
    audio = SpokenAudio(30)
    utterance = audio.begin(1)
    audio.push(b"a" * 100)
    audio.give(Listener(), 0.0)
    assert utterance.take(Transcript(1, "when do you", is_final=False))
    audio.give(Listener(), 0.0)
    assert utterance.take(Transcript(1, "when", is_final=False)) is None
    assert utterance.take(Transcript(1, "when did", is_final=False)) is None
    later = utterance.take(Transcript(1, "when did you", is_final=False))
    assert later is not None
    assert later.text == "when did you"
    final = utterance.take(Transcript(1, "when", is_final=True))
    assert final == Transcript(1, "when", is_final=True)


def test_utterance_that_was_too_long_to_keep_is_joined_to_what_was_understood_of_it():
    audio = SpokenAudio(1)
    utterance = audio.begin(1)
    audio.give(Listener(), 0.0)
    for _ in range(30):
        audio.push(b"a" * 3200)
    utterance.take(Transcript(1, "I would like to know when you open on Sundays", is_final=False))
    heard = given_to(audio)
    assert heard[0] == "begin 1"
    assert len(heard[1]) == SECOND
    final = utterance.take(Transcript(1, "when you open on Sundays and how", is_final=True))
    assert final is not None
    assert final.text == "I would like to know when you open on Sundays and how"


@pytest.mark.parametrize(
    ("before", "after", "whole"),
    [
        ("a b c d e", "c d e f", "a b c d e f"),
        ("a b c d x", "b c d e f", "a b c d e f"),
        ("A B C", "b c d e", "A B C b c d e"),
        ("a b", "", "a b"),
        ("", "a b", "a b"),
    ],
)
def test_texts_are_joined_where_they_share_words(before, after, whole):
    assert spliced(before, after) == whole


@given(st.lists(st.integers(0, 10**6), unique=True, min_size=3), st.integers(0, 100), st.integers(0, 100))
def test_overlapping_parts_of_a_text_are_the_text(numbers, one, other):
    words = [f"w{number}" for number in numbers]
    end = max(one % (len(words) + 1), 3)
    start = min(other % (len(words) + 1), end - 3)
    assert spliced(" ".join(words[:end]), " ".join(words[start:])) == " ".join(words)
