"""What the model is shown of a long conversation, and what the channel still finds of it."""

import itertools

import pytest

from warmline.interfaces.llm import Message, Role
from warmline.interfaces.retriever import Passage
from warmline.session.context import Context, ContextItem
from warmline.session.trimming import ContextPolicy

pytestmark = pytest.mark.unit

LIMIT = 1_000


def words(tokens, word):
    return (word * 4 * tokens)[: tokens * 4]


def long_context(turns, tokens=100):
    """Return a context of so many turns, each half the user's and half the agent's."""
    context = Context(ContextPolicy(LIMIT))
    for number in range(turns):
        add(context, number, tokens)
    return context


def add(context, number, tokens=100):
    asked = ContextItem(f"user_{number}", Message(Role.USER, words(tokens // 2, f"u{number} ")))
    context.add(asked)
    shown = context.messages_for(asked)
    context.begin_reply(f"agent_{number}")
    context.heard(f"agent_{number}", words(tokens // 2, f"a{number} "))
    return shown


def test_what_left_the_prompt_is_still_found_and_can_be_deleted():
    """A client keeps its own list of items, and may come back to any."""
    context = long_context(11)
    assert "u0" not in str(context.messages)
    assert context.find("user_0").message.text.startswith("u0")
    assert context.remove("user_0")
    assert context.find("user_0") is None
    assert not context.remove("user_0")


def test_what_is_put_behind_an_item_that_left_is_shown():
    """The client wants the model to know of it now."""
    context = long_context(11)
    assert context.insert(ContextItem("note", Message(Role.SYSTEM, "The person is a member.")), "user_0")
    assert context.messages[0].text == "The person is a member."


def test_the_beginning_stays_the_same_between_steps():
    """Each step costs the provider's cache once; in between, a prompt only grows at its end."""
    context = long_context(0)
    prompts = [add(context, number) for number in range(60)]
    changes = sum(now[: len(before)] != before for before, now in itertools.pairwise(prompts))
    assert changes <= 60 / 4
    assert all(sum(len(m.text) for m in prompt) <= LIMIT * 4 for prompt in prompts)


def test_a_draft_is_asked_within_the_limit_too_though_its_turn_is_not_here_yet():
    """It may be the turn that makes it too much."""
    context = long_context(9)
    asked = ContextItem("user_9", Message(Role.USER, words(200, "new ")))
    shown = context.messages_for(asked)
    assert shown[-1] == asked.message
    assert sum(len(m.text) for m in shown) <= LIMIT * 4 * 0.6 + 8
    assert len(context) == 18


def test_nothing_is_to_be_summarised_before_it_is_soon_too_much():
    """From 80 % of the limit on."""
    assert long_context(7).unsummarised() is None
    due = long_context(9).unsummarised()
    assert [item.item_id for item in due.items] == [
        "user_0",
        "agent_0",
        "user_1",
        "agent_1",
        "user_2",
        "agent_2",
    ]


def test_a_summary_takes_the_place_of_what_it_was_made_of():
    """In front of all that is left, as the operator's word; what it covers is not summarised again."""
    context = long_context(9)
    assert context.summarise(context.unsummarised(), "Ann wants a refund.")
    first, second, *_ = context.messages
    assert first.role is Role.SYSTEM
    assert first.text.endswith("Ann wants a refund.")
    assert second.text.startswith("u3")
    assert context.unsummarised() is None


def test_a_summary_that_comes_after_the_plain_step_is_shown_all_the_same():
    """What was forgotten meanwhile is known again."""
    context = long_context(10)
    due = context.unsummarised()
    for number in range(10, 14):
        add(context, number)
    assert "Ann" not in str(context.messages)
    assert context.summarise(due, "Ann wants a refund.")
    assert "Ann" in context.messages[0].text
    # What left since then is for the next summary, on top of this one.
    again = context.unsummarised()
    assert again.summary == "Ann wants a refund."
    assert {item.item_id for item in again.items}.isdisjoint(item.item_id for item in due.items)


def test_deleting_what_a_summary_holds_has_it_made_anew_without_it():
    """What a client takes back is not kept in other words."""
    context = long_context(9)
    context.summarise(context.unsummarised(), "Ann wants a refund.")
    context.remove("user_1")
    assert "Ann" not in str(context.messages)
    due = context.unsummarised()
    assert due.summary == ""
    assert [item.item_id for item in due.items] == ["user_0", "agent_0", "agent_1", "user_2", "agent_2"]


def test_deleting_something_while_it_is_being_summarised_throws_the_summary_away():
    """It holds what was deleted."""
    context = long_context(9)
    due = context.unsummarised()
    context.remove("user_1")
    assert not context.summarise(due, "Ann wants a refund.")
    assert "Ann" not in str(context.messages)


def test_what_left_is_kept_without_its_passages():
    """A channel never sees them, and they are the larger part."""
    context = Context(ContextPolicy(LIMIT))
    found = [Passage(title="Hours", source="hours.md", text=words(150, "p "), score=0.9)]
    for number in range(12):
        asked = ContextItem(f"user_{number}", Message(Role.USER, words(50, f"u{number} ")))
        context.add(asked)
        context.found(asked.item_id, found)
        context.messages_for(asked)
    items = [context.find(f"user_{number}") for number in range(12)]
    kept = [bool(item and item.message.passages) for item in items]
    assert sum(kept) <= 5
    assert kept[-1]
