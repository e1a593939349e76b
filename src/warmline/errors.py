"""Every error warmline raises, grouped by who can act on it.

```
WarmlineError
├─ ConfigError                      the operator fixes a setting
├─ InputError                       the person fixes what they handed in: a recording, a document
├─ ProviderError                    a provider failed; carries provider, phase, retryable
│  ├─ ProviderUnavailable           trying again, or elsewhere, may help
│  └─ ProviderRejected              key, quota or input: trying again will not help
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

from collections.abc import Iterator
from typing import TypeVar

__all__ = [
    "ConfigError",
    "InputError",
    "InvalidMark",
    "InvalidTransition",
    "LocalProtocolError",
    "ProtocolError",
    "ProviderError",
    "ProviderRejected",
    "ProviderUnavailable",
    "RemoteProtocolError",
    "WarmlineError",
    "leaves",
]

_Error = TypeVar("_Error", bound=BaseException)


class WarmlineError(Exception):
    """The root of the tree; its text is a message for people, without a full stop."""


class ConfigError(WarmlineError):
    """A setting is unknown, has the wrong type, or cannot be met."""


class InputError(WarmlineError):
    """A file that somebody handed in cannot be used; the text says what to do instead."""


class ProviderError(WarmlineError):
    """A provider failed.

    Attributes:
        provider: Its name as in the configuration, such as `offline`.
        phase: `connect`, `first_result` or `stream`.
    """

    retryable = False

    def __init__(self, message: str, *, provider: str, phase: str) -> None:
        super().__init__(message)
        self.provider = provider
        self.phase = phase


class ProviderUnavailable(ProviderError):
    """The provider did not answer, or stopped answering; another try may help."""

    retryable = True


class ProviderRejected(ProviderError):
    """The provider refused: the key, the quota or the input is wrong."""


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
