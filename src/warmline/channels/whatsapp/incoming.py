"""A message that somebody sent us, as it goes through a durable job. No I/O."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

import msgspec

from warmline.channels.whatsapp.addressee import Addressee
from warmline.errors import LocalProtocolError

__all__ = ["IncomingMessage", "MessageKind"]


class MessageKind(enum.Enum):
    """What can be done about a message."""

    TEXT = "text"
    """Words: written, or chosen from buttons or a list."""

    AUDIO = "audio"
    """A voice note, or a file of sound."""

    MEDIA = "media"
    """A picture, a film, a document or a sticker; `text` is its caption."""

    REACTION = "reaction"
    """An emoji about the message `reply_to`; `text` is empty where one was taken back."""

    NOTICE = "notice"
    """Nobody said it to us: a number changed, a chat was opened, a message was edited or taken back."""

    OTHER = "other"
    """A place, a contact, an order, or what is not known here; `type` says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingMessage:
    """A message to one of our numbers; what is not said is empty."""

    id: str
    """`wamid.…`: the same for every delivery. Their telephone number can be read from it."""

    phone_number_id: str
    """Ours that it came to, and that answers."""

    user_key: str
    """Who sent it, as histories are kept; their id, or else their number."""

    to: Addressee
    """Who sent it, as the answer is addressed."""

    name: str = ""
    """What they call themselves."""

    timestamp_s: int = 0
    """When they sent it, in seconds since 1970; 0 if that was not said."""

    kind: MessageKind
    type: str
    """As WhatsApp names it, such as `location`."""

    text: str = ""
    """What they wrote or chose, a caption, or an emoji."""

    media_id: str = ""
    """What a file is asked for by, for about seven days."""

    mime_type: str = ""
    """Such as `audio/ogg; codecs=opus`."""

    sha256: str = ""
    """The file's, in base64."""

    is_voice: bool = False
    """It was spoken into WhatsApp, as opposed to a file that was passed on."""

    reply_to: str = ""
    """The message that this one quotes, or is a reaction to."""

    def to_json(self) -> bytes:
        """Return the message as `from_json` reads it."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, written: bytes | str) -> IncomingMessage:
        """Return a message that was written by `to_json`, by this version or an earlier one.

        Raises:
            LocalProtocolError: it is none.
        """
        try:
            return _MESSAGE.decode(written)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise LocalProtocolError(f"reading a message that was kept: {error}") from error


_MESSAGE: Final = msgspec.json.Decoder(IncomingMessage)
