"""Telling greetings, thanks and wishes about the conversation from questions."""

import itertools
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.turns.acts import PHRASES, Act, is_goodbye, recognise

pytestmark = pytest.mark.unit

QUESTIONS = tomllib.loads(
    (Path(__file__).parents[1] / "knowledge" / "questions.toml").read_text(encoding="utf-8")
)


@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("Hello!", Act.GREETING),
        ("uh hello there, how are you", Act.GREETING),
        ("can you hear me", Act.GREETING),
        ("Thank you very much.", Act.THANKS),
        ("okay great thanks", Act.THANKS),
        ("could you please say that again", Act.REPEAT),
        ("Sorry, what?", Act.REPEAT),
        ("I\u2019m sorry I didn\u2019t catch that", Act.REPEAT),
        ("good you say that again", Act.REPEAT),
        ("more slowly please", Act.SLOWER),
        ("you are too fast", Act.SLOWER),
        ("the first one", Act.FIRST),
        ("the second one please", Act.SECOND),
        ("what can I ask you about", Act.TOPICS),
        ("hi who are you", Act.TOPICS),
        ("I have a question", Act.HELP),
        ("can you help me please", Act.HELP),
        ("yes please", Act.YES),
        ("yes go on", Act.GO_ON),
        ("tell me more about it", Act.GO_ON),
        ("no thank you", Act.NO),
        ("that's all thanks", Act.NO),
        ("wait a second", Act.STOP),
        ("never mind", Act.STOP),
        ("okay", Act.OKAY),
        ("all right then", Act.OKAY),
    ],
)
def test_act_when_put_in_many_ways_then_it_is_recognised(text, act):
    """People are polite, hesitate, and are misheard."""
    assert recognise(text) is act


@pytest.mark.parametrize(
    "text",
    [
        "",
        "um",
        "???",
        "please",
        "hello what time do you open",
        "thank you and where can I park",
        "can you help me with my computer",
        "tell me more about parking",
        "what do you know about parking",
        "can you repeat the fees",
        "what are you doing on sunday",
        "is there a first one for children",
        "can I stop borrowing",
        "yes I want to know what the fees are",
        "no " * 20,
    ],
)
def test_question_when_it_holds_an_act_then_it_is_still_a_question(text):
    """Whoever asks something is answered."""
    assert recognise(text) is None


def test_questions_of_the_sample_when_asked_then_none_is_an_act():
    """Nor is any about something else."""
    natural_and_far = [text for entry in QUESTIONS["questions"].values() for text in entry.values()]
    every = [*natural_and_far, *QUESTIONS["short"], *QUESTIONS["off_topic"]["questions"]]
    assert [text for text in every if recognise(text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "goodbye",
        "Good bye.",
        "Bye-bye!",
        "okay thanks bye",
        "okay thank you very much for your help goodbye then",
        "no that's all bye",
        "have a nice day",
        "see you later",
        "thanks a lot library bye bye",
        "by by",
        "I have to go now, thank you",
    ],
)
def test_goodbye_when_somebody_takes_leave_then_it_is_one(text):
    """With thanks around it, and a word that was misheard."""
    assert is_goodbye(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "how do I say goodbye to my account",
        "good buy",
        "is it a good buy",
        "when is the goodbye party",
        "bye the way where can I park",
        "I have to go to the library",
        "can I hang up my coat",
        "what a nice day",
        "thank you",
        "by",
        "bye bye is the title of the book I want",
    ],
)
def test_goodbye_when_somebody_only_speaks_of_it_then_it_is_none(text):
    """Nobody is hung up on for a word."""
    assert not is_goodbye(text)


@pytest.mark.parametrize("act", Act)
def test_phrases_when_said_alone_then_they_are_their_act(act):
    """Each phrase stands for one thing."""
    assert {phrase: recognise(phrase) for phrase in PHRASES[act]} == dict.fromkeys(PHRASES[act], act)


def test_goodbye_when_it_follows_anything_else_polite_then_it_counts():
    """Wherever one phrase ends and the next begins."""
    others = [phrase for phrases in PHRASES.values() for phrase in phrases]
    missed = [
        f"{other} {goodbye}"
        for other, goodbye in itertools.product(others, PHRASES[Act.GOODBYE])
        if not is_goodbye(f"{other} {goodbye}")
    ]
    assert missed == []


@given(st.lists(st.sampled_from([phrase for phrases in PHRASES.values() for phrase in phrases]), max_size=4))
def test_acts_when_strung_together_then_one_of_them_counts(phrases):
    """Politeness on top of politeness is no question."""
    text = " ".join(phrases)
    assert (recognise(text) is None) == (not phrases or len(text.split()) > 16)


@given(st.text())
def test_act_when_any_text_then_an_answer(text):
    """No text is too strange."""
    assert recognise(text) in {None, *Act}
