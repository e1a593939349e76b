"""What a business asks for with `POST /{phone_number_id}/messages`, read strictly. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec

from warmline.simulators.whatsapp.errors import Refused, required
from warmline.simulators.whatsapp.people import digits, is_user_id

__all__ = ["FILE_TYPES", "Receipt", "Sending", "read_body"]

FILE_TYPES: Final = ("audio", "document", "image", "sticker", "video")
"""Messages that carry a file."""

_TYPES: Final = ("contacts", "interactive", "location", "reaction", "template", "text", *FILE_TYPES)
_TEXT_CHARACTERS: Final = 4096
_INTERACTIVE_CHARACTERS: Final = 1024
_CALLBACK_CHARACTERS: Final = 512
_BUTTONS: Final = 3
_TITLE_CHARACTERS: Final = 20
_MISSING: Final = re.compile(r"missing required field `(\w+)`")
_UNKNOWN: Final = re.compile(r"unknown field `(\w+)`")
_PLACE: Final = re.compile(r"at `\$\.([\w.]+)")


_NotEmpty = Annotated[str, msgspec.Meta(min_length=1)]


class _Text(msgspec.Struct):
    body: str
    preview_url: bool = False


class _File(msgspec.Struct):
    id: str = ""
    link: str = ""
    voice: bool = False
    caption: str | None = None


class _Language(msgspec.Struct):
    code: _NotEmpty


class _Template(msgspec.Struct):
    name: _NotEmpty
    language: _Language


class _Reaction(msgspec.Struct):
    message_id: _NotEmpty
    emoji: str = ""


class _Reply(msgspec.Struct):
    id: str = ""
    title: str = ""


class _Button(msgspec.Struct):
    reply: _Reply = msgspec.field(default_factory=_Reply)


class _Action(msgspec.Struct):
    buttons: list[_Button] = []


class _Words(msgspec.Struct):
    text: str = ""


class _Interactive(msgspec.Struct):
    type: _NotEmpty
    action: _Action
    body: _Words = msgspec.field(default_factory=_Words)


_SHAPES: Final[dict[str, Any]] = {
    "text": _Text,
    "template": _Template,
    "reaction": _Reaction,
    "interactive": _Interactive,
    **dict.fromkeys(FILE_TYPES, _File),
}
"""What is looked at of a message's content; there may be more in it."""


class _Context(msgspec.Struct, forbid_unknown_fields=True):
    message_id: str


class _Typing(msgspec.Struct, forbid_unknown_fields=True):
    type: str


class _Body(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    messaging_product: str = ""
    recipient_type: str = "individual"
    to: str = ""
    recipient: str = ""
    recipient_identity_key_hash: str = ""
    type: str = "text"
    context: _Context | None = None
    biz_opaque_callback_data: str = ""
    text: dict[str, Any] | None = None
    audio: dict[str, Any] | None = None
    image: dict[str, Any] | None = None
    video: dict[str, Any] | None = None
    document: dict[str, Any] | None = None
    sticker: dict[str, Any] | None = None
    template: dict[str, Any] | None = None
    reaction: dict[str, Any] | None = None
    interactive: dict[str, Any] | None = None
    location: dict[str, Any] | None = None
    contacts: list[dict[str, Any]] | None = None
    status: str = ""
    message_id: str = ""
    typing_indicator: _Typing | None = None


@dataclass(frozen=True, slots=True)
class Sending:
    """A message to somebody."""

    to: str
    """The digits of a number; empty where `user_id` says who."""

    user_id: str
    type: str
    content: Any
    """What stands under the type's name."""

    reply_to: str
    callback_data: str

    @property
    def addressed(self) -> str:
        """Whom it is for, as it was written."""
        return self.to or self.user_id

    @property
    def is_voice(self) -> bool:
        """Whether it is to be shown as a voice note."""
        return self.type == "audio" and bool(self.content.get("voice"))

    @property
    def text(self) -> str:
        """Its words, of those types that have any."""
        match self.type:
            case "text":
                return str(self.content["body"])
            case "interactive":
                return str(self.content.get("body", {}).get("text", ""))
            case "reaction":
                return str(self.content.get("emoji", ""))
            case "template":
                return str(self.content["name"])
            case _ if self.type in FILE_TYPES:
                return str(self.content.get("caption", ""))
        return ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a message was read, and perhaps that an answer is being made."""

    message_id: str
    shows_typing: bool


def read_body(body: bytes) -> Sending | Receipt:
    """Return what is asked for.

    Raises:
        Refused: it is not as it should be.
    """
    try:
        read = msgspec.json.decode(body, type=_Body)
    except msgspec.ValidationError as error:
        raise _unfit(error) from error
    except msgspec.DecodeError as error:
        raise Refused(100, str(error)) from error
    if not read.messaging_product:
        raise required("messaging_product")
    if read.messaging_product != "whatsapp":
        raise Refused(100, message="(#100) Param messaging_product must be one of {WHATSAPP}.")
    return _receipt(read) if read.status or read.typing_indicator else _sending(read)


def _receipt(read: _Body) -> Receipt:
    if read.status != "read":
        raise Refused(100, message="(#100) Param status must be one of {READ}.")
    if not read.message_id:
        raise required("message_id")
    if read.typing_indicator is not None and read.typing_indicator.type != "text":
        raise Refused(131009, "typing_indicator has the type text.")
    return Receipt(read.message_id, read.typing_indicator is not None)


def _sending(read: _Body) -> Sending:
    if read.recipient_type != "individual":
        raise Refused(131009, "recipient_type is individual.")
    if not read.to and not read.recipient:
        raise required("to")
    to = digits(read.to)
    if read.to and not to:
        raise Refused(131009, f"to is a telephone number; {read.to!r} is none.")
    if not read.to and not is_user_id(read.recipient):
        raise Refused(131009, f"recipient is a business-scoped user id; {read.recipient!r} is none.")
    if read.type not in _TYPES:
        kinds = ", ".join(sorted(_TYPES)).upper()
        raise Refused(100, message=f"(#100) Param type must be one of {{{kinds}}} - got {read.type!r}.")
    if len(read.biz_opaque_callback_data) > _CALLBACK_CHARACTERS:
        raise Refused(131009, f"biz_opaque_callback_data has {_CALLBACK_CHARACTERS} characters at most.")
    content = getattr(read, read.type)
    if not content:
        raise Refused(131008, f"Parameter '{read.type}' is mandatory for type '{read.type}'.")
    _check(read.type, content)
    reply_to = read.context.message_id if read.context is not None else ""
    user_id = "" if to else read.recipient
    return Sending(to, user_id, read.type, content, reply_to, read.biz_opaque_callback_data)


def _check(kind: str, content: Any) -> None:
    if kind not in _SHAPES:
        return
    try:
        shape = msgspec.convert(content, _SHAPES[kind])
    except msgspec.ValidationError as error:
        missing = _MISSING.search(str(error))
        if missing is None and "length >= 1" not in str(error):
            raise _unfit(error) from error
        name = f" '{missing[1]}'" if missing is not None else ""
        raise Refused(131008, f"A parameter{name} of '{kind}' is missing.") from error
    match shape:
        case _Text():
            _check_text(shape.body)
        case _File():
            _check_file(kind, shape)
        case _Interactive():
            _check_interactive(shape)


def _check_text(body: str) -> None:
    if not body.strip():
        raise Refused(100, message="(#100) Param text['body'] must be a non-empty string.")
    if len(body) > _TEXT_CHARACTERS:
        limit = f"must be at most {_TEXT_CHARACTERS} characters long."
        raise Refused(100, message=f"(#100) Param text['body'] {limit}")


def _check_file(kind: str, file: _File) -> None:
    if bool(file.id) == bool(file.link):
        raise Refused(131009, f"{kind} has either an id or a link.")
    if kind == "audio" and file.caption is not None:
        raise Refused(131009, "audio has no caption.")


def _check_interactive(interactive: _Interactive) -> None:
    if len(interactive.body.text) > _INTERACTIVE_CHARACTERS:
        raise Refused(131009, f"Body text is too long. Max length is {_INTERACTIVE_CHARACTERS}.")
    if interactive.type != "button":
        return
    buttons = interactive.action.buttons
    if not 1 <= len(buttons) <= _BUTTONS:
        counts = f"Min allowed buttons: 1, Max allowed buttons: {_BUTTONS}."
        raise Refused(131009, f"Invalid buttons count. {counts}")
    if any(len(button.reply.title) > _TITLE_CHARACTERS for button in buttons):
        raise Refused(131009, f"Button title length invalid. Max length: {_TITLE_CHARACTERS}.")


def _unfit(error: msgspec.ValidationError) -> Refused:
    found = _UNKNOWN.search(str(error)) or _PLACE.search(str(error))
    name = found[1] if found else "body"
    return Refused(100, f"{error}", message=f"(#100) Invalid parameter: {name}")
