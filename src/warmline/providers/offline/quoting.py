"""An answerer without a language model: it reads the best passage aloud.

What it says follows from the request alone: the same request gives the same reply, and "go on" or
"say that again" is worked out from the messages before it. Of the documents it says only what is
in them, word for word.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from itertools import chain
from typing import Final

import anyio.lowlevel

from warmline.core.line_use import OnLine
from warmline.interfaces.llm import LlmRequest, Message, Role
from warmline.interfaces.retriever import Passage
from warmline.turns.acts import Act, recognise
from warmline.turns.sentences import split_sentences

__all__ = ["QuotingAnswerer", "Reply"]

REFUSE_BELOW: Final = 0.25
"""A passage with a lower score is about something else."""

SPOKEN_SENTENCES: Final = 3
"""More than this is offered before it is spoken."""

AMBIGUOUS_GAP: Final = 0.02
"""Two passages fit equally well if their scores are no further apart,"""

AMBIGUOUS_WORDS: Final = 3
"""and a question of no more words leaves open which is meant. Longer ones are not asked back: of the
sample's natural questions the close calls come out right, and asking costs a turn."""

TOPICS_NAMED: Final = 4
"""More cannot be kept in mind."""

TOPIC_CHARACTERS: Final = 50
"""A longer title is no name for a topic."""

STEM_CHARACTERS: Final = 5
"""Two words that begin with the same letters, this many, are taken for forms of one."""

OFFER: Final = "Shall I go on?"
ASKED_BACK: Final = "Did you mean "

_COURTESIES: Final = {
    Act.GOODBYE: "Goodbye.",
    Act.YES: "What would you like to know?",
    Act.NO: "All right. Ask me something else, or say goodbye.",
    Act.STOP: "All right. I am listening.",
    Act.THANKS: "You are welcome. Is there anything else you would like to know?",
    Act.OKAY: "Is there anything else you would like to know?",
}
_REPEATING: Final = frozenset({Act.REPEAT, Act.SLOWER})
_CHOOSING: Final = frozenset({Act.FIRST, Act.SECOND})

Reply = tuple[str, ...]
"""Sentences."""


class QuotingAnswerer:
    """A `LanguageModel` that quotes the passages of the user's message; keeps no state."""

    def __init__(self, topics: Sequence[str] = (), example: str = "") -> None:
        """Make an answerer.

        Args:
            topics: What can be asked about, best known first; named to people who ask for it, or
                who ask about something else.
            example: A question that can be answered.
        """
        self._topics = [topic for topic in topics if 0 < len(topic) <= TOPIC_CHARACTERS]
        self._example = example

    @asynccontextmanager
    async def stream(
        self, request: LlmRequest, on_line: OnLine | None = None
    ) -> AsyncIterator[AsyncIterator[str]]:
        """Return the reply, a sentence in each piece; no connection is used."""
        del on_line
        async with aclosing(_pieces(self.reply(_spoken_to(request.messages)))) as pieces:
            yield pieces

    def reply(self, messages: Sequence[Message]) -> Reply:
        """Return the reply to the last message, which is the user's."""
        message = messages[-1]
        if not message.text.strip():
            return ("Sorry, I did not catch that.", "Could you say it again?")
        act = _act(message)
        if act in _REPEATING:
            return self._again(messages[:-1])
        if _turns_page(messages, len(messages) - 1):
            return self._next_page(messages)
        if act is None or act in _CHOOSING:
            return self._pages(messages, len(messages) - 1)[0]
        return self._courtesy(act)

    def _again(self, messages: Sequence[Message]) -> Reply:
        """Return the last reply again, whole, even if only a part of it was heard."""
        heard = _last_reply(messages)
        asked = [
            number
            for number, message in enumerate(messages)
            if message.role is Role.USER and _act(message) not in _REPEATING
        ]
        if asked:
            said = self.reply(messages[: asked[-1] + 1])
            if _is_beginning(heard, " ".join(said)):
                return said
        if heard:
            return tuple(_sentences(heard))
        return ("I have not said anything yet.", "What would you like to know?")

    def _next_page(self, messages: Sequence[Message]) -> Reply:
        """Return what comes after what was said about the last question."""
        page = 0
        second_first = False
        for number in range(len(messages) - 1, -1, -1):
            message = messages[number]
            if message.role is not Role.USER or not message.text.strip():
                continue
            act = _act(message)
            if _turns_page(messages, number):
                page += 1
                second_first |= act is Act.SECOND
            elif act is None or act in _CHOOSING:
                if not _fitting(message):
                    break
                pages = self._pages(messages, number, second_first=second_first)
                if page < len(pages):
                    return pages[page]
                return ("That is all I have about it.", "What else would you like to know?")
        return self._courtesy(Act.YES)

    def _pages(self, messages: Sequence[Message], number: int, *, second_first: bool = False) -> list[Reply]:
        """Return the reply to the question at a place in the context, and what "go on" brings after it."""
        question = messages[number]
        passages = _fitting(question)
        if not passages:
            return [self._refusal(_last_reply(messages[:number]))]
        pages: list[Reply] = []
        if _is_ambiguous(question.text, passages) and not _last_reply(messages[:number]).startswith(
            ASKED_BACK
        ):
            pages.append((f"{ASKED_BACK}{passages[0].title}, or {passages[1].title}?",))
            if second_first:
                passages = [passages[1], passages[0], *passages[2:]]
        for passage in passages:
            first, *rest = _spoken(passage, (question.text, *question.alternatives))
            if passage is not passages[0]:
                first = (f"There is also something about {passage.title}.", *first)
            pages += [first, *rest]
        return pages

    def _refusal(self, before: str) -> Reply:
        again = before.startswith("I do not have anything")
        told = "I do not have anything about that either." if again else "I do not have anything about that."
        if again and self._example:
            return (told, f"You could ask, for example: {self._example}")
        return (told, self._invitation())

    def _courtesy(self, act: Act) -> Reply:
        example = (f"For example: {self._example}",) if self._example else ()
        if act is Act.GREETING:
            return ("Hello.", self._invitation())
        if act is Act.TOPICS:
            return ("I answer questions from documents.", self._invitation(), *example)
        if act is Act.HELP:
            return (
                "Of course.",
                self._invitation(),
                "You can also say: repeat that, go on, or goodbye.",
            )
        return tuple(_sentences(_COURTESIES[act]))

    def _invitation(self) -> str:
        topics = self._topics[:TOPICS_NAMED]
        if not topics:
            return "Ask me another question." if self._example else "What would you like to know?"
        *most, last = topics
        return (
            f"You can ask me about {', '.join(most)}, or {last}." if most else f"You can ask me about {last}."
        )


def _spoken_to(messages: Sequence[Message]) -> list[Message]:
    """Return messages without the work of tools, up to what is to be answered.

    It calls none. Where another model did, and then failed, the person's question is answered.
    """
    said = [each for each in messages if each.role is not Role.TOOL and (each.text or not each.tool_calls)]
    if len(said) < len(messages):
        while said and said[-1].role is Role.ASSISTANT:
            said.pop()
    return said


async def _pieces(sentences: Reply) -> AsyncGenerator[str]:
    last = len(sentences) - 1
    for number, sentence in enumerate(sentences):
        await anyio.lowlevel.checkpoint()
        yield sentence if number == last else f"{sentence} "


def _act(message: Message) -> Act | None:
    """Return what is wanted; by another reading only if nothing fits the first one."""
    act = recognise(message.text)
    if act is None and not _fitting(message):
        act = next(filter(None, map(recognise, message.alternatives)), None)
    return act


def _turns_page(messages: Sequence[Message], number: int) -> bool:
    """Return whether the message at a place asks for more of what was said before it."""
    act = _act(messages[number])
    if act is Act.GO_ON:
        return True
    said = _last_reply(messages[:number])
    if said.startswith(ASKED_BACK):
        return act in {Act.YES, Act.OKAY, *_CHOOSING}
    return said.endswith(OFFER) and act in {Act.YES, Act.OKAY}


def _last_reply(messages: Sequence[Message]) -> str:
    said = (message.text.strip() for message in reversed(messages) if message.role is Role.ASSISTANT)
    return next(said, "")


def _fitting(message: Message) -> list[Passage]:
    return [passage for passage in message.passages if passage.score >= REFUSE_BELOW]


def _is_ambiguous(question: str, passages: Sequence[Passage]) -> bool:
    if len(passages) < 2 or len(_words(question)) > AMBIGUOUS_WORDS:
        return False
    first, second = passages[:2]
    return first.title.casefold() != second.title.casefold() and first.score - second.score < AMBIGUOUS_GAP


def _spoken(passage: Passage, readings: Sequence[str]) -> list[Reply]:
    """Return a passage in parts; a long one from the sentence on that fits the question best."""
    sentences = _sentences(passage.text)
    if len(sentences) <= SPOKEN_SENTENCES:
        return [tuple(sentences)]
    starts = range(_best_sentence(sentences, readings), len(sentences), SPOKEN_SENTENCES)
    parts = [tuple(sentences[start : start + SPOKEN_SENTENCES]) for start in starts]
    return [*((*part, OFFER) for part in parts[:-1]), parts[-1]]


def _best_sentence(sentences: Sequence[str], readings: Sequence[str]) -> int:
    """Return the number of the sentence that shares most with the question; rare words count more."""
    stems = [{word[:STEM_CHARACTERS] for word in _words(sentence)} for sentence in sentences]
    asked = {word[:STEM_CHARACTERS] for reading in readings for word in _words(reading)}
    containing = Counter(chain.from_iterable(stems))
    shared = [sum(math.log(len(stems) / containing[stem]) for stem in asked & found) for found in stems]
    return shared.index(max(shared))


def _is_beginning(part: str, whole: str) -> bool:
    words = _words(part)
    return _words(whole)[: len(words)] == words


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _sentences(text: str) -> list[str]:
    return [sentence for piece in split_sentences(text) if (sentence := piece.strip())] or [text]
