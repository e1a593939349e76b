"""What a synthesiser is given, and what silence is cut from what it makes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.providers.offline.silence_trim import SENTENCE_PAUSE_MS, SilenceTrimmer
from warmline.providers.offline.speakable import MAX_PIECE_CHARACTERS, pieces_of, words_of

pytestmark = pytest.mark.unit


@given(st.text(max_size=400))
def test_pieces_when_cut_keep_every_character_in_its_place(text):
    """A position in a piece is a position in the text; what differs is blank."""
    end = 0
    for piece in pieces_of(text):
        assert piece.start >= end
        end = piece.start + len(piece.text)
        original = text[piece.start : end]
        assert len(original) == len(piece.text) <= MAX_PIECE_CHARACTERS
        assert all(b in (a, " ") for a, b in zip(original, piece.text, strict=True))


@pytest.mark.parametrize("text", ["", " ", "...", "?!", "😀😀", "\0\0", "—", "\ud800", "**", "\u2028"])
def test_text_when_without_a_word_has_no_pieces(text):
    """There is nothing to say."""
    assert pieces_of(text) == []


def test_sentences_when_several_are_one_piece_each():
    """The synthesiser can turn to another session after each."""
    assert [piece.text.strip() for piece in pieces_of("It is late. Is it? Yes!")] == [
        "It is late.",
        "Is it?",
        "Yes!",
    ]


def test_full_stop_when_it_ends_no_sentence_makes_no_pause():
    """ "Dr. Smith" is said in one breath."""
    assert [piece.text for piece in pieces_of("Dr. Smith is in.")] == ["Dr  Smith is in."]


def test_marks_when_not_for_the_ear_are_left_out():
    """Markdown, control characters and pictures are not read aloud; money is."""
    assert [piece.text for piece in pieces_of("**Bold** `x`\0 😀 costs $5")] == ["  Bold    x     costs $5"]


@pytest.mark.parametrize("text", ["word " * 500, "one, two " * 300, "x" * 3_000, "日" * 1_000])
def test_sentence_when_endless_is_cut_into_pieces(text):
    """No text holds up the others for long, and none of it is lost."""
    pieces = pieces_of(text)
    assert "".join(piece.text for piece in pieces) == text
    assert max(len(piece.text) for piece in pieces) <= MAX_PIECE_CHARACTERS


def test_words_when_listed_are_what_stands_between_blanks():
    """Each with the punctuation that clings to it."""
    text = " Well, 3rd-party\n(yes)! "
    assert [text[word.start : word.end] for word in words_of(text)] == ["Well,", "3rd-party", "(yes)!"]


def trimmed(samples: np.ndarray, cuts: list[int]) -> tuple[np.ndarray, int]:
    trimmer, pieces, start = SilenceTrimmer(1_000), [], 0
    for cut in [*cuts, len(samples)]:
        pieces.append(trimmer.feed(samples[start : start + cut]))
        start += cut
    return np.concatenate([*pieces, trimmer.finish()]), trimmer.dropped_samples


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 400), st.lists(st.integers(0, 60), max_size=10))
def test_silence_when_around_speech_is_trimmed_and_within_it_kept(lead, gap, tail, cuts):
    """However the audio is cut: no lead, the inner pause whole, and one pause at the end."""
    quiet = np.array([20, -20], np.int16)
    speech = np.concatenate([
        np.resize(quiet, lead),
        [9_000, 8_000],
        np.resize(quiet, gap),
        [7_000],
        np.resize(quiet, tail),
    ]).astype(np.int16)
    audio, dropped = trimmed(speech, cuts)
    assert dropped == lead
    assert audio[: 3 + gap].tolist() == speech[lead : lead + 3 + gap].tolist()
    assert audio[3 + gap :].tolist() == [0] * SENTENCE_PAUSE_MS


@given(st.integers(0, 500), st.lists(st.integers(0, 60), max_size=10))
def test_silence_when_alone_is_nothing(length, cuts):
    """A piece without a sound takes no time."""
    audio, dropped = trimmed(np.zeros(length, np.int16), cuts)
    assert (len(audio), dropped) == (0, length)
