"""Which WebSocket is whose, by its path."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from warmline.server.access import Refusal
from warmline.server.websocket import Accept, SocketUser

__all__ = ["by_path"]


def by_path(users: Mapping[str, Accept]) -> Accept:
    """Return what decides on an upgrade by the first of the paths that it is at or under."""

    def accept(path: str, headers: Mapping[str, str]) -> tuple[SocketUser, str | None] | Refusal:
        asked = urlsplit(path).path
        for prefix, user in users.items():
            if asked == prefix or (prefix.endswith("/") and asked.startswith(prefix)):
                return user(path, headers)
        known = " and ".join(prefix for prefix in users if not prefix.endswith("/"))
        return Refusal(
            HTTPStatus.NOT_FOUND, "not_found", f"There is no WebSocket at {asked}; it is at {known}"
        )

    return accept
