"""Whether what is said while the agent speaks takes the floor."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.turns.acknowledgements import FloorClaim, FloorDecision, FloorPolicy, FloorReason, takes_floor
from warmline.turns.acts import PHRASES, Act

pytestmark = pytest.mark.unit

POLICY = FloorPolicy()
TAKE, KEEP, UNDECIDED = FloorClaim.TAKE, FloorClaim.KEEP, FloorClaim.UNDECIDED

ACKNOWLEDGEMENTS = [
    "mhm",
    "Mm-hmm.",
    "uh-huh",
    "Yes.",
    "yeah, yeah",
    "Okay.",
    "OK",
    "right",
    "Right, right, I see.",
    "I see",
    "got it",
    "oh okay",
    "oh, I see",
    "that\u2019s right",
    "sure",
    "of course",
    "all right",
    "hmm",
    "um",
    "go on",
]

REQUESTS = [
    "stop",
    "Wait.",
    "no",
    "No, no.",
    "hold on a second",
    "what",
    "sorry?",
    "okay but",
    "okay stop",
    "yes and what about Sunday",
    "right?",
    "okay, what time do you open",
    "mhm no",
    "I see a problem",
    "thank you",
    "goodbye",
    "the first one",
    "5",
    "停",
]


def claim(words, *, is_final=True, speech_ms=400, asked=False, policy=POLICY, language="en"):
    return takes_floor(
        words,
        is_final=is_final,
        speech_ms=speech_ms,
        agent_asked_question=asked,
        policy=policy,
        language=language,
    )


@pytest.mark.parametrize("words", ACKNOWLEDGEMENTS)
def test_an_acknowledgement_does_not_silence_the_agent(words):
    """Not while it is being said, and not when it is over."""
    assert claim(words) == FloorDecision(KEEP, FloorReason.ACKNOWLEDGEMENT)
    assert claim(words, is_final=False) == FloorDecision(
        UNDECIDED, FloorReason.TOO_EARLY, POLICY.acknowledged_ms
    )


@pytest.mark.parametrize("words", REQUESTS)
def test_anything_else_takes_the_floor(words):
    """Also if it begins with an acknowledgement."""
    assert claim(words) == FloorDecision(TAKE, FloorReason.REQUEST)


@pytest.mark.parametrize(
    "words", ["stop", "wait", "no", "what", "hold", "okay but", "yes what", "sorry", "停"]
)
def test_a_request_takes_the_floor_with_its_first_word(words):
    """Before the recogniser is sure of the rest."""
    assert claim(words, is_final=False, speech_ms=200) == FloorDecision(TAKE, FloorReason.REQUEST)


def test_every_request_of_the_table_of_acts_takes_the_floor():
    """None of them is taken for an acknowledgement, nor is its end waited for in vain."""
    acts = set(Act) - {Act.OKAY, Act.YES, Act.GO_ON}
    phrases = [phrase for act in acts for phrase in PHRASES[act]]
    assert [phrase for phrase in phrases if claim(phrase).claim is not TAKE] == []
    urgent = [phrase for phrase in PHRASES[Act.STOP] if claim(phrase, is_final=False).claim is not TAKE]
    assert urgent == []


@pytest.mark.parametrize("words", ["i", "that's", "okay i", "got", "all", "sounds", "o"])
def test_the_beginning_of_an_acknowledgement_is_waited_for(words):
    """ "I" may become "I see", or "I want something else"; a final "I" becomes nothing any more."""
    assert claim(words, is_final=False).claim is UNDECIDED
    assert claim(words).claim is TAKE


@pytest.mark.parametrize(
    ("words", "answers"),
    [
        ("yes", True),
        ("Yeah, sure.", True),
        ("mhm", True),
        ("uh-huh", True),
        ("okay", True),
        ("right", True),
        ("um, yes", True),
        ("hmm", False),
        ("um", False),
        ("oh", False),
        ("go on", False),
    ],
)
@pytest.mark.parametrize("is_final", [True, False])
def test_after_a_question_agreement_is_an_answer(words, answers, is_final):
    """It takes the floor at once; a hesitation does not."""
    decision = claim(words, is_final=is_final, asked=True)
    assert (decision == FloorDecision(TAKE, FloorReason.ANSWER)) is answers
    assert answers or decision == claim(words, is_final=is_final)


def test_a_question_mark_counts_when_the_words_are_final():
    """Recognisers put it, and take it away, while they listen."""
    assert claim("okay?", is_final=False).claim is UNDECIDED
    assert claim("okay?").claim is TAKE
    assert claim("okay？", language="zh").claim is TAKE


@pytest.mark.parametrize("asked", [True, False])
def test_noise_is_a_false_interruption(asked):
    """A cough, a door, a television: speech was detected, and nothing was recognised."""
    assert claim("", is_final=False, speech_ms=0, asked=asked) == FloorDecision(
        UNDECIDED, FloorReason.TOO_EARLY, POLICY.wordless_ms
    )
    assert claim("", asked=asked) == FloorDecision(KEEP, FloorReason.NOTHING_RECOGNISED)
    assert claim(" ... ", asked=asked) == FloorDecision(KEEP, FloorReason.NOTHING_RECOGNISED)


def test_long_speech_takes_the_floor_before_it_is_recognised():
    """A recogniser that is slow, or gives finals only, does not make the agent deaf."""
    assert claim("", is_final=False, speech_ms=999).claim is UNDECIDED
    assert claim("", is_final=False, speech_ms=1000) == FloorDecision(TAKE, FloorReason.LONG_SPEECH)
    assert claim("okay", is_final=False, speech_ms=1799).claim is UNDECIDED
    assert claim("okay", is_final=False, speech_ms=1800) == FloorDecision(TAKE, FloorReason.LONG_SPEECH)
    # Once it is recognised, its length says nothing: the television was on.
    assert claim("", speech_ms=5000).claim is KEEP
    assert claim("yeah yeah okay I see", speech_ms=5000).claim is KEEP


def test_in_other_languages_only_what_is_said_everywhere_keeps_the_agent_speaking():
    """Unless the operator lists more; these then also answer a question."""
    assert claim("okay", language="de").claim is KEEP
    assert claim("mhm", language="zh-TW").claim is KEEP
    assert claim("genau", language="de").claim is TAKE
    german = FloorPolicy(keeps=frozenset({"genau", "ach so", "好的"}))
    assert claim("Genau. Ach so!", language="de", policy=german).claim is KEEP
    assert claim("好的。", language="zh", policy=german).claim is KEEP
    assert claim("genau", language="de", policy=german, asked=True).claim is TAKE
    assert claim("Right.", language="en-GB").claim is KEEP


WORDS = st.lists(
    st.sampled_from([*" ".join([*ACKNOWLEDGEMENTS, *REQUESTS]).split(), "", "um"]), max_size=5
).map(" ".join)


@given(WORDS, st.integers(0, 3000), st.integers(0, 3000), st.booleans())
def test_longer_speech_never_gives_the_floor_back(words, one_ms, other_ms, asked):
    """And the decision comes when it was said that it would."""
    sooner, later = (
        claim(words, is_final=False, speech_ms=ms, asked=asked) for ms in sorted([one_ms, other_ms])
    )
    assert later.claim is TAKE or sooner.claim is not TAKE
    assert (sooner.claim is UNDECIDED) == (sooner.ask_again_ms is not None)
    if sooner.ask_again_ms is not None:
        at_last = claim(words, is_final=False, speech_ms=sooner.ask_again_ms, asked=asked)
        assert (at_last.claim, at_last.reason) == (TAKE, FloorReason.LONG_SPEECH)


@given(st.text(max_size=30) | WORDS, st.integers(0, 3000), st.booleans())
def test_a_final_is_always_decided_and_only_words_make_the_difference(words, speech_ms, asked):
    """Nothing is left open once nothing more will come."""
    decision = claim(words, speech_ms=speech_ms, asked=asked)
    assert decision.claim is not UNDECIDED
    assert decision == claim(words, speech_ms=0, asked=asked)


@given(WORDS, st.booleans())
def test_a_question_of_the_agents_only_ever_makes_it_easier_to_take_the_floor(words, is_final):
    """Whoever was asked is listened to."""
    if claim(words, is_final=is_final).claim is TAKE:
        assert claim(words, is_final=is_final, asked=True).claim is TAKE


def test_acknowledgements_in_a_row_are_one():
    """In any order."""
    pairs = list(itertools.permutations(ACKNOWLEDGEMENTS, 2))
    assert [pair for pair in pairs if claim(" ".join(pair)).claim is not KEEP] == []
