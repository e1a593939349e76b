"""What WhatsApp tells by webhooks: messages, and what became of ours. No I/O.

They come at least once, in no certain order, and many in one body: a message is known by its `id`, a status
by its `id` and `state`. What can't be read disturbs nothing beside it, and is counted.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from warmline.channels.whatsapp.addressee import Addressee
from warmline.channels.whatsapp.incoming import IncomingMessage, MessageKind
from warmline.channels.whatsapp.statuses import MessageStatus, StatusState
from warmline.errors import RemoteProtocolError

__all__ = ["Delivery", "read"]

_Object = Mapping[str, Any]

_MEDIA: Final = ("image", "video", "document", "sticker")
_KINDS: Final[Mapping[str, MessageKind]] = {
    "text": MessageKind.TEXT,
    "button": MessageKind.TEXT,
    "audio": MessageKind.AUDIO,
    "reaction": MessageKind.REACTION,
    **dict.fromkeys(_MEDIA, MessageKind.MEDIA),
    **dict.fromkeys(("system", "request_welcome", "edit", "revoke"), MessageKind.NOTICE),
}
_STATES: Final = {state.value: state for state in StatusState}
_NOTHING: Final[_Object] = {}


@dataclass(frozen=True, slots=True)
class Delivery:
    """All that one webhook tells."""

    messages: tuple[IncomingMessage, ...] = ()
    """In the order in which they stand there; one that was delivered before may be among them."""

    statuses: tuple[MessageStatus, ...] = ()
    """As above."""

    unreadable: int = 0
    """Messages and statuses, or what should hold them, that are not as they should be."""

    other_changes: int = 0
    """Of fields that nobody reads, such as `account_update`: they need not be subscribed to."""


def read(body: bytes) -> Delivery:
    """Return what a webhook tells; its signature is to be verified before.

    Raises:
        RemoteProtocolError: the body is no JSON object.
    """
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RemoteProtocolError(f"a webhook is wrong: {error}", code="bad_webhook") from error
    if not isinstance(found, dict):
        raise RemoteProtocolError("a webhook is wrong: it is no object", code="bad_webhook")
    reading = _Reading()
    for entry in reading.objects(found, "entry"):
        for change in reading.objects(entry, "changes"):
            reading.change(change)
    return Delivery(
        tuple(reading.messages), tuple(reading.statuses), reading.unreadable, reading.other_changes
    )


class _Reading:
    """One webhook while it is read.

    What changes here: all of it, as the changes are read one by one.
    """

    def __init__(self) -> None:
        self.messages: list[IncomingMessage] = []
        self.statuses: list[MessageStatus] = []
        self.unreadable = 0
        self.other_changes = 0

    def objects(self, holder: _Object, name: str) -> Iterator[_Object]:
        """Yield the objects of a list; what is none counts as unreadable, a list that is missing does not."""
        found = holder.get(name)
        if found is None:
            return
        if not isinstance(found, list):
            self.unreadable += 1
            return
        for each in found:
            if isinstance(each, dict):
                yield each
            else:
                self.unreadable += 1

    def change(self, change: _Object) -> None:
        if change.get("field") != "messages":
            self.other_changes += 1
            return
        value = _object(change, "value")
        number_id = _text(_object(value, "metadata"), "phone_number_id")
        contacts = list(self.objects(value, "contacts"))
        for message in self.objects(value, "messages"):
            incoming = _message(message, contacts, number_id)
            if incoming is None:
                self.unreadable += 1
            else:
                self.messages.append(incoming)
        for told in self.objects(value, "statuses"):
            status = _status(told)
            if status is None:
                self.unreadable += 1
            else:
                self.statuses.append(status)


def _message(message: _Object, contacts: list[_Object], number_id: str) -> IncomingMessage | None:
    """Return a message; None if it can't be told which it is, by whom, or to which number."""
    contact = _contact_of(message, contacts)
    sender = Addressee(
        _text(message, "from") or _text(contact, "wa_id"),
        _text(message, "from_user_id") or _text(contact, "user_id"),
    )
    name, id_ = _text(message, "type"), _text(message, "id")
    if not (id_ and name and number_id and sender.key):
        return None
    content = _object(message, name)
    text, kind = _words(name, content), _KINDS.get(name, MessageKind.OTHER)
    if name == "interactive" and text:
        kind = MessageKind.TEXT
    is_reaction = kind is MessageKind.REACTION
    has_media = kind in (MessageKind.AUDIO, MessageKind.MEDIA)
    return IncomingMessage(
        id=id_,
        phone_number_id=number_id,
        user_key=sender.key,
        to=sender,
        name=_text(_object(contact, "profile"), "name"),
        timestamp_s=_seconds(message),
        kind=kind,
        type=name,
        text=text,
        media_id=_text(content, "id") if has_media else "",
        mime_type=_text(content, "mime_type") if has_media else "",
        sha256=_text(content, "sha256") if has_media else "",
        is_voice=kind is MessageKind.AUDIO and content.get("voice") is True,
        reply_to=_text(content, "message_id") if is_reaction else _text(_object(message, "context"), "id"),
    )


def _contact_of(message: _Object, contacts: list[_Object]) -> _Object:
    """Return what is said of a message's sender."""
    for of_message, of_contact in (("from_user_id", "user_id"), ("from", "wa_id")):
        wanted = _text(message, of_message)
        for contact in contacts:
            if wanted and _text(contact, of_contact) == wanted:
                return contact
    # A number may be written otherwise in the two places; with a single contact there is no doubt.
    return contacts[0] if len(contacts) == 1 else _NOTHING


def _words(name: str, content: _Object) -> str:
    """Return what somebody wrote, or chose to say."""
    match name:
        case "text":
            return _text(content, "body")
        case "button":
            return _text(content, "text")
        case "interactive":
            replies = (_object(content, kind) for kind in ("button_reply", "list_reply"))
            return next((title for reply in replies if (title := _text(reply, "title"))), "")
        case "reaction":
            return _text(content, "emoji")
        case _:
            return _text(content, "caption") if name in _MEDIA else ""


def _status(status: _Object) -> MessageStatus | None:
    """Return what became of a message; None if it can't be told which, or what."""
    id_, name = _text(status, "id"), _text(status, "status")
    if not (id_ and name):
        return None
    errors = status.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    error = first if isinstance(first, dict) else _NOTHING
    code = error.get("code")
    return MessageStatus(
        id=id_,
        state=_STATES.get(name.lower(), StatusState.OTHER),
        timestamp_s=_seconds(status),
        recipient=_text(status, "recipient_user_id") or _text(status, "recipient_id"),
        callback_data=_text(status, "biz_opaque_callback_data"),
        error_code=code if isinstance(code, int) else 0,
        error_title=_text(error, "title") or _text(error, "message"),
    )


def _object(holder: _Object, name: str) -> _Object:
    found = holder.get(name)
    return found if isinstance(found, dict) else _NOTHING


def _text(holder: _Object, name: str) -> str:
    found = holder.get(name)
    return found if isinstance(found, str) else ""


def _seconds(holder: _Object) -> int:
    """Return when something happened; it is written as text. 0 if it is not said."""
    written = str(holder.get("timestamp"))
    return int(written) if written.isascii() and written.isdecimal() and len(written) <= 12 else 0
