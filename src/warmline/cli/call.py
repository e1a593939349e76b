"""`warmline call`: a telephone call, simulated or over a server that runs."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Annotated, Any, Final

import aiohttp
import anyio
import typer
from rich.console import Console
from rich.table import Table

from warmline.cli.control import asked, control_client
from warmline.cli.running import run
from warmline.cli.simulated_server import find_simulated_server
from warmline.errors import ConfigError

__all__ = ["call_command"]

_WEBHOOKS: Final = {"telnyx": "/telnyx/webhook", "twilio": "/twilio/voice"}
_LOOK_S: Final = 0.25
_GREETING_S: Final = 3.0
"""How long a caller waits for somebody to say hello."""

_SILENCE_MS: Final = 1_000
"""After which a caller takes an answer for finished."""


def call_command(
    target: Annotated[
        list[str],
        typer.Argument(metavar="NUMBER | RECORDING…", help="Whom to call; or what a simulated caller says."),
    ],
    simulate: Annotated[
        bool,
        typer.Option("--simulate", help="Be a caller of the `warmline serve --simulate` that runs here."),
    ] = False,
    network: Annotated[str, typer.Option(help="telnyx or twilio; the server's first by default.")] = "",
    interrupt: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0,
            help="With --simulate: begin each further recording so long after the agent began to speak.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="WAV", help="With --simulate: write the call, the caller left and the agent right."
        ),
    ] = None,
    greeting: Annotated[str | None, typer.Option(help="What is said first, to a number.")] = None,
    server: Annotated[str, typer.Option(help="Where the server is, for a number.")] = "http://127.0.0.1:8080",
    as_json: Annotated[bool, typer.Option("--json", help="Print what is known of the call as JSON.")] = False,
) -> None:
    """Call somebody, or be called by a recording."""
    console = Console(stderr=True)
    if simulate:
        if network not in ("", *_WEBHOOKS):
            raise ConfigError(f"--network {network}: there are {', '.join(_WEBHOOKS)}")
        said = [(Path(name).name, _recording(name)) for name in target]
        run(_simulated, said, network or "telnyx", interrupt, out, as_json, console)
        return
    if len(target) != 1 or not target[0].startswith("+"):
        raise ConfigError(
            f"calling {' '.join(target)}: give one number in international form, such as +442071838750; "
            "recordings are for --simulate"
        )
    run(_dial, target[0], network, greeting, server.rstrip("/"), as_json, console)


def _recording(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as problem:
        raise ConfigError(f"reading {name}: {problem.strerror or problem}") from problem


async def _simulated(
    said: list[tuple[str, bytes]],
    network: str,
    interrupt_s: float | None,
    out: Path | None,
    as_json: bool,
    console: Console,
) -> None:
    found = find_simulated_server()
    control = found.control_urls[network]
    placed = {
        "webhook_url": found.url + _WEBHOOKS[network],
        "caller": _steps([recording for _, recording in said], interrupt_s),
        **({"status_callback": f"{found.url}/twilio/status"} if network == "twilio" else {}),
    }
    async with control_client(found) as client:
        with console.status("It rings") as status:
            report = await asked(client, "POST", f"{control}/calls", placed)
            url = f"{control}/calls/{report['id']}"
            while report["ended_at_s"] is None:
                await anyio.sleep(_LOOK_S)
                report = await asked(client, "GET", url)
                status.update(f"The call is {report['state']}")
        if out is not None:
            async with client.get(f"{url}/both.wav") as response:
                await anyio.Path(out).write_bytes(await response.read())
    if as_json:
        print(json.dumps(report))  # noqa: T201 - it is the output
    else:
        _show_report(report, [name for name, _ in said], Console())


def _steps(said: list[bytes], interrupt_s: float | None) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = [
        {"step": "wait_for_reply", "within_s": _GREETING_S, "silence_ms": _SILENCE_MS}
    ]
    for number, recording in enumerate(said):
        audio = base64.b64encode(recording).decode()
        if number and interrupt_s is not None:
            steps.append({"step": "interrupt", "audio": audio, "after_ms": interrupt_s * 1000})
        else:
            if number:
                steps.append({"step": "wait_for_reply", "silence_ms": _SILENCE_MS})
            steps.append({"step": "say", "audio": audio})
    return [*steps, {"step": "wait_for_reply", "silence_ms": _SILENCE_MS}, {"step": "hang_up"}]


def _show_report(report: dict[str, Any], said: list[str], console: Console) -> None:
    """Show what the caller heard, and when."""
    table = Table(box=None, header_style="bold")
    table.add_column("the caller said")
    for column in ("at", "waited", "answer", "longest gap", "interrupted in"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, turn in zip(["[dim]nothing yet", *said], report["turns"], strict=False):
        began_s, ended_s = turn["reply_began_s"], turn["reply_ended_s"]
        table.add_row(
            name,
            f"{turn['speech_began_s']:.1f} s",
            _ms(turn["response_ms"]),
            "-" if began_s is None else f"{ended_s - began_s:.1f} s",
            "-" if began_s is None else _ms(turn["longest_gap_ms"]),
            _ms(turn["silenced_after_ms"]),
        )
    console.print(table)
    answered_s = report["answered_at_s"]
    told = (
        "not answered"
        if answered_s is None
        else f"answered after {answered_s * 1000:.0f} ms, {report['ended_at_s'] - answered_s:.1f} s"
    )
    problem = f"; {report['problem']}" if report["problem"] else ""
    ended = f"ended by the {report['ended_by'] or 'network'} ({report['cause']})"
    console.print(f"\n{told}; {ended}{problem}", highlight=False)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} ms"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


async def _dial(
    number: str,
    network: str,
    greeting: str | None,
    server: str,
    as_json: bool,
    console: Console,
) -> None:
    key = os.environ.get("WARMLINE_API_KEY", "")
    if not key:
        raise ConfigError("calling a number: set WARMLINE_API_KEY to the server's key")
    wanted = {"to": number, "network": network, **({} if greeting is None else {"greeting": greeting})}
    async with aiohttp.ClientSession(headers={"authorization": f"Bearer {key}"}) as client:
        record = await asked(client, "POST", f"{server}/v1/calls", wanted)
        url = f"{server}/v1/calls/{record['id']}"
        try:
            with console.status(f"Calling {number}") as status:
                while not record["ended_at"]:
                    await anyio.sleep(_LOOK_S)
                    record = await asked(client, "GET", url)
                    status.update(f"{number}: {record['state']}, {record['talked_s']:.0f} s")
        except BaseException:
            # Ctrl+C hangs up.
            with anyio.CancelScope(shield=True):
                await asked(client, "POST", f"{url}/hangup")
            raise
    if as_json:
        print(json.dumps(record))  # noqa: T201 - it is the output
        return
    figures = record["figures"]
    console.print(
        f"{number}: {record['talked_s']:.1f} s, {figures['turns']} turns, answers after "
        f"{_figure(figures['response_p50_ms'])} ms in the median; "
        f"ended by the {record['ended_by'] or 'network'} ({record['reason']})",
        highlight=False,
    )
