"""What the simulated language models say and call, token by token, and how many tokens they count."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any, Final

import anyio
import msgspec

from warmline.core.clock import SystemClock
from warmline.simulators.script import Script, ScriptedCall

__all__ = [
    "TEXT",
    "Answer",
    "Asked",
    "Piece",
    "PrefixCache",
    "answer_to",
    "asked_by",
    "pieces_of",
    "spoken",
    "text_of",
    "token_count",
    "tokens",
]

TEXT: Final = -1

Piece = tuple[int, str]
"""A token, and before it what it is of: `TEXT`, or the number of a call."""

_TOKEN: Final = re.compile(r"\s*[^\s]{1,6}")
_PASSAGE: Final = re.compile(r"<passages>\n(?:\[[^\]]*\] )?(.*?)(?:\n\n|\n</passages>)", re.DOTALL)
_SENTENCES: Final = re.compile(r"(?:[^.!?]+[.!?]+\s*){1,2}")
_CACHE_FROM: Final = 1024
_CACHE_STEP: Final = 128
_GO_ON: Final = re.compile(r"\bgo on from\b", re.IGNORECASE)
"""A request for the rest of an answer, behind its beginning."""

_CLOCK: Final = SystemClock()


def tokens(text: str) -> list[str]:
    """Return a text in pieces of about a token's size; joined, they are the text."""
    return _TOKEN.findall(text.rstrip()) or [""]


def token_count(text: str) -> int:
    """Return about how many tokens a text has."""
    return (len(text) + 3) // 4


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks of a language model, whichever wire it came by."""

    question: str
    """What the user said last."""

    results: tuple[str, ...] = ()
    """What tools have answered since."""

    tools: tuple[str, ...] = ()
    """By name."""

    choice: str = "auto"
    """`auto`; `none`, for no calls; `required`, for at least one; or the name of the tool to call."""

    begun: str = ""
    """The answer as far as it is there already, where the rest of it is asked for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says, and then calls."""

    text: str
    calls: tuple[tuple[str, str], ...] = ()
    """Names, and arguments as they are written."""

    @property
    def token_count(self) -> int:
        """Of how many tokens it is."""
        return token_count(self.text + "".join(name + arguments for name, arguments in self.calls))


def asked_by(said: Iterable[tuple[str, str]], tools: Iterable[str] = (), choice: str = "auto") -> Asked:
    """Return what is asked by a conversation of pairs of a role and a text; a tool's answer is a `tool`'s."""
    question = begun = before = ""
    results: list[str] = []
    for role, text in said:
        if role == "user" and before and _GO_ON.search(text):
            begun = before
        elif role == "user":
            question, begun, results = text, "", []
        elif role == "tool":
            results.append(text)
        before = text if role == "assistant" else ""
    return Asked(question, tuple(results), tuple(tools), choice, begun)


def answer_to(script: Script, asked: Asked) -> Answer:
    """Return the answer: the script's calls, if tools have not answered yet, or else its words."""
    question = asked.question.split("\n\n<passages>", 1)[0].strip()
    if not asked.results and asked.choice != "none" and (calls := _calls(script, asked, question)):
        said = " ".join(call.say for call in calls if call.say)
        return Answer(said, tuple((call.name, _written(call.arguments)) for call in calls))
    words = _words(script, asked, question)
    return Answer(words.removeprefix(asked.begun.strip()).lstrip() if asked.begun else words)


def _calls(script: Script, asked: Asked, question: str) -> list[ScriptedCall]:
    offered = [call for call in script.tool_calls if call.name in asked.tools]
    if asked.choice in asked.tools:
        scripted = [call for call in offered if call.name == asked.choice]
        return scripted[:1] or [ScriptedCall(name=asked.choice)]
    fitting = [call for call in offered if call.when.casefold() in question.casefold()]
    if asked.choice == "required" and not fitting:
        return [ScriptedCall(name=asked.tools[0])]
    return fitting


def _written(arguments: dict[str, Any] | str) -> str:
    return arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode()


def _words(script: Script, asked: Asked, question: str) -> str:
    result = "; ".join(asked.results)
    if script.reply:
        return script.reply.replace("{question}", question).replace("{result}", result)
    if result:
        return f"I was told: {result}"
    passage = _PASSAGE.search(asked.question)
    if passage is not None:
        text = " ".join(passage[1].split())
        found = _SENTENCES.match(text)
        return f"Here is what I know. {found[0].strip() if found else text}"
    return f"I heard you say: {question or 'nothing'}. That is all a simulated model can tell."


def pieces_of(answer: Answer) -> list[Piece]:
    """Return an answer's tokens, those of the text first, then those of each call's arguments."""
    pieces = [(TEXT, token) for token in tokens(answer.text) if answer.text or not answer.calls]
    for number, (_, arguments) in enumerate(answer.calls):
        pieces += [(number, token) for token in tokens(arguments)]
    return pieces


async def spoken(script: Script, pieces: Iterable[Piece]) -> AsyncIterator[Piece]:
    """Yield pieces when a model would: the first after its own delay, each other one after its pace."""
    due_s = _CLOCK.now_s() + script.first_token_ms / 1000
    for piece in pieces:
        await anyio.sleep(max(due_s - _CLOCK.now_s(), 0.0))
        yield piece
        due_s += script.token_ms / 1000


class PrefixCache:
    """The provider's prompt cache: how much of a prompt it has read before.

    What changes here: the prompts, in `cached_tokens`.
    """

    def __init__(self) -> None:
        self._prompts: dict[str, str] = {}

    def cached_tokens(self, key: str, prompt: str) -> int:
        """Return how many of the prompt's first tokens are known, by OpenAI's rule: 1,024 and then 128s."""
        before = self._prompts.get(key, "")
        self._prompts[key] = prompt
        length = next(
            (index for index, pair in enumerate(zip(before, prompt, strict=False)) if pair[0] != pair[1]),
            min(len(before), len(prompt)),
        )
        known = length // 4
        return known // _CACHE_STEP * _CACHE_STEP if known >= _CACHE_FROM else 0


def text_of(content: object) -> str:
    """Return the text of a message's content, which may be a text or a list of parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""
