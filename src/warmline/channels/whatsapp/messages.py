"""The bodies of what is sent. No I/O.

https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from warmline.channels.whatsapp.addressee import Addressee

__all__ = [
    "CALLBACK_DATA_CHARACTERS",
    "read_receipt",
    "template_message",
    "text_message",
    "voice_note_message",
]

CALLBACK_DATA_CHARACTERS: Final = 512
"""What `biz_opaque_callback_data` may have."""

_PRODUCT: Final = {"messaging_product": "whatsapp"}


def text_message(
    to: Addressee, text: str, *, callback_data: str = "", reply_to: str = "", shows_links: bool = False
) -> dict[str, Any]:
    """Return a message of words.

    Args:
        to: Whom it is for.
        text: At most 4,096 characters; see `split_text`.
        callback_data: Comes back with every status of the message, also where the send got no answer.
        reply_to: The message that it quotes.
        shows_links: Whether a link is shown with what is behind it.
    """
    content = {"body": text, "preview_url": shows_links}
    return _message(to, "text", content, callback_data, reply_to)


def voice_note_message(
    to: Addressee, media_id: str, *, callback_data: str = "", reply_to: str = ""
) -> dict[str, Any]:
    """Return a message that is shown as one that was spoken.

    Args:
        to: Whom it is for.
        media_id: Of a file that was uploaded: OGG with Opus, mono.
        callback_data: As in `text_message`.
        reply_to: As there.
    """
    return _message(to, "audio", {"id": media_id, "voice": True}, callback_data, reply_to)


def template_message(
    to: Addressee,
    name: str,
    language: str,
    *,
    components: Sequence[dict[str, Any]] = (),
    callback_data: str = "",
) -> dict[str, Any]:
    """Return a message that was approved beforehand, and may be sent when the window is closed.

    Args:
        to: Whom it is for.
        name: The template's.
        language: Such as `en_US`, as it was approved in.
        components: What is filled in.
        callback_data: As in `text_message`.
    """
    content: dict[str, Any] = {"name": name, "language": {"code": language}}
    if components:
        content["components"] = list(components)
    return _message(to, "template", content, callback_data, "")


def read_receipt(message_id: str, *, typing: bool = False) -> dict[str, Any]:
    """Return what marks a message, and all before it, as read.

    Args:
        message_id: Theirs.
        typing: Whether they are also shown that an answer is being written, for 25 s or until it comes.
    """
    body: dict[str, Any] = {**_PRODUCT, "status": "read", "message_id": message_id}
    if typing:
        body["typing_indicator"] = {"type": "text"}
    return body


def _message(
    to: Addressee, kind: str, content: dict[str, Any], callback_data: str, reply_to: str
) -> dict[str, Any]:
    if len(callback_data) > CALLBACK_DATA_CHARACTERS:
        raise ValueError(f"callback data has {len(callback_data)} characters, and 512 may be")
    body: dict[str, Any] = {**_PRODUCT, "recipient_type": "individual", **to.fields(), "type": kind}
    body[kind] = content
    if reply_to:
        body["context"] = {"message_id": reply_to}
    if callback_data:
        body["biz_opaque_callback_data"] = callback_data
    return body
