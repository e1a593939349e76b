"""What Telnyx itself plays to a person: files, and texts that it speaks."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import aiohttp
import anyio
import anyio.to_thread
import soundfile

from warmline.simulators.recordings import pcm16
from warmline.simulators.telephone.call import Network
from warmline.simulators.telephone.codec import RATE_HZ
from warmline.simulators.telephone.phone import Phone
from warmline.simulators.telephone.rehearsal import spoken

__all__ = ["Announcements", "Tell"]

_FETCH_S: Final = 10.0
_FOREVER: Final = 100
"""How often what is to be repeated without end is repeated here."""

Tell = Callable[[str, dict[str, Any]], object]
"""Tells a server of an event."""


@dataclass(slots=True)
class _Announcement:
    kind: str
    """`playback` or `speak`; what its events are called by."""

    about: dict[str, Any]
    """What its events say of it."""

    status: str = ""
    """How it was cut off; empty while nothing has."""

    mark: str = ""
    """What stands behind it on the line; another each time that it is played."""

    passed: anyio.Event = field(default_factory=anyio.Event)
    """Set when it was played once, or is not to be played any more."""


class Announcements:
    """One call's, one after another.

    What changes here: what is played and what waits, in `_play`; that they are cut off, in `stop`.
    """

    def __init__(self, network: Network, tell: Tell) -> None:
        self._network = network
        self._tell = tell
        self._turn = anyio.Lock()
        self._current: _Announcement | None = None
        self._waiting: list[_Announcement] = []
        self._marks = itertools.count(1)

    async def play_text(self, phone: Phone, text: str, times: int | str = 1) -> None:
        """Say a text; return when it was said, or stopped."""
        make = partial(spoken, text, self._network.speech)
        await self._play(phone, _Announcement("speak", {}), make, times)

    async def play_file(
        self, phone: Phone, about: dict[str, Any], *, url: str = "", content: str = "", times: int | str = 1
    ) -> None:
        """Play a file; return when it was played, or stopped, or could not be had."""
        make = partial(self._fetched, url, content)
        await self._play(phone, _Announcement("playback", about), make, times)

    def passed(self, mark: str) -> None:
        """Note that what stands in front of a mark was played, or dropped, which was told already."""
        if self._current is not None and self._current.mark == mark:
            self._current.passed.set()

    def stop(self, phone: Phone, *, is_current_only: bool = False) -> None:
        """Cut off what is played; what waits as well, unless told otherwise."""
        for announcement in [] if is_current_only else self._waiting:
            announcement.status = "cancelled"
        if self._current is not None:
            self._current.status = "cancelled"
            phone.line.announcements.clear(phone.now_s)
            self._current.passed.set()

    def hang_up(self) -> None:
        """Tell that what is played was cut off by the end of the call."""
        current, self._current = self._current, None
        if current is not None:
            self._tell_ended(current, "call_hangup")

    async def _play(
        self,
        phone: Phone,
        announcement: _Announcement,
        make: Callable[[], Awaitable[bytes]],
        times: int | str,
    ) -> None:
        # Its place in the queue is that of its command, however long it takes to be made.
        self._waiting.append(announcement)
        async with self._turn:
            try:
                pcm = b"" if announcement.status else await make()
            except (aiohttp.ClientError, OSError, ValueError, soundfile.LibsndfileError) as problem:
                status = "file_not_found" if isinstance(problem, FileNotFoundError) else "failed"
                detail = str(problem) or type(problem).__name__
                self._tell_ended(announcement, status, status_detail=detail)
                return
            finally:
                self._waiting.remove(announcement)
            if announcement.status:
                return
            self._current = announcement
            self._tell(f"call.{announcement.kind}.started", announcement.about)
            for _ in range(times if isinstance(times, int) else _FOREVER):
                announcement.passed, announcement.mark = anyio.Event(), str(next(self._marks))
                phone.line.announcements.push(pcm, phone.now_s)
                phone.line.announcements.mark(announcement.mark, phone.now_s)
                await announcement.passed.wait()
                if announcement.status:
                    break
            self._current = None
            # A text has no word for having been cut off, by the schema of its event.
            status = announcement.status if announcement.kind == "playback" else ""
            self._tell_ended(announcement, status or "completed")

    def _tell_ended(self, announcement: _Announcement, status: str, **more: str) -> None:
        self._tell(f"call.{announcement.kind}.ended", {**announcement.about, "status": status, **more})

    async def _fetched(self, url: str, content: str) -> bytes:
        if content:
            file = base64.b64decode(content, validate=True)
        elif not url:
            raise FileNotFoundError("there is no media by this name")
        else:
            timeout = aiohttp.ClientTimeout(total=_FETCH_S)
            async with self._network.client.get(url, timeout=timeout) as response:
                if response.status == 404:
                    raise FileNotFoundError(f"{url} was answered with status 404")
                response.raise_for_status()
                file = await response.read()
        return await anyio.to_thread.run_sync(pcm16, file, RATE_HZ)
