"""What the simulated language models say, token by token, and how many tokens they count."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any, Final

import anyio

from warmline.core.clock import SystemClock
from warmline.simulators.script import Script

__all__ = ["PrefixCache", "answer_text", "last_user_text", "spoken_tokens", "token_count", "tokens"]

_TOKEN: Final = re.compile(r"\s*[^\s]{1,6}")
_PASSAGE: Final = re.compile(r"<passages>\n(?:\[[^\]]*\] )?(.*?)(?:\n\n|\n</passages>)", re.DOTALL)
_SENTENCES: Final = re.compile(r"(?:[^.!?]+[.!?]+\s*){1,2}")
_CACHE_FROM: Final = 1024
_CACHE_STEP: Final = 128
_CLOCK: Final = SystemClock()


def tokens(text: str) -> list[str]:
    """Return a text in pieces of about a token's size; joined, they are the text."""
    return _TOKEN.findall(text.rstrip()) or [""]


def token_count(text: str) -> int:
    """Return about how many tokens a text has."""
    return (len(text) + 3) // 4


def answer_text(script: Script, question: str) -> str:
    """Return the reply to a user's message: scripted, or from the first passage that came with it."""
    asked = question.split("\n\n<passages>", 1)[0].strip()
    if script.reply:
        return script.reply.replace("{question}", asked)
    passage = _PASSAGE.search(question)
    if passage is not None:
        text = " ".join(passage[1].split())
        found = _SENTENCES.match(text)
        return f"Here is what I know. {found[0].strip() if found else text}"
    return f"I heard you say: {asked or 'nothing'}. That is all a simulated model can tell."


async def spoken_tokens(script: Script, text: str) -> AsyncIterator[str]:
    """Yield tokens when a model would: the first after its own delay, each other one after its pace."""
    due_s = _CLOCK.now_s() + script.first_token_ms / 1000
    for token in tokens(text):
        await anyio.sleep(max(due_s - _CLOCK.now_s(), 0.0))
        yield token
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


def last_user_text(messages: list[dict[str, Any]]) -> str:
    """Return what the last message of the user says; content may be a text or a list of parts."""
    for message in reversed(messages):
        if message.get("role") == "user":
            content = message.get("content", "")
            if isinstance(content, str):
                return content
            return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""
