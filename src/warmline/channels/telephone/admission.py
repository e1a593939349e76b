"""Whether a call is taken, and how it is refused otherwise. No I/O."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from warmline.channels.telephone.hours import Opening, is_open

__all__ = ["Admission", "AdmissionPolicy", "Refusal", "admit"]


class Refusal(enum.Enum):
    """Why a call is not taken."""

    CALLER_BLOCKED = "caller blocked"
    NUMBER_UNKNOWN = "number unknown"
    """It was for a number that this server does not answer."""

    CLOSED = "closed"
    """Out of hours."""

    FULL = "full"
    """As many calls as the server can serve well."""


@dataclass(frozen=True, slots=True)
class AdmissionPolicy:
    """The operator's choices."""

    numbers: frozenset[str] = frozenset()
    """Our own that are answered, in international form; all if empty."""

    callers: frozenset[str] = frozenset()
    """Who is answered; all if empty."""

    blocked: frozenset[str] = frozenset()
    openings: Sequence[Opening] = ()
    """When; always if empty."""

    texts: dict[Refusal, str] = field(default_factory=dict)
    """What is said instead of a busy tone, where anything is."""


@dataclass(frozen=True, slots=True)
class Admission:
    """A decision; the call is taken if there is no refusal."""

    refusal: Refusal | None = None
    text: str = ""
    """Said to the caller; empty for a tone alone."""

    @property
    def is_busy(self) -> bool:
        """Whether the tone is that of a line in use; else the call is rejected."""
        return self.refusal is Refusal.FULL


def admit(caller: str, number: str, now: datetime, policy: AdmissionPolicy, *, has_room: bool) -> Admission:
    """Decide on a call.

    Args:
        caller: Who calls, in international form; may be empty or a word where it is withheld.
        number: Who is called.
        now: The time of day where the opening hours are meant.
        policy: The operator's choices.
        has_room: Whether another call can be served.
    """
    refusal = _refusal(caller, number, now, policy, has_room=has_room)
    return Admission() if refusal is None else Admission(refusal, policy.texts.get(refusal, ""))


def _refusal(
    caller: str, number: str, now: datetime, policy: AdmissionPolicy, *, has_room: bool
) -> Refusal | None:
    if policy.numbers and number not in policy.numbers:
        return Refusal.NUMBER_UNKNOWN
    if caller in policy.blocked or (policy.callers and caller not in policy.callers):
        return Refusal.CALLER_BLOCKED
    if not is_open(policy.openings, now):
        return Refusal.CLOSED
    return None if has_room else Refusal.FULL
