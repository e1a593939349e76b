"""Whether a draft's words are still the turn's words."""

import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.turns.fit import Fits, normalised, same_words, word_count

pytestmark = pytest.mark.unit

FITTING = [
    ("what time do you open", "What time do you open?"),
    ("what time do you open", "What time do you open, please?"),
    ("please tell me the fees", "Tell me the fees."),
    ("what time um do you open", "What time do you open?"),
    ("Um, uh, what time do you open", "What time do you open?"),
    ("I don\u2019t know", "i don't know"),
    ("twenty-five", "Twenty five."),
    ("yes", "Yes, please."),
    ("the \u201cred\u201d one", "the red one"),
    ("open \u2014 now", "open now"),
    ("from 5\u20136", "from 5-6"),
    ("caf\u00e9", "Cafe\u0301"),
    ("\uff21\uff22\uff23 \uff11\uff10\uff1a\uff13\uff10", "abc 10:30"),
    ("图书馆 开门 了吗", "图书馆开门了吗？"),
    ("図書館は、開いていますか。", "図書館は開いていますか"),
    ("यह खुला है", "यह खुला है।"),
    ("هل المكتبة مفتوحة", "هل المكتبة مفتوحة؟"),
    ("مـرحبا", "مرحبا!"),
    ("Когда вы открываетесь", "когда вы открываетесь?"),
    ("¿Cuándo abren?", "cuándo abren"),
    ("เปิด กี่โมง", "เปิดกี่โมง"),
]

UNFIT = [
    ("yes", "no"),
    ("uh-huh", "uh-uh"),
    ("uh-uh", "um"),
    ("mm-hmm", "mm"),
    ("I can", "I can't"),
    ("I do want it", "I do not want it"),
    ("not today", "today"),
    ("no, today", "today"),
    ("we're open", "were open"),
    ("3.5", "35"),
    ("3.5", "3 5"),
    (".5", "5"),
    ("-5", "5"),
    ("5 - 3", "5 3"),
    ("10:30", "10 30"),
    ("5%", "5"),
    ("\u0665\u066a", "\u0665"),
    ("$5", "5"),
    ("10\u00b2", "102"),
    ("1\u00bd", "1 1/2"),
    ("6' tall", "6 tall"),
    ("C#", "C"),
    ("C++", "C"),
    ("AT&T", "AT T"),
    ("well done", "done"),
    ("as you please", "as you"),
    ("who to please", "who to"),
    ("do you open", "do you open on Sunday"),
    ("请开门", "请不开门"),
    ("开门", "关门"),
    ("хочу", "не хочу"),
    ("ma\u00dfe", "masse"),
    ("si", "s\u00ed"),
]


@pytest.mark.parametrize(("drafted", "committed"), FITTING)
def test_words_that_differ_in_what_is_not_said_fit(drafted, committed):
    """Capitals, punctuation, written forms, hesitations and courtesy."""
    assert same_words(drafted, committed)
    assert same_words(committed, drafted)


@pytest.mark.parametrize(("drafted", "committed"), UNFIT)
def test_words_that_can_have_another_answer_do_not_fit(drafted, committed):
    """Yes and no, negation, numbers, signs, and words that look like courtesy."""
    assert not same_words(drafted, committed)
    assert not same_words(committed, drafted)


@pytest.mark.parametrize(
    ("language", "drafted", "committed", "fits"),
    [
        ("de", "um fünf Uhr", "fünf Uhr", False),
        ("pt", "um", "", False),
        ("de-AT", "äh wann öffnen Sie", "Wann öffnen Sie?", True),
        ("fr", "euh à quelle heure", "à quelle heure", True),
        ("en-GB", "um when", "when", True),
        ("de", "um please", "um", False),
    ],
)
def test_hesitations_are_those_of_the_language(language, drafted, committed, fits):
    """What is a noise in one is a word in another."""
    assert same_words(drafted, committed, language) is fits


def test_the_policy_can_be_replaced():
    """Any function of the two texts will do."""
    begins: Fits = lambda drafted, committed: normalised(committed).startswith(normalised(drafted))  # noqa: E731
    policies: list[Fits] = [same_words, begins]
    assert [fits("do you open", "do you open on Sunday") for fits in policies] == [False, True]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("um, uh", 0),
        ("...?", 0),
        ("Yes.", 1),
        ("don't", 1),
        ("What time do you open, please?", 5),
        ("यह खुला है।", 3),
        ("好", 1),
        ("图书馆开门了吗？", 4),
        ("iPhone 图书馆", 3),
    ],
)
def test_words_are_counted_also_where_no_blanks_part_them(text, count):
    """Hesitations and punctuation are none."""
    assert word_count(text) == count


SPOKEN = st.lists(
    st.sampled_from("yes no not don't 5 3.5 -2 10:30 what time please um uh open 图书馆 खुला مفتوحة".split()),
    max_size=8,
)


@given(SPOKEN, st.data())
def test_capitals_blanks_and_end_marks_never_matter(words, data):
    """Wherever the recogniser puts them."""
    noise = st.sampled_from(["", ",", "?", "!", "…", "。", "।", "؟", "\u200b", "»"])
    capitals = st.sampled_from([str.lower, str.upper, str.title])
    blanks = st.sampled_from([" ", "  ", "\u00a0", "\n"])
    dressed = "".join(data.draw(capitals)(word) + data.draw(noise) + data.draw(blanks) for word in words)
    assert same_words(" ".join(words), dressed)


@given(SPOKEN, SPOKEN)
def test_numbers_and_refusals_are_never_set_aside(one, other):
    """Texts that fit hold the same of them, in the same order."""
    kept = {"yes", "no", "not", "don't", "5", "3.5", "-2", "10:30"}
    if same_words(" ".join(one), " ".join(other)):
        assert [w for w in one if w in kept] == [w for w in other if w in kept]


@given(st.text(max_size=60), st.sampled_from(["en", "de", "fr", "ja"]))
def test_what_is_normalised_stays_as_it_is(text, language):
    """A key of a key is the key; it holds no blanks at its ends and no capitals."""
    once = normalised(text, language)
    assert normalised(once, language) == once
    assert once == once.strip()


@given(st.text(max_size=60))
def test_letters_and_digits_are_never_lost(text):
    """Unless a hesitation or a courtesy is: here there is no language to have any."""
    said = unicodedata.normalize("NFKC", text).replace("\u0640", "")
    count = sum(unicodedata.category(character) in {"Nd", "Lo"} for character in said)
    kept = unicodedata.normalize("NFKC", normalised(text, "xx"))
    assert sum(unicodedata.category(character) in {"Nd", "Lo"} for character in kept) == count


def test_every_pair_of_the_fitting_texts_that_is_not_meant_to_does_not_fit():
    """Nothing collapses into something else."""
    keys = [{normalised(a), normalised(b)} for a, b in FITTING]
    assert all(len(key) == 1 for key in keys)
    clashes = [(one, other) for one, other in itertools.combinations(keys, 2) if one == other]
    # "what time do you open" stands there four times, in four disguises.
    assert len(clashes) == 6
