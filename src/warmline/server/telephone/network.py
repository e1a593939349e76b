"""What a telephone network does for a call; one implementation for each network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from warmline.channels.telephone.admission import Admission
from warmline.errors import ProviderRejected

__all__ = ["CallDetails", "CallIsOver", "Network", "StreamPlace"]


class CallIsOver(ProviderRejected):
    """It was too late for a command: the network says that the call has ended."""


@dataclass(frozen=True, slots=True)
class CallDetails:
    """A call as its network tells of it."""

    network_id: str
    """The network's name for it."""

    caller: str
    number: str
    """Who is called."""

    is_outgoing: bool = False
    metadata: str = ""
    """Whatever was handed over with an outgoing call; given back in its record."""


@dataclass(frozen=True, slots=True)
class StreamPlace:
    """Where a network brings a call's media stream: good for one stream."""

    url: str
    """`wss://…`, unguessable."""


class Network(Protocol):
    """Commands about calls, which are accepted or not; what comes of them is told by webhooks.

    All raise ProviderError where the network did not take it, except that a call which is over already
    is hung up on without an error.
    """

    @property
    def name(self) -> str:
        """Such as `telnyx`."""
        ...

    async def answer(self, call: CallDetails, place: StreamPlace, *, records: bool) -> None:
        """Take an incoming call, with a media stream both ways."""
        ...

    async def refuse(self, call: CallDetails, admission: Admission) -> None:
        """Don't take it: a busy tone, another, or answer it for words alone, which `say` says."""
        ...

    async def say(self, network_id: str, text: str) -> None:
        """Have the network itself say something; told when it has."""
        ...

    async def dial(self, call: CallDetails, place: StreamPlace) -> CallDetails:
        """Call somebody; return the call with the network's name for it and the number it is made from."""
        ...

    async def hang_up(self, network_id: str) -> None:
        """End it."""
        ...

    async def stream_again(self, network_id: str, place: StreamPlace) -> None:
        """Ask for another media stream in place of one that broke."""
        ...

    async def transfer(self, network_id: str, number: str) -> None:
        """Connect the caller with somebody else."""
        ...

    async def send_dtmf(self, network_id: str, digits: str) -> None:
        """Press keys."""
        ...

    async def record(self, network_id: str, *, is_on: bool) -> None:
        """Begin or end the network's recording."""
        ...

    async def play(self, network_id: str, wav: bytes, state: str) -> None:
        """Play a WAV file behind those that are played; told with `state` when it began and ended."""
        ...

    async def stop_playing(self, network_id: str) -> None:
        """Stop that, and drop what is behind it."""
        ...

    async def transcribe(self, network_id: str, *, is_on: bool) -> None:
        """Begin or end to write down what the person says; told as they speak."""
        ...
