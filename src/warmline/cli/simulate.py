"""`warmline simulate`: the providers, on this machine."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import msgspec
import typer
from rich.console import Console
from rich.table import Table

from warmline.cli.running import run
from warmline.core.collecting import collect_when_calm
from warmline.errors import ConfigError

if TYPE_CHECKING:
    from warmline.simulators.running import Running

__all__ = ["simulate_command"]

PROFILE_HELP = "The network before them: loopback, us-local, india-us, or figures such as rtt=80,tls=160."


def simulate_command(
    profile: Annotated[str, typer.Option(help=PROFILE_HELP)] = "loopback",
    only: Annotated[
        list[str] | None, typer.Option(metavar="PROVIDER", help="Only this provider; repeatable.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(min=0, max=65_000, help="The first provider's port, the next one's follows; 0: free."),
    ] = 0,
    certificate: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Write what a client has to trust to this file.")
    ] = None,
    vocabulary: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Sentences that people are likely to say, one on a line."),
    ] = None,
    idle: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.1, help="Close connections that are unused for so long."),
    ] = None,
    seed: Annotated[int, typer.Option(help="For what is random.")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print where they are as one line of JSON, for programs.")
    ] = False,
    while_stdin: Annotated[
        bool,
        typer.Option(
            "--while-stdin", help="Stop when the standard input ends too: when who started them is gone."
        ),
    ] = False,
) -> None:
    """Run the providers' simulators until Ctrl+C: their wires over TLS, with faults and a network between."""
    wanted = _Wanted(
        profile, only or [], host, port, certificate, vocabulary, idle, seed, as_json, while_stdin
    )
    run(_simulate, wanted)


class _Wanted(msgspec.Struct, frozen=True):
    profile: str
    only: list[str]
    host: str
    port: int
    certificate: Path | None
    vocabulary: Path | None
    idle_s: float | None
    seed: int
    as_json: bool
    while_stdin: bool


async def _simulate(wanted: _Wanted) -> None:
    # Not for every command: these bring a web server with them.
    from warmline.simulators.profiles import profile_named
    from warmline.simulators.running import provider_names, simulators_running

    names = wanted.only or provider_names()
    unknown = sorted(set(names) - set(provider_names()))
    if unknown:
        raise ConfigError(
            f"simulating {', '.join(unknown)}: there is none such; there are {', '.join(provider_names())}"
        )
    ports = {name: wanted.port + index for index, name in enumerate(names)} if wanted.port else {}
    console = Console()
    starting = console.status("Starting the simulators")
    if not wanted.as_json:
        starting.start()
    try:
        async with simulators_running(
            profile=profile_named(wanted.profile),
            only=names,
            ports=ports,
            host=wanted.host,
            sentences=_sentences(wanted.vocabulary),
            seed=wanted.seed,
            idle_s=wanted.idle_s,
        ) as found:
            starting.stop()
            if wanted.certificate is not None:
                shutil.copyfile(found.certificate, wanted.certificate)
            if wanted.as_json:
                print(found.description().decode(), flush=True)  # noqa: T201 - it is the output
            else:
                _tell(found, wanted.certificate or found.certificate, console)
            async with anyio.create_task_group() as tasks:
                # Whoever asks a simulator waits for it, always.
                tasks.start_soon(collect_when_calm, lambda: False)
                if wanted.while_stdin:
                    await anyio.to_thread.run_sync(_until_stdin_ends, abandon_on_cancel=True)
                    tasks.cancel_scope.cancel()
    finally:
        starting.stop()


def _until_stdin_ends() -> None:
    while os.read(sys.stdin.fileno(), 4_096):
        pass


def _sentences(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        return [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"reading the vocabulary {path}: {problem}") from problem


def _tell(running: Running, certificate: Path, console: Console) -> None:
    table = Table("Provider", "Base URL", "Any key will do, such as", box=None, header_style="bold")
    for name, url in running.base_urls.items():
        table.add_row(name, url, running.keys[name])
    console.print(table)
    console.print(f"\nTrust this authority:  {certificate}", highlight=False, soft_wrap=True)
    if running.network is not None and running.names is not None:
        console.print(
            f"Through the network [bold]{running.profile.name}[/]: proxy {running.network.url}, "
            f"name server {running.names.address}",
            highlight=False,
        )
        console.print(f"  {running.profile.about}", style="dim", highlight=False)
    url = next(iter(running.control_urls.values()))
    console.print(
        f"\nMake something go wrong:  curl --cacert {certificate} -d 'cut;after=3' {url}/faults\n"
        f"Change its pace:          curl --cacert {certificate} -X PATCH "
        f"-d '{{\"first_token_ms\": 900}}' {url}/script\n"
        f"See what was asked:       curl --cacert {certificate} {url}/requests",
        highlight=False,
        soft_wrap=True,
    )
    console.print("\nCtrl+C stops them.", style="dim")
