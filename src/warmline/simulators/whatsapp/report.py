"""What is told of messages, all of it fit for JSON. Instants are seconds since the simulator was made."""

from __future__ import annotations

from typing import Any

import msgspec

from warmline.simulators.attempt import Attempt

__all__ = [
    "AcceptedMessage",
    "ConversationReport",
    "ReceivedMessage",
    "SentMessage",
    "ToldStatus",
    "ToldWebhook",
    "Turn",
]


class SentMessage(msgspec.Struct, kw_only=True):
    """Something that a person sent to the business."""

    id: str
    type: str
    text: str = ""
    """The words, of a text, of what was spoken, or of a caption."""

    seconds: float | None = None
    """How long a recording is."""

    at_s: float
    told_at_s: float | None = None
    """When the business's server first answered with 200."""

    read_at_s: float | None = None
    """When it was first marked as read."""

    typing_at_s: float | None = None
    """When somebody was first shown to be writing about it."""


class ReceivedMessage(msgspec.Struct, kw_only=True):
    """Something that came from the business."""

    id: str
    type: str
    text: str = ""
    at_s: float
    callback_data: str = ""
    reply_to: str = ""
    """The message that it quotes."""

    is_voice: bool = False
    media_id: str = ""
    mime_type: str = ""
    size_bytes: int = 0
    seconds: float | None = None
    """How long a recording is, decoded to its end."""

    is_automatic: bool = True
    """Whether the phone loads it by itself; a recording of over 512 KB waits for a tap."""

    content: Any = None
    """As the business sent it."""


class ToldStatus(msgspec.Struct, kw_only=True):
    """What the business was told of a message of its own, or is to be."""

    status: str
    at_s: float
    """When it happened."""

    told_at_s: float | None = None
    """When the business's server first answered with 200."""

    code: int = 0
    """Of a failure."""


class AcceptedMessage(msgspec.Struct, kw_only=True):
    """A message of the business's that was answered with 200, or would have been."""

    id: str
    to: str
    """The person, by id or number."""

    type: str
    at_s: float
    callback_data: str = ""
    failed_code: int = 0
    """Why it reached nobody; 0 if it did."""

    statuses: list[ToldStatus] = []


class ToldWebhook(msgspec.Struct, kw_only=True):
    """One webhook."""

    events: list[str]
    """Such as `messages.audio` and `statuses.read`."""

    ids: list[str]
    """Of the messages that it is about."""

    at_s: float
    attempts: list[Attempt] = []
    """Of all copies, in their order."""


class Turn(msgspec.Struct, kw_only=True):
    """One message of a person's, and what came for it."""

    message: str
    answers: list[str]
    """The ids of what quotes it, and of what came before the next one was sent."""

    told_ms: float | None
    """From the message to the first 200 of the business's server; so are the others."""

    read_ms: float | None
    typing_ms: float | None
    answer_ms: float | None
    """To the first answer."""

    last_answer_ms: float | None


class ConversationReport(msgspec.Struct, kw_only=True):
    """How a conversation went, or has gone so far."""

    id: str
    person: str
    state: str
    """`going_on`, or `over`."""

    began_at_s: float
    ended_at_s: float | None
    sent: list[SentMessage]
    received: list[ReceivedMessage]
    turns: list[Turn]
    webhooks: list[ToldWebhook]
