"""Where `warmline serve --simulate` is, for commands that are started beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import platformdirs

from warmline.errors import ConfigError

__all__ = ["SimulatedServer", "find_simulated_server", "told_to_others"]


class SimulatedServer(msgspec.Struct):
    """A server that runs with simulators."""

    url: str
    control_urls: dict[str, str]
    """Of each simulator."""

    certificate: str
    process: int


@contextmanager
def told_to_others(server: SimulatedServer) -> Iterator[None]:
    """Let commands of this user find the server until the context is left; the newest is found."""
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(server))
    try:
        yield
    finally:
        if _read(path) == server:
            path.unlink(missing_ok=True)


def find_simulated_server() -> SimulatedServer:
    """Return the server that was started last, if it still runs.

    Raises:
        ConfigError: there is none.
    """
    found = _read(_path())
    if found is None or not _runs(found.process):
        raise ConfigError("no simulated network runs: start `warmline serve --simulate` first")
    return found


def _path() -> Path:
    # Not the runtime folder: where no session of a desktop or a login provides one, it is anybody's.
    return platformdirs.user_state_path("warmline") / "simulated-server.json"


def _read(path: Path) -> SimulatedServer | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=SimulatedServer)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return None


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
