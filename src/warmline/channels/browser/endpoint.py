"""A Realtime client as a session's channel: its events become calls, the session's become its events."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol

from warmline.audio.conversion import Pcm16kDecoder
from warmline.channels.browser import client_events as client
from warmline.channels.browser.protocol import RealtimeWriter
from warmline.channels.browser.session_config import SessionConfig
from warmline.core.formats import PCM_16K, AudioFormat
from warmline.core.ids import new_id
from warmline.errors import RemoteProtocolError
from warmline.interfaces.channel import (
    Conversation,
    EndReason,
    FloorChanged,
    PartialTranscript,
    ReplyAudioDone,
    ReplyDone,
    ReplyResumed,
    ReplyStarted,
    ReplyText,
    SessionEvent,
    SessionFailure,
    SourcesFound,
    SpeechStarted,
    SpeechStopped,
    TurnMeasured,
    UserTurn,
)
from warmline.interfaces.llm import Message, Role

__all__ = ["BrowserChannel", "MediaSocket"]

_CLOSE_CODES: Final = {
    EndReason.GOODBYE: 1000,
    EndReason.HUNG_UP: 1000,
    EndReason.IDLE: 1000,
    EndReason.EXPIRED: 1000,
    EndReason.SHUTDOWN: 1012,
    EndReason.FAILED: 1011,
}
"""RFC 6455 and its registry: 1012 is a service restart, 1011 an error on our side."""

_KEPT: Final = 8
"""Replies whose sound may still have to be stopped."""

_CONTENT_TYPES: Final = {"input_text", "output_text", "text"}


class MediaSocket(Protocol):
    """The way to the client's ear; both calls return at once."""

    def send(self, message: bytes) -> None:
        """Send one text message, UTF-8."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close with a code of RFC 6455."""
        ...


@dataclass(slots=True)
class _OpenReply:
    reply_id: str
    item_id: str


class BrowserChannel:
    """One client. Implements `warmline.interfaces.channel.Channel`.

    What changes here: the session's configuration, the response that is open, what the client said
    that it can do; all on the event loop.
    """

    def __init__(
        self, socket: MediaSocket, config: SessionConfig, session_id: str, *, text_chars: int
    ) -> None:
        """Say nothing yet; `open` sends the first event.

        Args:
            socket: Where events go.
            config: The session's, which the client may change.
            session_id: Begins with `sess_`.
            text_chars: The longest typed turn.
        """
        self._socket = socket
        self._config = config
        self._text_chars = text_chars
        self._writer = RealtimeWriter(session_id)
        self._decoder = Pcm16kDecoder(config.input_format)
        self._conversation: Conversation | None = None
        self._reply: _OpenReply | None = None
        self._replies: deque[_OpenReply] = deque(maxlen=_KEPT)
        """The last ones, of which the client may still be playing one that is done."""

        self._metadata: dict[str, str] | None = None
        self._has_spoken = False
        self._is_closed = False
        self._reports_playout = False

    @property
    def telephone(self) -> None:
        """It is none."""
        return None

    @property
    def input_format(self) -> AudioFormat:
        """16 kHz pcm16: what the client sends is converted, since it may change its format at any time."""
        return PCM_16K

    @property
    def is_ringing(self) -> bool:
        """A client that is connected can hear."""
        return False

    @property
    def output_format(self) -> AudioFormat | None:
        """The audio it plays, or None for a client that wants text alone."""
        return self._config.output_format

    @property
    def reports_playout(self) -> bool:
        """Whether the client says what it has played."""
        return self._reports_playout

    @property
    def least_lead_s(self) -> float:
        """As the session has it."""
        return 0.0

    def open(self, conversation: Conversation) -> None:
        """Begin: the client is told of its session."""
        self._conversation = conversation
        self._socket.send(self._writer.event("session.created", session=self._config.to_json()))

    def receive(self, message: bytes) -> None:
        """Take one text message from the client; whatever is wrong with it is told to the client."""
        if self._conversation is None or self._is_closed:
            return
        try:
            event = client.decode(message)
        except RemoteProtocolError as problem:
            self._socket.send(self._writer.error(problem, client.event_id_of(message)))
            return
        if isinstance(event, client.AppendAudio):
            pcm = self._decoder.convert(event.audio)
            if pcm:
                self._conversation.receive_audio(pcm)
            return
        try:
            self._obey(event, self._conversation)
        except RemoteProtocolError as problem:
            self._socket.send(self._writer.error(problem, event.event_id))

    def refuse(self, code: str, message: str) -> None:
        """Tell the client of a limit."""
        self._socket.send(self._writer.refusal(code, message))

    def disconnected(self) -> None:
        """Note that the client is gone: nothing is sent to it any more."""
        self._is_closed = True

    def _obey(self, event: client.ClientEvent, conversation: Conversation) -> None:
        match event:
            case client.UpdateSession(session=patch):
                before = self._config.input_format
                self._config.update(patch, has_spoken=self._has_spoken)
                if self._config.input_format != before:
                    self._decoder = Pcm16kDecoder(self._config.input_format)
                conversation.configure(self._config.turns, self._config.instructions)
                self._socket.send(self._writer.event("session.updated", session=self._config.to_json()))
            case client.CommitAudio():
                if not conversation.commit_audio():
                    raise RemoteProtocolError(
                        "There is no audio of a turn in the buffer", code="input_audio_buffer_commit_empty"
                    )
            case client.ClearAudio():
                conversation.clear_audio()
                self._socket.send(self._writer.event("input_audio_buffer.cleared"))
            case client.CreateItem(item=item, previous_item_id=after):
                self._create_item(item, after, conversation)
            case client.RetrieveItem(item_id=item_id):
                found = conversation.find_message(item_id)
                if found is None:
                    raise _unknown_item(item_id)
                self._socket.send(self._writer.message_retrieved(item_id, found))
            case client.DeleteItem(item_id=item_id):
                if not conversation.remove_message(item_id):
                    raise _unknown_item(item_id)
                self._socket.send(self._writer.event("conversation.item.deleted", item_id=item_id))
            case client.TruncateItem(item_id=item_id, audio_end_ms=end_ms, content_index=index):
                if not conversation.playout_truncated(item_id, end_ms):
                    raise _unknown_item(item_id)
                truncated = {"item_id": item_id, "content_index": index, "audio_end_ms": end_ms}
                self._socket.send(self._writer.event("conversation.item.truncated", **truncated))
            case client.CreateResponse(response=wishes):
                self._create_response(wishes or client.ResponseParameters(), conversation)
            case client.CancelResponse():
                if not conversation.cancel_reply():
                    raise RemoteProtocolError("No response is active", code="response_cancel_not_active")
            case client.Hello(reports_playout=reports):
                self._reports_playout = reports
            case client.TypedText(text=text):
                conversation.receive_text(self._checked(text, "text"))
            case client.PlayoutStarted(response_id=reply_id):
                conversation.playout_started(reply_id)
            case client.PlayoutProgress(response_id=reply_id, played_ms=played_ms):
                conversation.playout_progressed(reply_id, played_ms)
            case client.PlayoutFinished(response_id=reply_id):
                conversation.playout_finished(reply_id)
            case _:
                raise RemoteProtocolError(
                    "This event is not for a WebSocket; stop playing, and send conversation.item.truncate",
                    code="invalid_value",
                    param="type",
                )

    def _create_item(self, item: client.ItemMessage, after: str | None, conversation: Conversation) -> None:
        roles = {role.value: role for role in (Role.USER, Role.ASSISTANT, Role.SYSTEM)}
        if item.type != "message" or item.role not in roles:
            raise RemoteProtocolError(
                "Only messages with the role user, assistant or system can be made here",
                code="invalid_value",
                param="item.type" if item.type != "message" else "item.role",
            )
        texts = [_text_of(part, number) for number, part in enumerate(item.content)]
        text = self._checked("\n".join(texts), "item.content")
        item_id = item.id or new_id("item")
        if not conversation.add_message(roles[item.role], text, item_id, after=after):
            raise RemoteProtocolError(
                f"There is an item {item_id} already, or none named {after}",
                code="invalid_value",
                param="previous_item_id",
            )
        self._send(self._writer.message_added(item_id, Message(roles[item.role], text), after))

    def _create_response(self, wishes: client.ResponseParameters, conversation: Conversation) -> None:
        if wishes.conversation != "auto" or wishes.input is not None:
            raise RemoteProtocolError(
                "A response answers the session's conversation; one beside it can't be made here",
                code="invalid_value",
                param="response.conversation",
            )
        self._metadata = wishes.metadata
        if not conversation.request_reply(wishes.instructions):
            raise RemoteProtocolError(
                "A response is being made; cancel it, or wait for response.done",
                code="conversation_already_has_active_response",
            )

    def _checked(self, text: str, param: str) -> str:
        """Return a typed text, if it is one."""
        if len(text) > self._text_chars:
            raise RemoteProtocolError(
                f"The text has {len(text)} characters; {self._text_chars} are the most (limits.text_chars)",
                code="string_above_max_length",
                param=param,
            )
        if not text.strip():
            raise RemoteProtocolError("The text is empty", code="invalid_value", param=param)
        return text

    # The session's side.

    def send(self, event: SessionEvent) -> None:
        """Tell the client what happened."""
        writer = self._writer
        match event:
            case FloorChanged(floor=floor):
                self._send([writer.event("warmline.floor", floor=floor.value)])
            case SpeechStarted(item_id=item_id, audio_start_ms=start_ms):
                fields = {"audio_start_ms": start_ms, "item_id": item_id}
                self._send([writer.event("input_audio_buffer.speech_started", **fields)])
            case SpeechStopped(item_id=item_id, audio_end_ms=end_ms):
                fields = {"audio_end_ms": end_ms, "item_id": item_id}
                self._send([writer.event("input_audio_buffer.speech_stopped", **fields)])
            case PartialTranscript(item_id=item_id, text=text):
                self._send([writer.event("warmline.transcript.partial", item_id=item_id, transcript=text)])
            case UserTurn():
                self._send(writer.user_turn(event))
            case ReplyStarted(reply_id=reply_id, item_id=item_id):
                self._reply = _OpenReply(reply_id, item_id)
                self._replies.append(self._reply)
                metadata, self._metadata = self._metadata, None
                self._send(writer.response_started(reply_id, item_id, self._config.modality, metadata))
            case ReplyResumed(reply_id=reply_id, item_id=item_id, from_ms=from_ms, until_ms=until_ms):
                ids = {"response_id": reply_id, "item_id": item_id}
                self._send([
                    writer.event("warmline.reply.resumed", **ids, from_ms=from_ms, until_ms=until_ms)
                ])
            case SourcesFound(reply_id=reply_id, passages=passages):
                self._send([writer.sources(reply_id, passages)])
            case ReplyText(reply_id=reply_id, delta=delta):
                if self._reply is not None:
                    self._send([writer.text_delta(reply_id, self._reply.item_id, delta)])
            case ReplyAudioDone():
                pass  # `ReplyDone` follows at once, and says so on this wire.
            case ReplyDone():
                self._send(writer.response_done(event))
            case TurnMeasured(report=report):
                self._send([writer.turn(report)])
            case SessionFailure(code="session_expired", message=message):
                self._send([writer.refusal("session_expired", message)])
            case SessionFailure(code=code, message=message):
                self._send([writer.event("warmline.notice", code=code, message=message)])

    def play(self, reply_id: str, audio: bytes) -> None:
        """Send audio of the open response."""
        self._has_spoken = True
        self._send([self._writer.audio_delta(audio)])

    def stop_playout(self, reply_id: str) -> None:
        """Tell the client to be silent."""
        for reply in self._replies:
            if reply.reply_id == reply_id:
                ids = {"response_id": reply_id, "item_id": reply.item_id}
                self._send([self._writer.event("warmline.playout.stop", **ids)])

    def close(self, reason: EndReason) -> None:
        """Say why, and close the socket."""
        if not self._is_closed:
            self._send([self._writer.ended(reason)])
            self._is_closed = True
            self._socket.close(_CLOSE_CODES[reason], reason.value)

    def _send(self, messages: list[bytes]) -> None:
        if not self._is_closed:
            for message in messages:
                self._socket.send(message)


def _text_of(part: dict[str, object], number: int) -> str:
    kind = part.get("type")
    text = part.get("transcript") if kind == "input_audio" else part.get("text")
    if (kind in _CONTENT_TYPES or kind == "input_audio") and isinstance(text, str):
        return text
    raise RemoteProtocolError(
        "A part of a message is text here; audio is sent with input_audio_buffer.append",
        code="invalid_value",
        param=f"item.content[{number}]",
    )


def _unknown_item(item_id: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"There is no item {item_id}", code="item_not_found", param="item_id")
