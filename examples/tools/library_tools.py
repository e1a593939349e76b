"""Tools for the agent of a library (docs/guides/tools.md)."""

from __future__ import annotations

import datetime

from warmline import ToolContext, ToolError, tool

copies = {"emma": 1, "dune": 0}
reserved: dict[str, str] = {}
"""Titles by session."""


@tool(is_pure=True)
def count_copies(title: str) -> int:
    """Tell how many copies of a book are in.

    Args:
        title: The book's, without its author.
    """
    return copies.get(title.casefold(), 0)


@tool(timeout_s=5)
async def reserve_book(title: str, day: datetime.date, context: ToolContext) -> str:
    """Reserve a book. Ask for the day before, and confirm it after.

    Args:
        title: The book's, without its author.
        day: When it will be collected.
        context: The session.
    """
    if not copies.get(title.casefold()):
        raise ToolError(f"every copy of {title} is lent out")
    copies[title.casefold()] -= 1
    reserved[context.session_id] = title
    return f"{title} will be at the desk on {day:%A, %d %B}"
