"""The Graph API's failures as errors; the one place where they are translated. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from warmline.channels.whatsapp.failure_kinds import (
    BROKEN,
    MEDIA,
    NO_SUCH_NUMBER,
    OUTCOME_UNKNOWN,
    GraphFailureKind,
    Meaning,
    meaning_of,
    media_meaning_of,
)
from warmline.errors import (
    LeaseTimeout,
    OpenFailed,
    PoolClosed,
    PoolError,
    ProviderError,
    ProviderRejected,
    ProviderUnavailable,
)

__all__ = [
    "PROVIDER",
    "GraphFailure",
    "GraphRejected",
    "GraphUnavailable",
    "failure",
    "media_failure",
    "pool_failure",
    "status_failure",
    "unreadable_answer",
]

PROVIDER: Final = "whatsapp"

_SHOWN_CHARACTERS: Final = 300
_CODE: Final = re.compile(r"^\s*\(#\d+\)\s*")
"""What most messages begin with; the code is told anyway."""

_SECRET: Final = re.compile(r"[\w.=+/%-]{24,}")
"""A token, a `wamid`, from which a number can be read, or an address with either."""

_NUMBER: Final = re.compile(r"\+?\d(?:[ .()-]{0,2}\d){6,}")
"""A telephone number or a person's id, which is nobody's business in a log."""

_NO_SUCH_OBJECT: Final = (100, 33)
"""The code and the subcode of an id that is unknown, or known no longer."""

_UNAVAILABLE: Final = frozenset({
    GraphFailureKind.PAIR_RATE,
    GraphFailureKind.THROUGHPUT,
    GraphFailureKind.TRANSIENT,
    GraphFailureKind.UNKNOWN_OUTCOME,
})


class GraphFailure(ProviderError):
    """The Graph API failed; a `GraphUnavailable` or a `GraphRejected`.

    Attributes:
        kind: What it means for a second try.
        code: Meta's; -1 where there is none.
    """

    def __init__(
        self, message: str, *, kind: GraphFailureKind, code: int = -1, phase: str, request_id: str = ""
    ) -> None:
        super().__init__(message, provider=PROVIDER, phase=phase, request_id=request_id)
        self.kind = kind
        self.code = code


class GraphUnavailable(GraphFailure, ProviderUnavailable):
    """Another try may help."""


class GraphRejected(GraphFailure, ProviderRejected):
    """Another try does not help."""


class _Error(msgspec.Struct):
    message: str = ""
    code: int = -1
    subcode: int = -1
    details: str = ""
    trace: str = ""
    is_transient: bool = False


def failure(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    what: str,
    is_sending: bool = False,
    is_media: bool = False,
) -> GraphFailure:
    """Return the error for an answer that is no success.

    Args:
        status: The HTTP status.
        headers: Names in lower case.
        body: As much of it as came.
        what: What was being done, such as `sending a message`.
        is_sending: Whether it must not be done twice.
        is_media: Whether a file was asked for by its id.
    """
    error = _error(body)
    meaning = meaning_of(error.code, status, is_transient=error.is_transient)
    if (error.code, error.subcode) == _NO_SUCH_OBJECT:
        meaning = MEDIA if is_media else NO_SUCH_NUMBER
    # Somebody between us and Meta says that there was no answer in time, or that one was garbled.
    if is_sending and error.code < 0 and (status >= 500 or status == 408):
        meaning = OUTCOME_UNKNOWN
    return _told(meaning, error, status, what, headers.get("x-fb-trace-id", ""))


def media_failure(status: int, headers: Mapping[str, str], *, what: str) -> GraphFailure:
    """Return the error for an answer of the host that files come from; its body says nothing."""
    return _told(media_meaning_of(status), _Error(), status, what, headers.get("x-fb-trace-id", ""))


def status_failure(code: int, title: str) -> GraphFailure:
    """Return the error that a status tells of a message which was accepted and then failed."""
    return _told(
        meaning_of(code, 400, is_transient=False),
        _Error(title, code),
        0,
        "delivering a message",
        "",
        phase="stream",
    )


def pool_failure(error: PoolError | TimeoutError, *, what: str, is_sending: bool = False) -> GraphFailure:
    """Return the error for a connection that could not be had or kept.

    Args:
        error: The pool's, or a deadline of ours.
        what: What was being done.
        is_sending: Whether it must not be done twice.
    """
    was_asked = not isinstance(error, LeaseTimeout | OpenFailed | PoolClosed)
    is_unknown = is_sending and was_asked
    advice = f"; {OUTCOME_UNKNOWN.advice}" if is_unknown else ""
    return GraphUnavailable(
        f"{what} at WhatsApp: {error or 'no answer in time'}{advice}",
        kind=GraphFailureKind.UNKNOWN_OUTCOME if is_unknown else GraphFailureKind.TRANSIENT,
        phase="first_result" if was_asked else "connect",
    )


def unreadable_answer(headers: Mapping[str, str], *, what: str, is_sending: bool = False) -> GraphFailure:
    """Return the error for an answer that says success, and not what came of it."""
    meaning = OUTCOME_UNKNOWN if is_sending else BROKEN
    return GraphUnavailable(
        f"{what} at WhatsApp: it sent what is no answer; {meaning.advice}",
        kind=meaning.kind,
        phase="first_result",
        request_id=headers.get("x-fb-trace-id", ""),
    )


def _told(
    meaning: Meaning, error: _Error, status: int, what: str, trace: str, *, phase: str = "first_result"
) -> GraphFailure:
    # What it says about a token may quote the token.
    said = (
        "the token was refused"
        if meaning.kind is GraphFailureKind.TOKEN
        else ": ".join(text for text in (_CODE.sub("", error.message), error.details) if text)
    )
    shown = _shown(said)
    codes = " ".join(str(number) for number in (status, error.code) if number > 0)
    kind = GraphUnavailable if meaning.kind in _UNAVAILABLE else GraphRejected
    why = f"{shown} ({codes})" if shown else f"HTTP status {codes}"
    return kind(
        f"{what} at WhatsApp: {why}; {meaning.advice}",
        kind=meaning.kind,
        code=error.code,
        phase=phase,
        request_id=error.trace or trace,
    )


def _shown(text: str) -> str:
    """Return what Meta says without what is nobody's business."""
    line = " ".join(text.split())
    return _NUMBER.sub("(number)", _SECRET.sub("(hidden)", line))[:_SHOWN_CHARACTERS].rstrip(". ")


def _error(body: bytes) -> _Error:
    try:
        found: Any = msgspec.json.decode(body)["error"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, RecursionError):
        return _Error()
    if not isinstance(found, dict):
        return _Error()
    data = found.get("error_data")
    return _Error(
        message=str(found.get("message") or ""),
        code=_number(found.get("code")),
        subcode=_number(found.get("error_subcode")),
        details=str(data.get("details") or "") if isinstance(data, dict) else "",
        trace=str(found.get("fbtrace_id") or ""),
        is_transient=found.get("is_transient") is True,
    )


def _number(found: object) -> int:
    return found if isinstance(found, int) and not isinstance(found, bool) else -1
