"""Anthropic's prompt cache: beginnings that a request marked, and later requests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from warmline.simulators.answers import token_count

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
    """Yield each block's text, the system's first, and whether it is marked."""
    system = {"role": "system", "content": body.get("system") or []}
    for message in (system, *body["messages"]):
        content = message["content"]
        for block in [{"text": content}] if isinstance(content, str) else content:
            yield f"{message['role']}: {block.get('text', '')}\n", bool(block.get("cache_control"))
