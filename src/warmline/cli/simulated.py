"""The simulators beside a command, in a process of their own, so that they take no time of its loop."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import anyio
import anyio.abc
import msgspec
import typer

from warmline.cli.config import load_for_command
from warmline.cli.simulate import PROFILE_HELP
from warmline.errors import ConfigError, ProviderUnavailable
from warmline.server.settings import Settings

__all__ = ["ProfileOption", "SettingsWith", "SimulateOption", "Simulated", "settings_with", "simulated"]

_PROVIDERS: Final = {"stt": "deepgram", "llm": "openai", "tts": "elevenlabs"}
_START_S: Final = 30.0
_STOP_S: Final = 5.0


SimulateOption = Annotated[
    bool, typer.Option("--simulate", help="Use Deepgram, OpenAI and ElevenLabs as simulated on this machine.")
]
ProfileOption = Annotated[str, typer.Option(help=f"With --simulate. {PROFILE_HELP}")]


class Simulated(msgspec.Struct):
    """Where they are, as `warmline simulate --json` tells it."""

    settings: dict[str, object]
    """By the settings' names."""

    environment: dict[str, str]
    """The keys, by the variables that hold them."""

    base_urls: dict[str, str]
    control_urls: dict[str, str]
    certificate: str
    proxy: str = ""
    dns_server: str = ""


SettingsWith = Callable[[Simulated | None], Settings]
"""Returns a command's settings, as they are with simulators if there are any."""


def settings_with(
    config: Path | None,
    assignments: list[str] | None,
    flags: Mapping[str, object],
    *,
    takes_calls: bool = False,
) -> SettingsWith:
    """Return what loads a command's settings.

    Args:
        config: As for `load_for_command`.
        assignments: Likewise.
        flags: Likewise.
        takes_calls: Whether telephone networks reach the command. The settings of one that they don't
            have no networks, so that no lines are kept ready in the formats of calls.
    """

    def load(found: Simulated | None) -> Settings:
        if found is None:
            settings = load_for_command(config, assignments, flags).settings
        else:
            chosen = {f"providers.{role}": name for role, name in _PROVIDERS.items()}
            with_them = {**flags, **chosen, **found.settings}
            settings = load_for_command(config, assignments, with_them, found.environment).settings
        if takes_calls:
            return settings
        nobody = Settings()
        return replace(settings, telnyx=nobody.telnyx, twilio=nobody.twilio)

    return load


@asynccontextmanager
async def simulated(
    profile: str = "loopback",
    *,
    sentences: Sequence[str] = (),
    only: Sequence[str] = (),
    idle_s: float | None = None,
) -> AsyncIterator[Simulated]:
    """Run the simulators until the context is left.

    Args:
        profile: The network before them.
        sentences: What people are likely to say.
        only: Names of providers; all by default.
        idle_s: How long a connection may be unused before they close it; as the providers do by default.

    Raises:
        ConfigError: there is no such profile or provider.
        ProviderUnavailable: they did not start.
    """
    with tempfile.TemporaryDirectory(prefix="warmline-") as folder:
        vocabulary = anyio.Path(folder, "vocabulary.txt")
        await vocabulary.write_text("\n".join(" ".join(each.split()) for each in sentences), "utf-8")
        command = [sys.executable, "-m", "warmline.cli.main", "simulate", "--json", "--profile", profile]
        command += ["--vocabulary", str(vocabulary), "--while-stdin"]
        if idle_s is not None:
            command += ["--idle", str(idle_s)]
        for name in only:
            command += ["--only", name]
        # To a file: a pipe that nobody reads would stop them when it is full.
        said = anyio.Path(folder, "said.txt")
        with open(said, "wb") as file:  # noqa: ASYNC230 - a file of this machine's, at start-up
            process = await anyio.open_process(
                command,
                stdin=subprocess.PIPE,
                stderr=file,
                # Ctrl+C is for the command, which stops them in its own time.
                start_new_session=True,
            )
        try:
            yield await _described(process, said)
        finally:
            with anyio.CancelScope(shield=True):
                await _stop(process)


async def _described(process: anyio.abc.Process, said: anyio.Path) -> Simulated:
    assert process.stdout is not None
    line = b""
    with anyio.move_on_after(_START_S):
        try:
            while not line.endswith(b"\n"):
                line += await process.stdout.receive()
        except anyio.EndOfStream:
            status = await process.wait()
            told = " ".join((await said.read_text("utf-8", "replace")).split()) or "they ended without a word"
            if status == 2:
                raise ConfigError(told.removeprefix("warmline: ")) from None
            raise ProviderUnavailable(
                f"starting the simulators: {told}", provider="simulators", phase="connect"
            ) from None
    if not line.endswith(b"\n"):
        raise ProviderUnavailable(
            f"starting the simulators: they were not there within {_START_S:g} s",
            provider="simulators",
            phase="connect",
        )
    return msgspec.json.decode(line, type=Simulated)


async def _stop(process: anyio.abc.Process) -> None:
    assert process.stdin is not None
    await process.stdin.aclose()  # What waits for its end would hold the process up.
    if process.returncode is None:
        process.terminate()
    with anyio.move_on_after(_STOP_S):
        await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()
    await process.aclose()
