"""What Twilio tells of a call, and asks about it, by forms. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from warmline.errors import RemoteProtocolError

__all__ = [
    "CallRequested",
    "CallStatusChanged",
    "StreamStatusChanged",
    "TwilioCall",
    "decode_call",
    "decode_status",
    "decode_stream_status",
    "form_fields",
]

_FIELDS: Final = 500

_OVER: Final = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioCall:
    """What Twilio says of a call with everything."""

    call_id: str
    """`CallSid`."""

    account_id: str
    from_number: str
    to_number: str
    is_incoming: bool
    status: str
    """`queued`, `initiated`, `ringing`, `in-progress`, `completed`, `busy`, `failed`, `no-answer` or
    `canceled`."""

    answered_by: str
    """Where machines are detected: `human`, `machine_start`, `machine_end_beep`, `fax`, `unknown` and
    others."""

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or never began."""
        return self.status in _OVER


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRequested(TwilioCall):
    """What to do with a call is asked: it came in, one of ours was answered, or a transfer is over."""

    caller_name: str
    forwarded_from: str
    dial_status: str
    """How the call ended that the person was to be connected with: `completed`, `busy`, `no-answer`,
    `failed` or `canceled`; empty if this is about no such call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStatusChanged(TwilioCall):
    """A call is in another state; callbacks may come in any order."""

    sequence: int
    """Counts a call's callbacks from 0; 0 where Twilio does not count."""

    occurred_at_s: float | None
    """In seconds since 1970; None if Twilio does not say."""

    duration_s: int | None
    """How long it lasted, once it is over."""

    sip_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatusChanged:
    """A media stream started, stopped or failed."""

    call_id: str
    account_id: str
    stream_id: str
    name: str
    event: str
    """`stream-started`, `stream-stopped` or `stream-error`."""

    error: str
    occurred_at_s: float | None

    @property
    def is_failure(self) -> bool:
        """Whether Twilio could not reach our media socket, or lost it."""
        return self.event == "stream-error"


def form_fields(body: bytes) -> list[tuple[str, str]]:
    """Return a form's names and values, in their order; empty ones as well, since those are signed too.

    Raises:
        RemoteProtocolError: it is no form in UTF-8.
    """
    try:
        return parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS
        )
    except ValueError as error:
        raise RemoteProtocolError(f"a form can't be read: {error}", code="bad_webhook") from error


def decode_call(form: list[tuple[str, str]]) -> CallRequested:
    """Return what the voice URL, or a dialled call's `action`, is asked about.

    Raises:
        RemoteProtocolError: a field is missing.
    """
    fields = dict(form)
    return CallRequested(
        **_call(fields),
        caller_name=fields.get("CallerName", ""),
        forwarded_from=fields.get("ForwardedFrom", ""),
        dial_status=fields.get("DialCallStatus", ""),
    )


def decode_status(form: list[tuple[str, str]]) -> CallStatusChanged:
    """Return what a status callback tells.

    Raises:
        RemoteProtocolError: a field is missing.
    """
    fields = dict(form)
    return CallStatusChanged(
        **_call(fields),
        sequence=_whole(fields.get("SequenceNumber")) or 0,
        occurred_at_s=_instant_s(fields.get("Timestamp", "")),
        duration_s=_whole(fields.get("CallDuration")),
        sip_code=fields.get("SipResponseCode", ""),
    )


def decode_stream_status(form: list[tuple[str, str]]) -> StreamStatusChanged:
    """Return what a stream's status callback tells.

    Raises:
        RemoteProtocolError: a field is missing.
    """
    fields = dict(form)
    return StreamStatusChanged(
        call_id=_needed(fields, "CallSid"),
        account_id=fields.get("AccountSid", ""),
        stream_id=_needed(fields, "StreamSid"),
        name=fields.get("StreamName", ""),
        event=_needed(fields, "StreamEvent"),
        error=fields.get("StreamError", ""),
        occurred_at_s=_instant_s(fields.get("Timestamp", "")),
    )


def _call(fields: Mapping[str, str]) -> dict[str, Any]:
    return {
        "call_id": _needed(fields, "CallSid"),
        "account_id": fields.get("AccountSid", ""),
        "from_number": fields.get("From", ""),
        "to_number": fields.get("To", ""),
        "is_incoming": fields.get("Direction", "inbound") == "inbound",
        "status": _needed(fields, "CallStatus"),
        "answered_by": fields.get("AnsweredBy", ""),
    }


def _needed(fields: Mapping[str, str], name: str) -> str:
    value = fields.get(name)
    if not value:
        raise RemoteProtocolError(f"a form has no {name}", code="bad_webhook", param=name)
    return value


def _whole(text: str | None) -> int | None:
    is_number = text is not None and text.isascii() and text.isdecimal() and len(text) <= 12
    return int(text) if is_number and text is not None else None


def _instant_s(text: str) -> float | None:
    """Return seconds since 1970: calls' callbacks have RFC 2822's form, streams' have ISO 8601's."""
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            found = parse(text)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None
