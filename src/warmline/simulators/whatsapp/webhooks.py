"""What a webhook says, and how it is signed. No I/O."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from warmline.simulators.whatsapp.people import Person

__all__ = ["DISPLAY_NUMBER", "PHONE_NUMBER_ID", "WABA_ID", "Event", "body_of", "signature"]

PHONE_NUMBER_ID: Final = "106540352242922"
"""The business's number, as the API calls it."""

DISPLAY_NUMBER: Final = "15550002222"
"""The number itself; 555 belongs to nobody."""

WABA_ID: Final = "102290129340398"
"""The business's account."""


@dataclass(frozen=True, slots=True)
class Event:
    """One message or one status, as a business is told of it."""

    kind: Literal["messages", "statuses"]
    item: Mapping[str, Any]
    person: Person
    """Who sent the message, or was sent it."""

    @property
    def name(self) -> str:
        """What a log calls it."""
        told = self.item["status"] if self.kind == "statuses" else self.item["type"]
        return f"{self.kind}.{told}"


def body_of(events: Sequence[Event]) -> bytes:
    """Return the body of a webhook that tells of some events; those of one kind in a row share a value.

    It is written as Meta writes it: all but ASCII is escaped, and so are slashes.
    """
    changes: list[dict[str, Any]] = []
    for event in events:
        if not changes or event.kind not in changes[-1]["value"]:
            changes.append({"value": _value(event.kind), "field": "messages"})
        value = changes[-1]["value"]
        contact = event.person.contact()
        if contact not in value["contacts"]:
            value["contacts"].append(contact)
        value[event.kind].append(event.item)
    told = {"object": "whatsapp_business_account", "entry": [{"id": WABA_ID, "changes": changes}]}
    return json.dumps(told, ensure_ascii=True, separators=(",", ":")).replace("/", "\\/").encode()


def signature(secret: str, body: bytes) -> str:
    """Return what `X-Hub-Signature-256` says of a body."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def _value(kind: str) -> dict[str, Any]:
    return {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": DISPLAY_NUMBER, "phone_number_id": PHONE_NUMBER_ID},
        "contacts": [],
        kind: [],
    }
