"""What became of a message that we sent. No I/O."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["MessageStatus", "StatusState"]


class StatusState(enum.Enum):
    """How far a message has come; `READ` may be told before `DELIVERED`, or without it."""

    SENT = "sent"
    """WhatsApp has it."""

    DELIVERED = "delivered"
    """It is on the person's telephone."""

    READ = "read"
    """It was on its screen."""

    PLAYED = "played"
    """It was listened to."""

    FAILED = "failed"
    """It will not arrive; `error_code` says why."""

    OTHER = "other"
    """Something that is not known here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageStatus:
    """What is told of one message; what is not said is empty."""

    id: str
    """`wamid.…`, as `send` returned it."""

    state: StatusState
    timestamp_s: int = 0
    """When it happened, in seconds since 1970."""

    recipient: str = ""
    """The person's id, or else their number."""

    callback_data: str = ""
    """What we gave the message along: it tells which message this is even if the send got no answer."""

    error_code: int = 0
    """As in `warmline.channels.whatsapp.failures`; 0 for none."""

    error_title: str = ""

    @property
    def proves_acceptance(self) -> bool:
        """Whether WhatsApp has taken the message, so that it is not to be sent again."""
        return self.state in (StatusState.SENT, StatusState.DELIVERED, StatusState.READ, StatusState.PLAYED)
