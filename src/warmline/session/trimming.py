"""What leaves the prompt of a long conversation, and when; decisions only.

A prompt that grows makes every answer later and dearer, until the model refuses it. One whose beginning
changes costs as much: the provider's cache knows it no more, and all of it is sent and read anew. So it is
left to grow to its limit, and then cut in one large step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from warmline.interfaces.llm import Message, Role
from warmline.interfaces.prompting import prompt_text

__all__ = [
    "CHARACTERS_A_TOKEN",
    "UNTRIMMED",
    "ContextPolicy",
    "Trim",
    "message_tokens",
    "reckoned_tokens",
    "trim",
]

CHARACTERS_A_TOKEN: Final = 4
"""OpenAI's rule of thumb for English; Chinese has about as many tokens as characters."""


@dataclass(frozen=True, slots=True)
class ContextPolicy:
    """How large the prompt may become, and what stays of it; both numbers of turns are 1 or more."""

    limit_tokens: int = 8_000
    """The most that was said, found and called; the instructions, which never leave, come on top."""

    trimmed_share: float = 0.6
    """The share of the limit that a step leaves at most, if it can."""

    summarised_share: float = 0.8
    """The share of the limit from which what will leave is summarised."""

    newest_turns: int = 4
    """The user's newest turns, with all that came after; they stay."""

    turns_with_passages: int = 2
    """The user's newest turns that keep their passages when a step is taken."""

    @property
    def trimmed_tokens(self) -> int:
        """What a step leaves at most, if it can."""
        return int(self.limit_tokens * self.trimmed_share)

    @property
    def summarised_tokens(self) -> int:
        """The size from which what will leave is summarised."""
        return int(self.limit_tokens * self.summarised_share)


@dataclass(frozen=True, slots=True)
class Trim:
    """One step; places are those of the messages that were handed in, in their order."""

    without_passages: tuple[int, ...] = ()
    """Messages that stay, and lose what was found for them."""

    left: tuple[int, ...] = ()
    """Messages that leave."""


UNTRIMMED: Final = Trim()


def reckoned_tokens(characters: int) -> int:
    """Return how many tokens so many characters make."""
    return -(-characters // CHARACTERS_A_TOKEN)


def message_tokens(message: Message, *, with_passages: bool = True) -> int:
    """Return how many tokens a message takes in the prompt."""
    text = prompt_text(message) if with_passages else message.text
    return reckoned_tokens(
        len(text) + sum(len(call.name) + len(call.arguments) for call in message.tool_calls)
    )


def trim(messages: Sequence[Message], policy: ContextPolicy, *, above_tokens: int | None = None) -> Trim:
    """Return what leaves a prompt that is above its limit: nothing if it is not.

    Passages of older turns go first: they are most of a prompt, and answers were drawn from them already.
    Then whole turns go, oldest first, each a message of the user's with all that came after it. System
    messages, which are the operator's, stay, and so do the newest turns. If those alone are above the
    limit, they lose their passages, but for the one to be answered.

    Args:
        messages: Oldest first.
        policy: How large, and what stays.
        above_tokens: The size beyond which a step is taken; by default the limit.
    """
    sizes = [message_tokens(message) for message in messages]
    total = sum(sizes)
    if total <= (policy.limit_tokens if above_tokens is None else above_tokens):
        return UNTRIMMED
    bare: set[int] = set()
    left: set[int] = set()

    def lose_passages(places: Sequence[int]) -> int:
        saved = 0
        for place in places:
            if messages[place].passages:
                bare.add(place)
                size = message_tokens(messages[place], with_passages=False)
                saved += sizes[place] - size
                sizes[place] = size
        return saved

    users = [place for place, message in enumerate(messages) if message.role is Role.USER]
    total -= lose_passages(users[: max(len(users) - policy.turns_with_passages, 0)])
    for turn in _turns_that_may_leave(messages, users, policy.newest_turns):
        if total <= policy.trimmed_tokens:
            break
        leaving = [place for place in turn if messages[place].role is not Role.SYSTEM]
        left.update(leaving)
        total -= sum(sizes[place] for place in leaving)
    for place in users[:-1]:
        if total <= policy.limit_tokens:
            break
        if place not in left:
            total -= lose_passages([place])
    return Trim(tuple(sorted(bare - left)), tuple(sorted(left)))


def _turns_that_may_leave(messages: Sequence[Message], users: Sequence[int], newest: int) -> list[range]:
    """Return the older turns, oldest first; turns that share a call and its answer are one."""
    if len(users) <= newest:
        return []
    exchanges = _exchanges(messages)
    borders = [
        border
        for border in sorted({0, *users[: len(users) - newest + 1]})
        if not any(asked < border <= answered for asked, answered in exchanges)
    ]
    return [range(begin, end) for begin, end in pairwise(borders)]


def _exchanges(messages: Sequence[Message]) -> list[tuple[int, int]]:
    """Return the places of each call and its answer, paired as the providers' prompts pair them."""
    waiting: dict[str, list[int]] = {}
    exchanges = []
    for place, message in enumerate(messages):
        for call in message.tool_calls:
            waiting.setdefault(call.id, []).append(place)
        if message.role is Role.TOOL and waiting.get(message.tool_call_id):
            exchanges.append((waiting[message.tool_call_id].pop(), place))
    return exchanges
