"""Every error warmline raises, grouped by who can act on it.

```
WarmlineError
├─ ConfigError                      the operator fixes a setting, or a tool's definition
├─ InputError                       the person fixes what they handed in: a recording, a document
├─ PoolError                        a connection could not be had or kept; providers' clients translate it
│  ├─ LeaseTimeout                  no line became free in time, or too many wait already
│  ├─ PoolClosed                    the pool is shutting down
│  ├─ OpenFailed                    a connection could not be opened
│  │  └─ HandshakeRefused           the far end answered the WebSocket upgrade with an HTTP status
│  └─ LineLost                      an open connection was dropped; carries the code and the reason
│     └─ NoAnswer                   it stands, but nothing came back in time
├─ ProviderError                    a provider failed; carries provider, phase, retryable, request id
│  ├─ ProviderUnavailable           trying again, or elsewhere, may help
│  ├─ ProviderRejected              key, quota or input: trying again will not help
│  └─ GraphFailure                  WhatsApp's, and either of these; in `warmline.channels.whatsapp.failures`
├─ ToolError                        a tool could not do what it was asked for; the text is told to the model
├─ ProtocolError
│  ├─ LocalProtocolError            our bug: we broke the wire's rules
│  └─ RemoteProtocolError           theirs: carries the code and the field to tell them
└─ InvalidTransition                our bug: an event that cannot happen in this state
   └─ InvalidMark                   our bug: an effect recorded before its cause
```

Being interrupted or hung up on is cancellation, not an error. Errors of other libraries are
translated once, at the edge, with `from`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

__all__ = [
    "ConfigError",
    "HandshakeRefused",
    "InputError",
    "InvalidMark",
    "InvalidTransition",
    "LeaseTimeout",
    "LineLost",
    "LocalProtocolError",
    "NoAnswer",
    "OpenFailed",
    "PoolClosed",
    "PoolError",
    "ProtocolError",
    "ProviderError",
    "ProviderRejected",
    "ProviderUnavailable",
    "RemoteProtocolError",
    "ToolError",
    "WarmlineError",
    "leaves",
]

_Error = TypeVar("_Error", bound=BaseException)


class WarmlineError(Exception):
    """The root of the tree; its text is a message for people, without a full stop."""


class ConfigError(WarmlineError):
    """A setting is unknown, has the wrong type, or cannot be met; or a function cannot be made a tool."""


class InputError(WarmlineError):
    """A file that somebody handed in cannot be used; the text says what to do instead."""


class PoolError(WarmlineError):
    """A connection could not be had or kept."""


class LeaseTimeout(PoolError):
    """No line became free in time, or too many callers wait for one already."""


class PoolClosed(PoolError):
    """The pool is shutting down."""


class OpenFailed(PoolError):
    """A connection could not be opened: the name, the address or the certificate failed."""


class HandshakeRefused(OpenFailed):
    """The far end answered a WebSocket's upgrade with an HTTP status.

    Attributes:
        status: The status code.
        headers: The response's, names in lower case.
        body: The response's, or as much of it as came.
    """

    def __init__(self, message: str, *, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers
        self.body = body


class LineLost(PoolError):
    """An open connection was dropped, or sent what is not the protocol's.

    Attributes:
        code: The WebSocket's close code; 1006 where the far end gave none.
        reason: What the far end said.
    """

    def __init__(self, message: str, *, code: int = 1006, reason: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


class NoAnswer(LineLost):
    """The connection stands, but nothing came back in time."""


class ProviderError(WarmlineError):
    """A provider failed.

    Attributes:
        provider: Its name as in the configuration, such as `offline`.
        phase: `connect`, `first_result` or `stream`.
        request_id: The provider's own name for the request, or empty; for its support.
        status: The HTTP status that it failed with; 0 where there is none.
        code: The provider's own code for what went wrong; empty or less than 1 where there is none.
    """

    retryable = False

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        phase: str,
        request_id: str = "",
        status: int = 0,
        code: str | int = "",
    ) -> None:
        super().__init__(message)
        self.provider = provider
        self.phase = phase
        self.request_id = request_id
        self.status = status
        self.code: str | int = code


class ProviderUnavailable(ProviderError):
    """The provider did not answer, or stopped answering; another try may help."""

    retryable = True


class ProviderRejected(ProviderError):
    """The provider refused: the key, the quota or the input is wrong."""


class ToolError(WarmlineError):
    """A tool could not do what it was asked for.

    Raised by tools. The text is told to the model, which tells the person: write what went wrong in
    their words, and nothing secret. Of any other error the model learns only that there was one.
    """


class ProtocolError(WarmlineError):
    """The rules of a wire were broken."""


class LocalProtocolError(ProtocolError):
    """By us."""


class RemoteProtocolError(ProtocolError):
    """By the far end; what it may be told is in the fields.

    Attributes:
        code: A short, stable word for programs, such as `invalid_value`.
        param: The field at fault, or None.
    """

    def __init__(self, message: str, *, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


class InvalidTransition(WarmlineError):
    """An event came that the state's table does not allow."""

    def __init__(self, machine: str, state: str, event: str) -> None:
        super().__init__(f"{machine}: {event} cannot happen while {state}")
        self.machine = machine
        self.state = state
        self.event = event


class InvalidMark(InvalidTransition):
    """A timeline was asked to record an effect before its cause."""


def leaves(group: BaseExceptionGroup[_Error]) -> Iterator[_Error]:
    """Yield the errors in a group and in the groups within it."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error
