"""What a response is made of, and the events that tell of it: messages, and calls of functions."""

from __future__ import annotations

from typing import Any

from warmline.core.ids import new_id

__all__ = ["CallItem", "MessageItem"]


class MessageItem:
    """The events of a message on its way."""

    def __init__(self, index: int, text: str) -> None:
        self._index = index
        self._text = text
        self._id = new_id("msg")
        self._place = {"item_id": self._id, "output_index": index, "content_index": 0}

    def begun(self) -> list[dict[str, Any]]:
        """Return the events of its beginning."""
        item = self._item("in_progress", [])
        return [
            {"type": "response.output_item.added", "output_index": self._index, "item": item},
            {"type": "response.content_part.added", **self._place, "part": self._part("")},
        ]

    def grown(self, token: str) -> dict[str, Any]:
        """Return the event of another token."""
        return {"type": "response.output_text.delta", **self._place, "delta": token, "logprobs": []}

    def ended(self) -> list[dict[str, Any]]:
        """Return the events of its end; the last has the whole item."""
        part = self._part(self._text)
        item = self._item("completed", [part])
        return [
            {"type": "response.output_text.done", **self._place, "text": self._text, "logprobs": []},
            {"type": "response.content_part.done", **self._place, "part": part},
            {"type": "response.output_item.done", "output_index": self._index, "item": item},
        ]

    def _item(self, status: str, content: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": content,
        }

    def _part(self, text: str) -> dict[str, Any]:
        return {"type": "output_text", "text": text, "annotations": []}


class CallItem:
    """The events of a call on its way."""

    def __init__(self, index: int, name: str, arguments: str) -> None:
        self._index = index
        self._arguments = arguments
        self._id = new_id("fc")
        self._fixed = {"id": self._id, "type": "function_call", "call_id": new_id("call"), "name": name}
        self._place = {"item_id": self._id, "output_index": index}

    def begun(self) -> list[dict[str, Any]]:
        """Return the events of its beginning."""
        item = {**self._fixed, "arguments": "", "status": "in_progress"}
        return [{"type": "response.output_item.added", "output_index": self._index, "item": item}]

    def grown(self, token: str) -> dict[str, Any]:
        """Return the event of another token."""
        return {"type": "response.function_call_arguments.delta", **self._place, "delta": token}

    def ended(self) -> list[dict[str, Any]]:
        """Return the events of its end; the last has the whole item."""
        item = {**self._fixed, "arguments": self._arguments, "status": "completed"}
        return [
            {
                "type": "response.function_call_arguments.done",
                **self._place,
                "arguments": self._arguments,
            },
            {"type": "response.output_item.done", "output_index": self._index, "item": item},
        ]
