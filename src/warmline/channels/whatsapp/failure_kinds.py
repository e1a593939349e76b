"""What each of Meta's error codes means: for a second try, and for the operator. No I/O.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = [
    "BROKEN",
    "MEDIA",
    "NO_SUCH_NUMBER",
    "OUTCOME_UNKNOWN",
    "GraphFailureKind",
    "Meaning",
    "kind_of",
    "meaning_of",
    "media_meaning_of",
]


class GraphFailureKind(enum.Enum):
    """What a failure means for a second try; `warmline.channels.whatsapp.retrying` knows what to do."""

    PAIR_RATE = "pair_rate"
    """Too many messages to this person; others can be sent to."""

    THROUGHPUT = "throughput"
    """Too many requests by this number, app or account."""

    TOKEN = "token"
    """The token is wrong or has expired: nothing can be sent until the operator has set another."""

    TRANSIENT = "transient"
    """Meta has a problem of its own, or could not be reached; nothing was sent."""

    WINDOW_CLOSED = "window_closed"
    """The person has written nothing for 24 hours: they can be sent templates alone."""

    UNDELIVERABLE = "undeliverable"
    """This person can't be sent this."""

    REFUSED = "refused"
    """The request, the settings, a permission or a policy: it would be refused again."""

    MEDIA_GONE = "media_gone"
    """The address or the id of a file is not good any more, or the file could not be taken."""

    UNKNOWN_OUTCOME = "unknown_outcome"
    """What was to be sent got no answer: it may have been accepted, which a status will tell."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an error means."""

    kind: GraphFailureKind
    advice: str
    """What the operator can do."""


_K: Final = GraphFailureKind
_TOKEN: Final = Meaning(
    _K.TOKEN,
    "set WHATSAPP_TOKEN to a system user's token that is valid and has the permissions "
    "whatsapp_business_messaging and whatsapp_business_management",
)
_PERMISSION: Final = Meaning(
    _K.REFUSED, "the token may not do this for whatsapp.phone_number_id: see the system user's assets"
)
_PARAMETER: Final = Meaning(_K.REFUSED, "it does not take this request: see the [whatsapp] settings")
_TEMPLATE: Final = Meaning(_K.REFUSED, "see the template in WhatsApp Manager: name, language, parameters")
_POLICY: Final = Meaning(
    _K.REFUSED, "the account is restricted: see Account Quality in Meta's Business Support"
)
BROKEN: Final = Meaning(_K.TRANSIENT, "it has a problem of its own: try again")
_FASTER: Final = Meaning(_K.THROUGHPUT, "more was asked for at once than is allowed: send more slowly")
_PERSON: Final = Meaning(
    _K.UNDELIVERABLE,
    "this person can't be sent messages now: no WhatsApp, an old version of it, or its terms not accepted",
)
MEDIA: Final = Meaning(_K.MEDIA_GONE, "the file can't be had any more: ask for it anew, or upload it again")
NO_SUCH_NUMBER: Final = Meaning(
    _K.REFUSED, "it knows no such number: see whatsapp.phone_number_id and whatsapp.base_urls"
)
OUTCOME_UNKNOWN: Final = Meaning(
    _K.UNKNOWN_OUTCOME, "it may have been accepted: wait for a status before it is sent again"
)

_MEANINGS: Final[Mapping[int, Meaning]] = {
    0: _TOKEN,
    190: _TOKEN,
    1: BROKEN,
    2: BROKEN,
    3: _PERMISSION,
    10: _PERMISSION,
    **dict.fromkeys(range(200, 300), _PERMISSION),
    4: _FASTER,
    80007: _FASTER,
    130429: _FASTER,
    133016: _FASTER,
    131056: Meaning(
        _K.PAIR_RATE, "one message in 6 s to the same person is allowed: send fewer, longer ones"
    ),
    33: _PARAMETER,
    100: _PARAMETER,
    368: _POLICY,
    130472: Meaning(_K.UNDELIVERABLE, "Meta keeps this person out of marketing for an experiment"),
    130497: Meaning(_K.REFUSED, "the account may not write to this country"),
    131000: BROKEN,
    131005: _PERMISSION,
    131008: _PARAMETER,
    131009: _PARAMETER,
    131016: BROKEN,
    131021: Meaning(_K.UNDELIVERABLE, "a number can't write to itself"),
    131026: _PERSON,
    131030: Meaning(
        _K.UNDELIVERABLE, "a test number writes to the five people on its list alone: add this one there"
    ),
    131031: _POLICY,
    131037: Meaning(_K.REFUSED, "the number's display name is not approved: see WhatsApp Manager"),
    131042: Meaning(_K.REFUSED, "the account's way of payment does not work: see WhatsApp Manager"),
    131045: Meaning(_K.REFUSED, "the number is not registered: register it in WhatsApp Manager"),
    131047: Meaning(
        _K.WINDOW_CLOSED, "this person has written nothing for 24 hours: they can be sent templates alone"
    ),
    131048: Meaning(
        _K.REFUSED, "too many people have blocked or reported this number: see its quality rating"
    ),
    131049: Meaning(_K.UNDELIVERABLE, "this person has had enough marketing for now"),
    131050: Meaning(_K.UNDELIVERABLE, "this person wants no marketing"),
    131051: _PARAMETER,
    131052: MEDIA,
    131053: MEDIA,
    131057: Meaning(_K.TRANSIENT, "the account is being maintained, for minutes as a rule: try again"),
    131062: Meaning(_K.UNDELIVERABLE, "this kind of message needs a number, and only an id is known"),
    131063: _TEMPLATE,
    131064: Meaning(_K.REFUSED, "the account's messaging limit is reached: see WhatsApp Manager"),
    **dict.fromkeys(range(132000, 133000), _TEMPLATE),
    135000: BROKEN,
    137000: Meaning(_K.UNDELIVERABLE, "this person's identity key has changed"),
}

_BY_STATUS: Final[Mapping[int, Meaning]] = {
    401: _TOKEN,
    403: _PERMISSION,
    404: NO_SUCH_NUMBER,
    408: BROKEN,
    429: _FASTER,
}
_MEDIA_BY_STATUS: Final[Mapping[int, Meaning]] = {
    401: _TOKEN,
    403: MEDIA,
    404: MEDIA,
    410: MEDIA,
    429: _FASTER,
}
"""Of the host that files come from. An address is good for five minutes."""


def kind_of(code: int, *, status: int = 400, is_transient: bool = False) -> GraphFailureKind:
    """Return what an error means.

    Args:
        code: Meta's; any number below 0 for none.
        status: The HTTP status it came with; a webhook's errors come without.
        is_transient: Whether Meta says so.
    """
    return meaning_of(code, status, is_transient=is_transient).kind


def meaning_of(code: int, status: int, *, is_transient: bool) -> Meaning:
    """Return the same with what the operator can do about it."""
    known = _MEANINGS.get(code)
    if known is not None:
        return known
    if is_transient or status >= 500:
        return BROKEN
    return _BY_STATUS.get(status, _PARAMETER)


def media_meaning_of(status: int) -> Meaning:
    """Return what an answer of the host that files come from means."""
    return _MEDIA_BY_STATUS.get(status, BROKEN if status >= 500 or status == 408 else _PARAMETER)
