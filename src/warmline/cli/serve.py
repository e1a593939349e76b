"""`warmline serve`: the page and the wire, on one port."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from warmline.cli.config import ConfigOption, SetOption
from warmline.cli.progress import index_progress
from warmline.cli.running import run
from warmline.cli.simulated import (
    ProfileOption,
    SettingsWith,
    Simulated,
    SimulateOption,
    settings_with,
    simulated,
)
from warmline.cli.simulated_server import SimulatedServer, told_to_others
from warmline.server.assembly import open_providers
from warmline.server.logs import configure_log
from warmline.server.services.knowledge import Knowledge, load_knowledge
from warmline.server.serving import bind, serve
from warmline.session.settings import Providers

__all__ = ["serve_command"]

_NUMBER: Final = "+15550002222"
"""Ours, at the simulated networks; 555 belongs to nobody."""


def serve_command(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes any that is free.")] = None,
    documents: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Answer from these documents: txt, md, html, pdf, docx."),
    ] = None,
    simulate: SimulateOption = False,
    profile: ProfileOption = "us-local",
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Serve the page, and talk with whoever opens it."""
    flags: dict[str, object] = {"server.host": host, "server.port": port, "knowledge.documents": documents}
    load = settings_with(config, assignments, flags, takes_calls=True)
    configure_log(load(None).log)
    run(_serve, load, profile if simulate else None, _names_store(assignments or []))


async def _serve(load: SettingsWith, profile: str | None, names_store: bool) -> None:
    settings = load(None)
    console = Console(stderr=True)
    async with AsyncExitStack() as held:
        listener = held.enter_context(bind(settings))
        with index_progress(console) as on_progress:
            knowledge = await load_knowledge(settings, on_progress)
        _tell_about(knowledge, console)
        starting = console.status("Starting who listens, answers and speaks")
        starting.start()
        try:
            if profile is not None:
                sentences = knowledge.index.sentences()
                found = await held.enter_async_context(simulated(profile, sentences=sentences))
                store_url = (settings.store.url if names_store else "") or _passing_store(held)
                settings = load(_with_telephone(found, _url(listener), store_url))
                console.print(f"Simulated: {', '.join(found.base_urls)}, network {profile}", highlight=False)
            with index_progress(console) as on_progress:
                opening = open_providers(settings, knowledge, on_progress)
                providers = await held.enter_async_context(opening)
            starting.stop()
            _tell_who_serves(providers, console)
            if profile is not None:
                held.enter_context(told_to_others(_server(listener, found)))
            is_simulated = profile is not None
            await serve(
                listener,
                settings,
                knowledge,
                providers,
                lambda: _tell_url(
                    listener,
                    console,
                    is_simulated=is_simulated,
                    has_dashboard=settings.dashboard.enabled,
                ),
            )
        finally:
            starting.stop()


def _tell_about(knowledge: Knowledge, console: Console) -> None:
    index = knowledge.index
    console.print(
        f"{knowledge.name}: {index.passage_count} passages in {index.document_count} documents",
        highlight=False,
    )
    for note in index.notes:
        console.print(f"[yellow]{note}", highlight=False)
    for skipped in index.skipped:
        console.print(f"[yellow]Left out {skipped.source}:[/] {skipped.reason}", highlight=False)


def _tell_who_serves(providers: Providers, console: Console) -> None:
    console.print(f"Listens: {providers.listens_by}", highlight=False)
    console.print(f"Answers: {providers.answers_by}", highlight=False)
    console.print(f"Speaks:  {providers.speaks_by}", highlight=False)
    console.print(f"Finds:   {providers.finds_by}", highlight=False)
    for note in providers.notes:
        console.print(Text(note, "yellow"))
    for problem in providers.problems:
        console.print(Text.assemble(("Replies will fail: ", "bold red"), problem))


def _names_store(assignments: Sequence[str]) -> bool:
    """Return whether the command itself says where the store is; a settings file means people's own."""
    return any(each.partition("=")[0].strip() == "store.url" for each in assignments)


def _passing_store(held: AsyncExitStack) -> str:
    """Return the URL of a database that is gone with the server: what simulated people say is nobody's."""
    folder = held.enter_context(tempfile.TemporaryDirectory(prefix="warmline-"))
    return f"sqlite:///{folder}/warmline.db"


def _with_telephone(found: Simulated, url: str, store_url: str) -> Simulated:
    """Return the simulators with what calls and messages of ours need beside them."""
    numbers: dict[str, object] = {
        "store.url": store_url,
        "phone.public_url": url,
        "telnyx.number": _NUMBER,
        "telnyx.connection_id": "simulated",
        "twilio.number": _NUMBER,
    }
    return msgspec.structs.replace(found, settings={**numbers, **found.settings})


def _server(listener: socket.socket, found: Simulated) -> SimulatedServer:
    return SimulatedServer(_url(listener), found.control_urls, found.certificate, os.getpid())


def _url(listener: socket.socket) -> str:
    """Return where programs on this machine find the server."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def _tell_url(listener: socket.socket, console: Console, *, is_simulated: bool, has_dashboard: bool) -> None:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    if host in ("0.0.0.0", "::"):
        shown = "localhost"
        console.print(
            "[yellow]Browsers allow the microphone on this machine alone, or over HTTPS: put a proxy with a "
            "certificate in front for others."
        )
    console.print(f"Talk at [bold]http://{shown}:{port}/[/]   (Ctrl+C stops)", highlight=False)
    if has_dashboard:
        console.print(f"See where the time goes: http://{shown}:{port}/dashboard", highlight=False)
    if is_simulated:
        console.print("Call it: warmline call --simulate RECORDING.wav", highlight=False)
        console.print('Write to it: warmline message --simulate RECORDING.wav "or words"', highlight=False)
