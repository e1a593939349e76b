"""A call without a media stream: the network writes down what is said, and plays files."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import anyio

from warmline.channels.telephone.endpoint import TelephoneChannel
from warmline.channels.telephone.files import FileSink
from warmline.channels.telephone.lifecycle import CallState
from warmline.core.clock import Clock
from warmline.core.loggable import loggable
from warmline.errors import ProviderError
from warmline.server.telephone.network import CallIsOver, Network

__all__ = ["WithoutStream"]

_log = logging.getLogger(__name__)

_STOPPED: Final = frozenset({"cancelled", "cancelled_amd", "call_hangup"})
"""Ends of a file that are nobody's failure: we stopped it, or the call is over."""


@dataclass(frozen=True, slots=True)
class _Play:
    wav: bytes
    state: str


@dataclass(frozen=True, slots=True)
class _Stop:
    pass


@dataclass(frozen=True, slots=True)
class _StopListening:
    pass


_Command = _Play | _Stop | _StopListening


class WithoutStream:
    """One call's older way. Implements `warmline.channels.telephone.files.FilePlayer`.

    Commands are sent by `run`, one after another; a file that was not sent yet when all are stopped
    never is.

    What changes here: the commands that wait; the sink, which is there from `begin` until a media stream
    has started, or the call is over.
    """

    def __init__(
        self,
        network: Network,
        channel: TelephoneChannel,
        clock: Clock,
        state: Callable[[], CallState],
        on_failure: Callable[[str], None],
        on_over: Callable[[], None],
    ) -> None:
        """Prepare; nothing is done before `begin`.

        Args:
            network: The call's.
            channel: Its way to the session.
            clock: The process's.
            state: Returns where the call is.
            on_failure: Told why it can't go on.
            on_over: Told when the network says that the call has ended.
        """
        self.was_begun = False
        """Whether the call had to do without a stream at some time."""

        self._network = network
        self._channel = channel
        self._clock = clock
        self._state = state
        self._on_failure = on_failure
        self._on_over = on_over
        self._network_id = ""
        self._sink: FileSink | None = None
        self._commands: deque[_Command] = deque()
        self._changed = anyio.Event()

    async def begin(self, network_id: str) -> None:
        """Have the network listen, and play through it what there is to play.

        Raises:
            ProviderError: the network did not take it.
        """
        self._network_id = network_id
        await self._network.transcribe(network_id, is_on=True)
        if self._state() is not CallState.WITHOUT_STREAM:
            self.files_over()
            return
        self.was_begun = True
        audio_format = self._channel.output_format
        assert audio_format is not None, "a telephone plays sound"
        self._sink = FileSink(audio_format, self, self._channel, self._clock)
        self._channel.play_through(self._sink)

    async def run(self) -> None:
        """Send commands until cancelled."""
        while True:
            while self._commands:
                await self._send(self._commands.popleft())
            await self._changed.wait()

    # What the network tells; nothing of it counts while there is a stream.

    def file_started(self, state: str) -> None:
        """Learn that a file is played; `state` as it was given along, or empty."""
        if self._sink is not None:
            self._sink.started(state)

    def file_ended(self, state: str, status: str) -> None:
        """Learn that a file was played, or will not be, by Telnyx' word for it."""
        if self._sink is None or status in _STOPPED:
            return
        if status == "completed":
            self._sink.ended(state)
        else:
            self._on_failure(f"a file was not played: {status or 'no reason was told'}")

    def heard(self, text: str, *, is_final: bool) -> None:
        """Learn what the person said."""
        if self._sink is not None:
            self._channel.heard_words(text, is_final=is_final)

    def pressed(self, digit: str) -> None:
        """Learn of a key that the person pressed."""
        if self._sink is not None:
            self._channel.pressed(digit)

    # The sink's side.

    def play_file(self, wav: bytes, state: str) -> None:
        """Play a WAV file behind the one that is played."""
        self._order(_Play(wav, state))

    def stop_files(self) -> None:
        """Stop what is played, and drop what is behind it."""
        self._commands = deque(each for each in self._commands if not isinstance(each, _Play))
        self._order(_Stop())

    def files_over(self) -> None:
        """Play no more files, and listen no more."""
        self._sink = None
        self._order(_StopListening())

    def _order(self, command: _Command) -> None:
        if self._state() in (CallState.ENDING, CallState.ENDED):
            return  # That ends everything.
        self._commands.append(command)
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def _send(self, command: _Command) -> None:
        try:
            match command:
                case _Play(wav=wav, state=state):
                    await self._network.play(self._network_id, wav, state)
                case _Stop():
                    await self._network.stop_playing(self._network_id)
                case _StopListening():
                    await self._network.transcribe(self._network_id, is_on=False)
        except CallIsOver:
            self._on_over()
        except ProviderError as problem:
            _log.warning("call.files_failed", extra=loggable(problem))
            if not isinstance(command, _StopListening):
                self._on_failure(str(problem))
