"""A value that must not be shown."""

from __future__ import annotations

import hmac

__all__ = ["MASK", "Secret"]

MASK = "********"
"""Stands for any secret, whatever its length."""


class Secret:
    """A secret that prints as a mask, so that a log or a traceback cannot give it away."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def matches(self, candidate: str) -> bool:
        """Return whether `candidate` is the secret; the time it takes does not tell how near it was."""
        return hmac.compare_digest(self._value.encode(), candidate.encode("utf-8", "surrogateescape"))

    def reveal(self) -> str:
        """Return the secret itself."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.matches(other._value)

    def __hash__(self) -> int:
        return hash(self._value)
