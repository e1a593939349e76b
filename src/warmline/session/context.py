"""What the model is shown: what the user said, and what the user heard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from warmline.core.ids import new_id
from warmline.interfaces.llm import Message, Role
from warmline.interfaces.retriever import Passage

__all__ = ["Context", "ContextItem"]


@dataclass(frozen=True, slots=True)
class ContextItem:
    """A message and the id by which the channel knows it."""

    item_id: str
    message: Message


class Context:
    """A conversation's items, in the order in which they were begun.

    What changes here: `_items`, only in the methods below, none of which awaits. A reply's item
    is placed when the reply begins and stays empty until it is known what of it was heard, so
    that words which come later stand behind it.
    """

    def __init__(self) -> None:
        self._items: list[ContextItem] = []

    def __len__(self) -> int:
        return len(self._items)

    @property
    def messages(self) -> list[Message]:
        """What the model is shown, oldest first; replies of which nothing was heard are left out."""
        return [item.message for item in self._items if item.message.text or item.message.tool_calls]

    def messages_for(self, asked: ContextItem) -> list[Message]:
        """Return what the model is shown to answer `asked`, which a draft answers before it is in here."""
        is_here = any(item.item_id == asked.item_id for item in self._items)
        return self.messages if is_here else [*self.messages, asked.message]

    def find(self, item_id: str) -> ContextItem | None:
        """Return the item of that id, or None."""
        return next((item for item in self._items if item.item_id == item_id), None)

    def add(self, item: ContextItem) -> None:
        """Put an item at the end."""
        self._items.append(item)

    def insert(self, item: ContextItem, after: str) -> bool:
        """Put an item behind another, or in front of all if `after` is `root`; False if it is unknown."""
        ids = ["root", *(item.item_id for item in self._items)]
        if after not in ids:
            return False
        self._items.insert(ids.index(after), item)
        return True

    def remove(self, item_id: str) -> bool:
        """Take an item out; False if it is not there."""
        before = len(self._items)
        self._items = [item for item in self._items if item.item_id != item_id]
        return len(self._items) < before

    def begin_reply(self, item_id: str) -> None:
        """Keep a place for a reply."""
        self.add(ContextItem(item_id, Message(Role.ASSISTANT, "")))

    def insert_exchange(self, item_id: str, messages: Sequence[Message]) -> None:
        """Put calls of tools, and what came of them, in front of the reply that they were made for."""
        at = next((n for n, item in enumerate(self._items) if item.item_id == item_id), len(self._items))
        self._items[at:at] = [ContextItem(new_id("item"), message) for message in messages]

    def heard(self, item_id: str, text: str) -> None:
        """Write what was heard of a reply; may be corrected by calling it again."""
        self._replace(item_id, lambda message: replace(message, text=text))

    def last_user_message(self) -> ContextItem | None:
        """Return the newest thing the user said, or None."""
        return next((item for item in reversed(self._items) if item.message.role is Role.USER), None)

    def found(self, item_id: str, passages: Sequence[Passage]) -> None:
        """Put what retrieval found beside the user's message that it was found for."""
        self._replace(item_id, lambda message: replace(message, passages=tuple(passages)))

    def _replace(self, item_id: str, change: Callable[[Message], Message]) -> None:
        self._items = [
            ContextItem(item.item_id, change(item.message)) if item.item_id == item_id else item
            for item in self._items
        ]
