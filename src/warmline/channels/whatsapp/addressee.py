"""Whom a message is for. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Addressee"]


@dataclass(frozen=True, slots=True)
class Addressee:
    """A person on WhatsApp, who may keep their number to themselves; one of the two is there."""

    phone: str = ""
    """Digits alone, with the country's code."""

    user_id: str = ""
    """The business-scoped user id, such as `US.1349`: the same person has another one at another business."""

    @property
    def key(self) -> str:
        """What their history is kept under: the id, since a number may change or stay away."""
        return self.user_id or self.phone

    def fields(self) -> dict[str, str]:
        """Return what a message says of whom it is for.

        The number where there is one, because some messages are not taken with an id (error 131062).
        """
        return {"to": self.phone} if self.phone else {"recipient": self.user_id}
