"""Anthropic's prompt cache: beginnings that a request marked, and later requests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from warmline.simulators.answers import token_count
from warmline.simulators.anthropic.rules import blocks_of

__all__ = ["BlockCache"]

_SHORTEST: Final = 1024
"""Tokens of the shortest beginning that is kept."""


class BlockCache:
    """What was kept of prompts.

    What changes here: the beginnings, in `prompt_usage`.
    """

    def __init__(self) -> None:
        self._kept: set[int] = set()

    def prompt_usage(self, body: dict[str, Any]) -> dict[str, int]:
        """Return a prompt's tokens as `usage` counts them, and keep the beginnings that it marks.

        What is read is the longest beginning that was kept, at or before the last block that is marked.
        """
        prompt, known, read, marked = "", 0, 0, 0
        for text, is_marked in _blocks(body):
            prompt += text
            count = token_count(prompt)
            if count < _SHORTEST:
                continue
            beginning = hash((body.get("model"), prompt))
            if beginning in self._kept:
                known = count
            if is_marked:
                read, marked = known, count
                self._kept.add(beginning)
        return {
            "input_tokens": token_count(prompt) - marked,
            "cache_creation_input_tokens": marked - read,
            "cache_read_input_tokens": read,
        }


def _blocks(body: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """Yield what each block says, and whether it is marked: the tools' first, then the system's."""
    tools = {"role": "tools", "content": body.get("tools") or []}
    system = {"role": "system", "content": body.get("system") or []}
    for message in (tools, system, *body["messages"]):
        for block in blocks_of(message["content"]):
            said = {key: value for key, value in block.items() if key != "cache_control"}
            written = msgspec.json.encode(said, order="sorted").decode()
            yield f"{message['role']}: {written}\n", bool(block.get("cache_control"))
