"""What may be logged of an error: nothing that a far end wrote."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator
from typing import Final

from warmline.errors import (
    HandshakeRefused,
    InvalidTransition,
    LineLost,
    ProviderError,
    RemoteProtocolError,
)

__all__ = ["code_word", "loggable"]

_CODE: Final = re.compile(r"[A-Za-z_]{1,40}(?:[-.][0-9]{1,5})?|[0-9]{1,6}")
"""A far end's code: words, or a number; too few digits for a telephone number or a key."""

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_:-]{1,64}")


def code_word(text: str) -> str:
    """Return a far end's code as it may be logged: nothing of it, if it is more than a word or a number."""
    return text if _CODE.fullmatch(text) else ""


def loggable(error: BaseException) -> dict[str, str | int]:
    """Return what may be logged of an error: its kind, and where it has them the status, the code and so on.

    Never its text: a far end's words may quote what was said, a number, or a key.
    """
    fields: dict[str, str | int] = {"problem": type(error).__name__}
    match error:
        case ProviderError():
            fields |= {"provider": error.provider, "phase": error.phase, "code": code_word(str(error.code))}
            fields["status"] = error.status or ""
            fields["request_id"] = error.request_id if _REQUEST_ID.fullmatch(error.request_id) else ""
        case HandshakeRefused():
            fields["status"] = error.status
        case LineLost():
            fields["code"] = error.code
        case InvalidTransition():
            fields |= {"machine": error.machine, "state": error.state, "event_name": error.event}
        case RemoteProtocolError():
            fields["code"] = code_word(error.code)
        case OSError():
            fields["cause"] = _system_words(error)
    causes = list(_causes(error))
    system = next((cause for cause in causes if isinstance(cause, OSError)), None)
    if system is not None:
        fields["cause"] = _system_words(system)
    elif causes:
        fields["cause"] = type(causes[-1]).__name__
    return {name: value for name, value in fields.items() if value != ""}


def _causes(error: BaseException) -> Iterator[BaseException]:
    while (cause := error.__cause__) is not None:
        yield cause
        error = cause


def _system_words(error: OSError) -> str:
    """Return the operating system's or OpenSSL's words for a failure: theirs alone, and no path."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{type(error).__name__} {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"{type(error).__name__} {code_word(getattr(error, 'reason', '') or '')}".strip()
    return os.strerror(error.errno) if error.errno and error.errno > 0 else type(error).__name__
