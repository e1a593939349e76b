"""Answers that are read from passages."""

from dataclasses import replace

import pytest

from warmline.interfaces.llm import Message, Role
from warmline.interfaces.retriever import Passage
from warmline.providers.offline.quoting import QuotingAnswerer

pytestmark = pytest.mark.unit

OPENING = Passage("We open at nine. We close at five.", "Opening hours", "hours.md", 0.6)
CAFE = Passage("The cafe opens at ten. It is closed on Sunday.", "Cafe hours", "cafe.md", 0.4)
OFF = Passage("Dogs may come into the garden.", "Garden", "cafe.md", 0.1)
LONG = Passage(
    "Bring a card. Bring a letter. Renewing is free of charge. It takes a day. Ask at the desk. "
    "You may also write. We answer soon. Thank you.",
    "Cards",
    "cards.md",
    0.7,
)
answerer = QuotingAnswerer(["Opening hours", "Borrowing", "Cafe", "Events", "Contact"], "When are you open?")


def user(text: str, *passages: Passage, alternatives: tuple[str, ...] = ()) -> Message:
    return Message(Role.USER, text, alternatives, passages)


def talk(*turns: Message) -> list[str]:
    """Return the replies to the user's turns, each heard to its end."""
    messages: list[Message] = []
    replies = []
    for turn in turns:
        messages.append(turn)
        replies.append(" ".join(answerer.reply(messages)))
        messages.append(Message(Role.ASSISTANT, replies[-1]))
    return replies


def test_question_when_a_passage_fits_then_it_is_read_whole():
    """Sentence by sentence, and nothing that is not in it."""
    assert answerer.reply([user("when do you open", OPENING, CAFE)]) == (
        "We open at nine.",
        "We close at five.",
    )


def test_question_when_nothing_fits_then_it_says_so_and_what_can_be_asked():
    """A refusal is polite, and leads on."""
    assert talk(user("who won the match", OFF)) == [
        "I do not have anything about that. You can ask me about Opening hours, Borrowing, Cafe, or Events."
    ]


def test_question_when_nothing_fits_again_then_an_example_is_given():
    """The same refusal twice helps nobody."""
    assert talk(user("who won", OFF), user("sing a song"))[1] == (
        "I do not have anything about that either. You could ask, for example: When are you open?"
    )


@pytest.mark.parametrize(
    ("topics", "told"),
    [
        ([], "What would you like to know?"),
        (["Cats"], "You can ask me about Cats."),
        (["Cats", "Dogs"], "You can ask me about Cats, or Dogs."),
        (["", "x" * 51, "Dogs"], "You can ask me about Dogs."),
    ],
)
def test_refusal_when_topics_are_few_then_it_is_still_a_sentence(topics, told):
    """Any set of documents can be spoken about."""
    assert QuotingAnswerer(topics).reply([user("who won")]) == ("I do not have anything about that.", told)


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_question_when_nothing_was_understood_then_it_asks_again(text):
    """Silence is not a question about something else."""
    assert answerer.reply([user(text, OPENING)])[0] == "Sorry, I did not catch that."


def test_passage_when_long_then_it_starts_at_the_best_sentence_and_offers_the_rest():
    """Nobody has to listen to a page, and everybody may."""
    replies = talk(user("how much is renewing", LONG), user("yes please"), user("go on"), user("yes"))

    assert replies == [
        "Renewing is free of charge. It takes a day. Ask at the desk. Shall I go on?",
        "You may also write. We answer soon. Thank you.",
        "That is all I have about it. What else would you like to know?",
        "What would you like to know?",
    ]


def test_passage_when_the_offer_is_declined_then_it_stops():
    """No is no."""
    assert talk(user("how much is renewing", LONG), user("no thanks"))[1] == (
        "All right. Ask me something else, or say goodbye."
    )


def test_more_when_asked_for_then_the_next_passage_is_read():
    """What fits less well is there for those who want more, and what does not fit is not."""
    replies = talk(
        user("when do you open", OPENING, CAFE, OFF),
        user("thanks"),
        user("tell me more", OFF),
        user("anything else"),
    )

    assert (
        replies[2]
        == "There is also something about Cafe hours. The cafe opens at ten. It is closed on Sunday."
    )
    assert replies[3].startswith("That is all")


@pytest.mark.parametrize("before", [(), (user("hello"),), (user("who won", OFF),)])
def test_more_when_there_is_nothing_to_go_on_with_then_it_asks_what(before):
    """Going on needs something to go on with."""
    assert talk(*before, user("go on"))[-1] == "What would you like to know?"


def close(passage: Passage) -> Passage:
    return replace(passage, score=OPENING.score - 0.01)


def test_question_when_short_and_two_passages_fit_equally_then_it_asks_back():
    """One word may mean two things."""
    assert talk(user("hours", OPENING, close(CAFE))) == ["Did you mean Opening hours, or Cafe hours?"]


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("the first one", "We open at nine. We close at five."),
        ("yes", "We open at nine. We close at five."),
        ("the second one please", "The cafe opens at ten. It is closed on Sunday."),
        ("neither", "All right. Ask me something else, or say goodbye."),
    ],
)
def test_choice_when_it_was_asked_back_then_that_passage_is_read(choice, told):
    """Whatever retrieval makes of such an answer is not looked at."""
    assert talk(user("hours", OPENING, close(CAFE)), user(choice, OFF))[1] == told


def test_choice_when_the_other_is_wanted_too_then_it_follows():
    """Going on after a choice brings the one that was not chosen."""
    replies = talk(user("hours", OPENING, close(CAFE)), user("the second"), user("go on"))
    assert replies[2] == "There is also something about Opening hours. We open at nine. We close at five."


def test_choice_when_it_is_named_then_it_is_not_asked_back_again():
    """The answer to a question is no reason for the same question."""
    replies = talk(
        user("hours", OPENING, close(CAFE)), user("cafe hours", CAFE, replace(OPENING, score=0.395))
    )
    assert replies[1] == "The cafe opens at ten. It is closed on Sunday."


@pytest.mark.parametrize(
    "question",
    [
        user("when exactly do you open", OPENING, close(CAFE)),
        user("hours", OPENING, CAFE),
        user("hours", OPENING, close(replace(CAFE, title="opening hours"))),
        user("hours", OPENING, OFF),
        user("hours", OPENING),
    ],
    ids=["a whole question", "a clear winner", "the same heading", "the other does not fit", "no other"],
)
def test_question_when_it_is_not_open_what_is_meant_then_it_is_answered(question):
    """Asking back costs a turn, so it is rare."""
    assert talk(question) == ["We open at nine. We close at five."]


@pytest.mark.parametrize("wish", ["say that again", "slower please", "pardon"])
def test_repeat_when_wanted_then_the_whole_reply_comes_again(wish):
    """Also what was cut off, and as often as one likes."""
    cut_off = [user("when do you open", OPENING), Message(Role.ASSISTANT, "We open at"), user(wish, OFF)]
    assert answerer.reply(cut_off) == ("We open at nine.", "We close at five.")
    assert (
        talk(user("when do you open", OPENING), user(wish), user(wish))[2]
        == "We open at nine. We close at five."
    )


def test_repeat_when_it_was_a_later_part_then_that_part_comes_again():
    """The last thing said is what is repeated."""
    replies = talk(user("how much is renewing", LONG), user("yes"), user("say that again"), user("what"))
    assert replies[1] == replies[2] == replies[3]


def test_repeat_when_another_said_it_then_what_was_heard_comes_again():
    """A greeting from the settings, or another model's words, are repeated as they were heard."""
    greeting = Message(Role.ASSISTANT, "Welcome to the library. How can I help?")
    assert answerer.reply([greeting, user("say that again")]) == (
        "Welcome to the library.",
        "How can I help?",
    )
    earlier = [user("when", OPENING), Message(Role.ASSISTANT, "At ten, I believe.")]
    assert answerer.reply([*earlier, user("repeat that")]) == ("At ten, I believe.",)


def test_repeat_when_nothing_was_said_then_it_says_so():
    """The first thing somebody says may be a wish to hear something again."""
    assert answerer.reply([user("repeat that")])[0] == "I have not said anything yet."


def test_repeat_when_wanted_a_thousand_times_then_it_is_still_worked_out():
    """A long conversation does not exhaust the stack."""
    replies = talk(user("when do you open", OPENING), *[user("again")] * 300)
    assert set(replies) == {"We open at nine. We close at five."}


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("hello", "Hello. You can ask me about Opening hours"),
        ("what can I ask", "I answer questions from documents. You can ask me about"),
        ("help", "Of course. You can ask me about"),
        ("thank you", "You are welcome."),
        ("stop", "All right. I am listening."),
        ("okay", "Is there anything else"),
        ("goodbye", "Goodbye."),
    ],
)
def test_courtesy_when_somebody_is_polite_then_no_document_is_read(text, beginning):
    """A greeting is not looked up, whatever retrieval found for it."""
    assert talk(user(text, OPENING))[0].startswith(beginning)


def test_act_when_only_another_reading_has_it_then_it_counts_if_nothing_fits():
    """One decoder hears what the other cannot."""
    assert answerer.reply([user("tank shoe", OFF, alternatives=("thank you",))])[0] == "You are welcome."
    assert answerer.reply([user("tank shoe", OPENING, alternatives=("thank you",))])[0] == "We open at nine."


def test_choosing_when_nothing_was_offered_then_it_is_a_question():
    """The first one may well be what somebody asks about."""
    assert talk(user("the first one", OPENING))[0] == "We open at nine. We close at five."
