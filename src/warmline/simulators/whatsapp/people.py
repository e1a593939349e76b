"""Who writes to a business, as the business gets to know them. No I/O."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

__all__ = ["Person", "digits", "is_user_id"]

_USER_ID: Final = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
_APART: Final = re.compile(r"[+\s().-]")


class Person(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Somebody with a telephone number, an id of their own at this business (BSUID), or both.

    Since the spring of 2026 everybody has an id, and some keep their number to themselves; before, there
    were numbers alone.
    """

    phone: str = ""
    """With the country's code; a business is told the digits alone."""

    user_id: str = ""
    """Such as `US.13491208655302741918`."""

    name: str = "Ann"
    username: str = ""

    def __post_init__(self) -> None:
        """See that they can be told from others.

        Raises:
            ValueError: they can't, or a value does not fit.
        """
        if not self.phone and not self.user_id:
            raise ValueError("a person has a phone, a user_id, or both")
        if self.phone and not digits(self.phone):
            raise ValueError("phone is digits, with the country's code")
        if self.user_id and not is_user_id(self.user_id):
            raise ValueError("user_id is a country, a dot, and letters or digits, such as US.1349")

    @property
    def wa_id(self) -> str:
        """The number's digits; empty for somebody who keeps it to themselves."""
        return digits(self.phone)

    @property
    def key(self) -> str:
        """What they are told apart by: their id, since a number may change."""
        return self.user_id or self.wa_id

    def contact(self) -> dict[str, Any]:
        """Return what webhooks say of them."""
        profile = {"name": self.name, **({"username": self.username} if self.username else {})}
        return {"profile": profile, **self.named("wa_id", "user_id")}

    def named(self, number: str, user_id: str) -> dict[str, str]:
        """Return their number and their id, as far as they have them, by these names."""
        both = {number: self.wa_id, user_id: self.user_id}
        return {name: value for name, value in both.items() if value}


def digits(number: str) -> str:
    """Return the digits of a telephone number; empty if it is none."""
    bare = _APART.sub("", number)
    return bare if bare.isascii() and bare.isdigit() and 5 <= len(bare) <= 15 else ""


def is_user_id(text: str) -> bool:
    """Whether this is how a business-scoped user id looks."""
    return _USER_ID.fullmatch(text) is not None
