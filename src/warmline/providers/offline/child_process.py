"""The parent's end of a child process that speaks frames."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final, cast

import anyio

from warmline.errors import RemoteProtocolError
from warmline.providers.offline.pipes import Frame, FrameSplitter, pack_frame

__all__ = ["ChildProcess", "OnExit", "OnFrame"]

OnFrame = Callable[[Frame], None]
"""Called on the event loop for each frame, in order."""

OnExit = Callable[[str], None]
"""Called on the event loop, once: how the child ended, and its last words on standard error."""

_LAST_WORDS_BYTES: Final = 2_000
_EXIT_DEADLINE_S: Final = 5.0
"""For a killed process to be gone; the kernel needs milliseconds."""


class ChildProcess(asyncio.SubprocessProtocol):
    """One child; made by `start`, ended by `aclose`.

    Frames arrive by callback, so that a frame costs no task switch.

    What changes here: the transport at start and exit, and the child's last words.
    """

    def __init__(self, on_frame: OnFrame, on_exit: OnExit) -> None:
        self._on_frame = on_frame
        self._on_exit = on_exit
        self._splitter = FrameSplitter()
        self._last_words = bytearray()
        self._transport: asyncio.SubprocessTransport | None = None
        self._input: asyncio.WriteTransport | None = None
        self._gone = anyio.Event()

    @classmethod
    async def start(
        cls, module: str, arguments: Sequence[str], on_frame: OnFrame, on_exit: OnExit
    ) -> ChildProcess:
        """Run `python -m module arguments`.

        Raises:
            OSError: no process could be started.
        """
        loop = asyncio.get_running_loop()
        # One thread for numpy: the threads of its linear algebra would only take memory here.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        _, child = await loop.subprocess_exec(
            lambda: cls(on_frame, on_exit),
            sys.executable,
            "-m",
            module,
            *arguments,
            env=environment,
            # Ctrl+C in a terminal is the parent's to hear; the child ends when its input does.
            start_new_session=True,
        )
        return child

    @property
    def pid(self) -> int | None:
        """The process's id, or None once it is gone."""
        return None if self._transport is None else self._transport.get_pid()

    def send(self, kind: int, number: int = 0, payload: bytes = b"") -> None:
        """Queue a frame; dropped if the child is gone, of which `on_exit` tells."""
        if self._input is not None and not self._input.is_closing():
            self._input.write(pack_frame(kind, number, payload))

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the child has not taken yet."""
        return 0 if self._input is None else self._input.get_write_buffer_size()

    def kill(self) -> None:
        """End the process at once; `on_exit` follows."""
        if self._transport is not None and self._transport.get_returncode() is None:
            with contextlib.suppress(ProcessLookupError):
                self._transport.kill()

    async def aclose(self) -> None:
        """Kill the process and wait until it and its pipes are gone."""
        self.kill()
        with anyio.move_on_after(_EXIT_DEADLINE_S, shield=True):
            await self._gone.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: the process runs."""
        self._transport = cast("asyncio.SubprocessTransport", transport)
        self._input = cast("asyncio.WriteTransport", self._transport.get_pipe_transport(0))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Asyncio: the child wrote."""
        if fd != 1:
            self._last_words += data
            del self._last_words[:-_LAST_WORDS_BYTES]
            return
        try:
            frames = self._splitter.feed(data)
        except RemoteProtocolError as problem:
            self._last_words += str(problem).encode()
            self.kill()
            return
        for frame in frames:
            self._on_frame(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio: the process is gone and its pipes are empty."""
        transport, self._transport, self._input = self._transport, None, None
        if transport is None:
            return
        status = transport.get_returncode()
        transport.close()
        self._gone.set()
        lines = self._last_words.decode(errors="replace").strip().splitlines()
        self._on_exit(f"it ended with status {status}" + (f": {lines[-1]}" if lines else ""))
