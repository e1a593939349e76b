"""What a Realtime client may say, as typed values.

Field names and rules are those of the OpenAI Realtime (GA) protocol; types that begin with
`warmline.` are ours (docs/reference/realtime.md).
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from warmline.channels.browser.session_config import SessionPatch
from warmline.errors import RemoteProtocolError

__all__ = [
    "AppendAudio",
    "CancelResponse",
    "ClearAudio",
    "ClearOutput",
    "ClientEvent",
    "CommitAudio",
    "CreateItem",
    "CreateResponse",
    "DeleteItem",
    "Hello",
    "ItemMessage",
    "PlayoutFinished",
    "PlayoutProgress",
    "PlayoutStarted",
    "ResponseParameters",
    "RetrieveItem",
    "TruncateItem",
    "TypedText",
    "UpdateSession",
    "decode",
    "event_id_of",
]

_Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=86_400_000)]


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    event_id: str | None = None
    """The client's own name for the event, returned with an error about it."""


class UpdateSession(_Event, frozen=True, tag="session.update"):
    """Change the session; only what is sent changes."""

    session: SessionPatch


class AppendAudio(_Event, frozen=True, tag="input_audio_buffer.append"):
    """More of the user's audio, in the session's input format."""

    audio: bytes


class CommitAudio(_Event, frozen=True, tag="input_audio_buffer.commit"):
    """The user's turn is over."""


class ClearAudio(_Event, frozen=True, tag="input_audio_buffer.clear"):
    """Forget the audio of the turn in progress."""


class ItemMessage(msgspec.Struct, frozen=True):
    """A conversation item as a client makes it; `content` is looked into only for messages."""

    type: str
    id: str | None = None
    role: str | None = None
    content: list[dict[str, Any]] = []


class CreateItem(_Event, frozen=True, tag="conversation.item.create"):
    """Put an item into the conversation."""

    item: ItemMessage
    previous_item_id: str | None = None


class RetrieveItem(_Event, frozen=True, tag="conversation.item.retrieve"):
    """Ask for an item."""

    item_id: str


class DeleteItem(_Event, frozen=True, tag="conversation.item.delete"):
    """Take an item out of the conversation."""

    item_id: str


class TruncateItem(_Event, frozen=True, tag="conversation.item.truncate"):
    """Say how much of a reply was heard before it was stopped."""

    item_id: str
    audio_end_ms: _Milliseconds
    content_index: int = 0


class ResponseParameters(msgspec.Struct, frozen=True):
    """What a client may wish for one response; other fields are accepted and have no effect."""

    instructions: str | None = None
    conversation: str = "auto"
    input: list[Any] | None = None
    metadata: dict[str, str] | None = None


class CreateResponse(_Event, frozen=True, tag="response.create"):
    """Ask for a reply."""

    response: ResponseParameters | None = None


class CancelResponse(_Event, frozen=True, tag="response.cancel"):
    """Stop the reply."""

    response_id: str | None = None


class ClearOutput(_Event, frozen=True, tag="output_audio_buffer.clear"):
    """For other transports than a WebSocket."""


class Hello(_Event, frozen=True, tag="warmline.hello"):
    """What the client can do."""

    reports_playout: bool = False


class TypedText(_Event, frozen=True, tag="warmline.text"):
    """A typed turn, which takes the floor."""

    text: str


class PlayoutStarted(_Event, frozen=True, tag="warmline.playout.started"):
    """The first sample of a reply is heard now."""

    response_id: str


class PlayoutProgress(_Event, frozen=True, tag="warmline.playout.progress"):
    """So much of a reply has been heard."""

    response_id: str
    played_ms: _Milliseconds


class PlayoutFinished(_Event, frozen=True, tag="warmline.playout.finished"):
    """All of a reply was heard."""

    response_id: str
    played_ms: _Milliseconds


ClientEvent = (
    UpdateSession
    | AppendAudio
    | CommitAudio
    | ClearAudio
    | CreateItem
    | RetrieveItem
    | DeleteItem
    | TruncateItem
    | CreateResponse
    | CancelResponse
    | ClearOutput
    | Hello
    | TypedText
    | PlayoutStarted
    | PlayoutProgress
    | PlayoutFinished
)

_decoder: Final = msgspec.json.Decoder(ClientEvent)


def decode(message: bytes) -> ClientEvent:
    """Return the event in one text message.

    Raises:
        RemoteProtocolError: it is not JSON, of no known type, or a field is missing or wrong.
    """
    try:
        event: ClientEvent = _decoder.decode(message)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        param = where.rstrip("`") or None
        code = "unknown_parameter" if "unknown field" in what else "invalid_value"
        raise RemoteProtocolError(what, code=code, param=param) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RemoteProtocolError(f"The message is not JSON: {error}", code="invalid_json") from error
    return event


def event_id_of(message: bytes) -> str | None:
    """Return the event id of a message that could not be decoded, if one can be made out."""
    try:
        return msgspec.json.decode(message, type=_Named).event_id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


class _Named(msgspec.Struct, frozen=True):
    event_id: str | None = None
