"""What can be made to go wrong, by name; decided here, done by the simulators."""

from __future__ import annotations

import enum
import random
from typing import Annotated

import msgspec

from warmline.errors import ConfigError

__all__ = ["HEADER", "Fault", "FaultKind", "FaultQueue", "parse_fault"]

HEADER = "x-simulated-fault"
"""A request that carries this header has the fault it names: `cut;after=3`."""


class FaultKind(enum.Enum):
    """How a far end can fail."""

    DROP = "drop"
    """The connection is reset instead of an answer."""

    HALF_CLOSE = "half_close"
    """After `after` pieces it says that it will send no more, and keeps the connection."""

    STALL = "stall"
    """After `after` pieces nothing more comes, and the connection stays."""

    MUTE = "mute"
    """No answer at all; the connection stays, and takes what is sent."""

    SLOW_FIRST_BYTE = "slow_first_byte"
    """The answer begins `seconds` late."""

    BAD_KEY = "401"
    RATE_LIMITED = "429"
    RATE_LIMITED_OLD = "429_old"
    """The same in the shape that the provider used before."""

    QUOTA = "quota"
    """The account has nothing left."""

    SERVER_ERROR = "500"
    OVERLOADED = "503"
    OVERLOADED_529 = "529"
    """The same with Anthropic's own status; the other providers have none such and answer 500."""

    ERROR_MID_STREAM = "error_mid_stream"
    """After `after` pieces the stream carries an error and ends."""

    CUT = "cut"
    """After `after` pieces the connection is reset."""

    GARBAGE = "garbage"
    """After `after` pieces comes what is no message of the protocol."""

    WRONG_ORDER = "wrong_order"
    """The two pieces after the first `after` change places."""

    SPLIT = "split"
    """Every piece comes in single bytes, so characters and messages are cut wherever they can be."""

    NO_ENDPOINT = "no_endpoint"
    """A recogniser does not say that the utterance is over."""

    LOST_RESPONSE = "lost_response"
    """What was asked for is done, and the connection is reset instead of the answer."""

    REFUSED = "refused"
    """WhatsApp: the request is answered with the error `code`."""

    FAILED = "failed"
    """WhatsApp: the message is accepted, and reaches nobody; a status tells so later, with `code`."""

    MEDIA_EXPIRED = "media_expired"
    """WhatsApp: the file, or its address, exists no longer."""

    @property
    def is_refusal(self) -> bool:
        """Whether the request is answered with an error status."""
        return self in _REFUSALS

    @property
    def meets_upgrades(self) -> bool:
        """Whether it can meet a WebSocket's upgrade; the others meet the work on the socket."""
        return self.is_refusal or self is FaultKind.DROP


_REFUSALS = frozenset({
    FaultKind.BAD_KEY,
    FaultKind.RATE_LIMITED,
    FaultKind.RATE_LIMITED_OLD,
    FaultKind.QUOTA,
    FaultKind.SERVER_ERROR,
    FaultKind.OVERLOADED,
    FaultKind.OVERLOADED_529,
})


_NotNegative = msgspec.Meta(ge=0)


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of failure, and whom it meets."""

    kind: FaultKind
    path: str = ""
    """Only requests whose path contains this."""

    skip: Annotated[int, _NotNegative] = 0
    """How many such requests pass first."""

    times: Annotated[int, _NotNegative] = 1
    """How many requests it meets; 0 for all of them."""

    after: Annotated[int, _NotNegative] = 0
    """How many pieces of the answer come before it."""

    seconds: Annotated[float, _NotNegative] = 2.0
    """For `slow_first_byte`."""

    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    """Of meeting a request at all; drawn from the queue's seed."""

    code: Annotated[int, _NotNegative] = 131000
    """For `refused` and `failed`."""

    retry_after: str = ""
    """What a 429 tells: seconds or a date; `retry-after-ms` goes along where it is a number."""


class FaultQueue:
    """The faults that are waiting for requests.

    What changes here: `_faults`, in `add`, `clear` and `take`.
    """

    def __init__(self, seed: int = 0) -> None:
        self._faults: list[Fault] = []
        self._met: dict[int, int] = {}
        self._draw = random.Random(seed)

    @property
    def waiting(self) -> list[Fault]:
        """Those that have not met all their requests."""
        return list(self._faults)

    def add(self, fault: Fault) -> None:
        """Put one at the end."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Forget all of them."""
        self._faults.clear()
        self._met.clear()

    def take(self, path: str, *, is_upgrade: bool | None = None) -> Fault | None:
        """Return the fault that meets a request to `path`, oldest first; None if none does.

        Args:
            path: The request's, or its socket's.
            is_upgrade: True for a WebSocket's upgrade, False for work on one, None for plain HTTP.
        """
        for index, fault in enumerate(self._faults):
            if is_upgrade is not None and fault.kind.meets_upgrades != is_upgrade:
                continue
            if fault.path not in path or self._draw.random() >= fault.probability:
                continue
            met = self._met.get(id(fault), 0) + 1
            self._met[id(fault)] = met
            if met <= fault.skip:
                continue
            if fault.times and met >= fault.skip + fault.times:
                del self._faults[index]
                del self._met[id(fault)]
            return fault
        return None


def parse_fault(text: str) -> Fault:
    """Read `kind;name=value;name=value`, as in the header.

    Raises:
        ConfigError: there is no such kind or name, or a value does not fit.
    """
    kind, *pairs = (part.strip() for part in text.split(";"))
    fields: dict[str, str] = {"kind": kind}
    for pair in pairs:
        name, _, value = pair.partition("=")
        fields[name.strip()] = value.strip()
    try:
        return msgspec.convert(fields, Fault, strict=False)
    except msgspec.ValidationError as error:
        kinds = ", ".join(each.value for each in FaultKind)
        raise ConfigError(f"reading the fault {text!r}: {error}; kinds are {kinds}") from error
