"""Whether somebody is saying goodbye, rather than speaking about it."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_goodbye"]

_FAREWELL: Final = re.compile(
    r"\b(good ?bye|bye(?: ?bye)?|farewell|so long|good ?night|see (?:you|ya)|hang up"
    r"|talk to you (?:later|soon))\b"
)
_COURTESY: Final = frozenset(
    "a again ah all and day everything evening for great have help i is it its later lot lovely me "
    "much my nice night now of ok okay oh please right so soon take care thank thanks that thats the then "
    "there today tomorrow um uh very weekend well will wonderful yes yeah you your good need one just "
    "no more questions nothing else i'm im done cheers".split()
)


def is_goodbye(text: str) -> bool:
    """Return whether the turn is a goodbye and nothing but one.

    A farewell with thanks and courtesies around it is; a question in which the word occurs
    ("how do I say goodbye to my account") is not, and gets an answer instead.
    """
    words = re.sub(r"[^a-z' ]+", " ", text.lower())
    words = re.sub(r"\s+", " ", words).strip()
    if not _FAREWELL.search(words):
        return False
    rest = _FAREWELL.sub(" ", words).split()
    return all(word in _COURTESY for word in rest)
