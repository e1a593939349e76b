"""The server's side of the OpenAI Realtime (GA) protocol, and our events beside it, as bytes.

Nothing here does I/O: each method returns the messages that say something, in the order the
protocol asks for (one text message each), and keeps only what later messages have to repeat.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

import msgspec

from warmline.errors import RemoteProtocolError
from warmline.interfaces.channel import EndReason, ReplyDone, ReplyStatus, UserTurn
from warmline.interfaces.llm import Message, Role
from warmline.interfaces.retriever import Passage
from warmline.timeline.report import TurnReport

__all__ = ["RealtimeWriter"]

_encoder: Final = msgspec.json.Encoder()

_STATUS: Final[dict[ReplyStatus, tuple[str, dict[str, Any] | None]]] = {
    ReplyStatus.COMPLETED: ("completed", None),
    ReplyStatus.INTERRUPTED: ("cancelled", {"type": "cancelled", "reason": "turn_detected"}),
    ReplyStatus.CANCELLED: ("cancelled", {"type": "cancelled", "reason": "client_cancelled"}),
    ReplyStatus.FAILED: ("failed", {"type": "failed"}),
}


class RealtimeWriter:
    """Writes one session's server events.

    What changes here: the event counter, the newest item's id, and the open response's ids.
    """

    def __init__(self, session_id: str) -> None:
        self._prefix = session_id.replace("sess_", "event_")
        self._count = 0
        self._last_item_id: str | None = None
        self._conversation_id = session_id.replace("sess_", "conv_")
        self._audio_head = b""
        self._modality: Literal["audio", "text"] = "audio"
        self._metadata: dict[str, str] | None = None

    def event(self, kind: str, **fields: Any) -> bytes:
        """Return one event."""
        self._count += 1
        return _encoder.encode({"type": kind, "event_id": f"{self._prefix}_{self._count}", **fields})

    def error(self, problem: RemoteProtocolError, event_id: str | None = None) -> bytes:
        """Tell the client that an event of its was wrong; the connection stays open."""
        return self.event(
            "error",
            error={
                "type": "invalid_request_error",
                "code": problem.code,
                "message": str(problem),
                "param": problem.param,
                "event_id": event_id,
            },
        )

    def refusal(self, code: str, message: str) -> bytes:
        """Tell the client that a limit of ours was reached."""
        return self.event(
            "error",
            error={"type": "server_error", "code": code, "message": message, "param": None, "event_id": None},
        )

    def user_turn(self, turn: UserTurn) -> list[bytes]:
        """Return the events of a turn that is over: spoken or typed."""
        previous, self._last_item_id = self._last_item_id, turn.item_id
        if not turn.spoken:
            return self._item(turn.item_id, Message(Role.USER, turn.text), previous)
        item = {
            "id": turn.item_id,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        spoken: dict[str, Any] = {"item_id": turn.item_id, "content_index": 0}
        transcription = "conversation.item.input_audio_transcription"
        return [
            self.event("input_audio_buffer.committed", item_id=turn.item_id, previous_item_id=previous),
            self.event("conversation.item.added", item=item, previous_item_id=previous),
            self.event("conversation.item.done", item=item, previous_item_id=previous),
            self.event(f"{transcription}.delta", **spoken, delta=turn.text),
            self.event(
                f"{transcription}.completed",
                **spoken,
                transcript=turn.text,
                usage={"type": "duration", "seconds": round(turn.duration_s, 3)},
            ),
        ]

    def message_added(self, item_id: str, message: Message, after: str | None) -> list[bytes]:
        """Return the events of an item that the client made."""
        previous = self._last_item_id if after is None else after
        if after is None:
            self._last_item_id = item_id
        return self._item(item_id, message, None if previous == "root" else previous)

    def message_retrieved(self, item_id: str, message: Message) -> bytes:
        """Return an item that the client asked for."""
        return self.event("conversation.item.retrieved", item=_item_json(item_id, message))

    def response_started(
        self,
        response_id: str,
        item_id: str,
        modality: Literal["audio", "text"],
        metadata: dict[str, str] | None,
    ) -> list[bytes]:
        """Return the events that open a response, up to its content part."""
        self._modality = modality
        self._metadata = metadata
        previous, self._last_item_id = self._last_item_id, item_id
        item = _reply_item(item_id, "in_progress", [])
        ids = {"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0}
        # One audio delta is written per chunk of sound: its constant part is made here, once.
        self._audio_head = _encoder.encode({"type": "response.output_audio.delta", **ids})[:-1]
        return [
            self.event("response.created", response=self._response(response_id, "in_progress", None, [])),
            self.event("response.output_item.added", response_id=response_id, output_index=0, item=item),
            self.event("conversation.item.added", item=item, previous_item_id=previous),
            self.event("response.content_part.added", **ids, part=self._part("")),
        ]

    def text_delta(self, response_id: str, item_id: str, delta: str) -> bytes:
        """Return more of the response's words."""
        kind = "output_audio_transcript" if self._modality == "audio" else "output_text"
        return self.event(
            f"response.{kind}.delta",
            response_id=response_id,
            item_id=item_id,
            output_index=0,
            content_index=0,
            delta=delta,
        )

    def audio_delta(self, audio: bytes) -> bytes:
        """Return more of the open response's sound."""
        self._count += 1
        return b'%b,"event_id":"%b_%d","delta":"%b"}' % (
            self._audio_head,
            self._prefix.encode(),
            self._count,
            binascii.b2a_base64(audio, newline=False),
        )

    def response_done(self, reply: ReplyDone) -> list[bytes]:
        """Return the events that close a response."""
        status, details = _STATUS[reply.status]
        if reply.status is ReplyStatus.FAILED:
            error = {"type": "server_error", "code": "reply_failed", "message": reply.detail}
            details = {"type": "failed", "error": error}
        ids = {
            "response_id": reply.reply_id,
            "item_id": reply.item_id,
            "output_index": 0,
            "content_index": 0,
        }
        part = self._part(reply.text)
        item_status = "completed" if reply.status is ReplyStatus.COMPLETED else "incomplete"
        item = _reply_item(
            reply.item_id, item_status, [{**part, "type": "output_" + part["type"]}] if reply.text else []
        )
        if self._modality == "audio":
            ends = [
                self.event("response.output_audio.done", **ids),
                self.event("response.output_audio_transcript.done", **ids, transcript=reply.text),
            ]
        else:
            ends = [self.event("response.output_text.done", **ids, text=reply.text)]
        return [
            *ends,
            self.event("response.content_part.done", **ids, part=part),
            self.event("response.output_item.done", response_id=reply.reply_id, output_index=0, item=item),
            self.event("conversation.item.done", item=item),
            self.event("response.done", response=self._response(reply.reply_id, status, details, [item])),
        ]

    def sources(self, response_id: str, passages: Iterable[Passage]) -> bytes:
        """Return what an answer draws on."""
        return self.event("warmline.reply.sources", response_id=response_id, sources=list(passages))

    def turn(self, report: TurnReport) -> bytes:
        """Return a turn's figures."""
        fields = msgspec.to_builtins(report)
        fields["response_id"] = fields.pop("reply_id")
        return self.event("warmline.turn", turn=fields)

    def ended(self, reason: EndReason) -> bytes:
        """Return the last event."""
        return self.event("warmline.session.ended", reason=reason.value)

    def _item(self, item_id: str, message: Message, previous: str | None) -> list[bytes]:
        item = _item_json(item_id, message)
        return [
            self.event("conversation.item.added", item=item, previous_item_id=previous),
            self.event("conversation.item.done", item=item, previous_item_id=previous),
        ]

    def _part(self, text: str) -> dict[str, str]:
        if self._modality == "audio":
            return {"type": "audio", "transcript": text}
        return {"type": "text", "text": text}

    def _response(
        self, response_id: str, status: str, details: dict[str, Any] | None, output: Sequence[Any]
    ) -> dict[str, Any]:
        return {
            "object": "realtime.response",
            "id": response_id,
            "status": status,
            "status_details": details,
            "output": output,
            "conversation_id": self._conversation_id,
            "output_modalities": [self._modality],
            "max_output_tokens": "inf",
            "metadata": self._metadata,
            "usage": None,
        }


def _reply_item(item_id: str, status: str, content: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "id": item_id,
        "object": "realtime.item",
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content,
    }


def _item_json(item_id: str, message: Message) -> dict[str, Any]:
    kind = "output_text" if message.role is Role.ASSISTANT else "input_text"
    return {
        "id": item_id,
        "object": "realtime.item",
        "type": "message",
        "status": "completed",
        "role": message.role.value,
        "content": [{"type": kind, "text": message.text}] if message.text else [],
    }
