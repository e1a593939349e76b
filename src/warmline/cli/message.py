"""`warmline message`: somebody on WhatsApp, simulated, who writes to a server that runs."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Annotated, Any, Final

import aiohttp
import anyio
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from warmline.cli.control import asked, control_client
from warmline.cli.running import run
from warmline.cli.simulated_server import find_simulated_server
from warmline.errors import ConfigError

__all__ = ["message_command"]

_WEBHOOK: Final = "/whatsapp/webhook"
_LOOK_S: Final = 0.25
_SHOWN_CHARACTERS: Final = 48
"""Characters of a message or an answer that its row shows."""

_SOUND: Final = frozenset({".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav"})
_SUFFIXES: Final = {"audio/ogg": ".ogg", "audio/mpeg": ".mp3", "audio/mp4": ".m4a", "audio/aac": ".aac"}


def message_command(
    messages: Annotated[
        list[str],
        typer.Argument(
            metavar="RECORDING | TEXT…",
            help="What is sent, one after another, each when the last is answered.",
        ),
    ],
    simulate: Annotated[
        bool,
        typer.Option("--simulate", help="Be somebody who writes to the `warmline serve --simulate` here."),
    ] = False,
    sender: Annotated[
        str,
        typer.Option(
            "--as", metavar="NUMBER | USER ID", help="Who: a number, or the id of somebody who shows none."
        ),
    ] = "",
    wait: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="How long each answer is waited for.")
    ] = 60.0,
    quiet: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0, help="How long nothing may follow an answer that is whole."),
    ] = 2.0,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write the voice notes that come there.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what is known of the conversation as JSON.")
    ] = False,
) -> None:
    """Write and speak to the agent on WhatsApp; exit status 1 if something was not answered."""
    if not simulate:
        raise ConfigError("sending a message: people are simulated alone; add --simulate")
    steps = [step for each in messages for step in (_step(each), _waiting(wait, quiet))]
    person = {} if not sender else {"person": {"user_id" if "." in sender else "phone": sender}}
    turns: list[dict[str, Any]] = []
    shown = [_shown(each) for each in messages]
    run(_simulated, {**person, "steps": steps}, shown, out, as_json, turns)
    if not all(turn["answers"] for turn in turns):
        raise typer.Exit(1)


def _step(message: str) -> dict[str, Any]:
    if not _is_recording(message):
        return {"step": "write", "text": message}
    try:
        recording = Path(message).read_bytes()
    except OSError as problem:
        raise ConfigError(f"reading {message}: {problem.strerror or problem}") from problem
    return {"step": "speak", "audio": base64.b64encode(recording).decode()}


def _waiting(wait_s: float, quiet_s: float) -> dict[str, Any]:
    return {"step": "wait_for_answer", "within_s": wait_s, "quiet_s": quiet_s}


def _is_recording(message: str) -> bool:
    return Path(message).suffix.lower() in _SOUND and "\n" not in message


def _shown(message: str) -> str:
    return Path(message).name if _is_recording(message) else message


async def _simulated(
    wanted: dict[str, Any],
    shown: list[str],
    out: Path | None,
    as_json: bool,
    turns: list[dict[str, Any]],
) -> None:
    """Have the messages sent, and show what came; `turns` is given what is known of each."""
    found = find_simulated_server()
    control = found.control_urls.get("whatsapp")
    if control is None:
        raise ConfigError("the server that runs here is without a simulated WhatsApp: start it anew")
    wanted = {**wanted, "webhook_urls": [found.url + _WEBHOOK]}
    console = Console(stderr=True)
    async with control_client(found) as client:
        with console.status(Text(f"Sending {_short(shown[0])}")) as status:
            report = await asked(client, "POST", f"{control}/conversations", wanted)
            url = f"{control}/conversations/{report['id']}"
            while report["state"] != "over":
                await anyio.sleep(_LOOK_S)
                report = await asked(client, "GET", url)
                if report["sent"]:
                    last = _short(shown[len(report["sent"]) - 1])
                    status.update(Text(f"Waiting for the answer to {last}"))
        files = await _write_notes(client, control, report, out) if out is not None else {}
    if as_json:
        print(json.dumps(report))  # noqa: T201 - it is the output
    else:
        _show(report, shown, files, Console())
    turns += report["turns"]


async def _write_notes(
    client: aiohttp.ClientSession, control: str, report: dict[str, Any], out: Path
) -> dict[str, str]:
    """Write the files that came; return their names by their messages' ids."""
    names = {}
    folder = anyio.Path(out)
    await folder.mkdir(parents=True, exist_ok=True)
    kept = {each["id"]: each for each in report["received"] if each["media_id"]}
    for number, turn in enumerate(report["turns"], 1):
        for part, answer in enumerate(filter(kept.__contains__, turn["answers"]), 1):
            message = kept[answer]
            name = f"{number}-{part}{_SUFFIXES.get(message['mime_type'], '.bin')}"
            async with client.get(f"{control}/files/{message['media_id']}") as response:
                await (folder / name).write_bytes(await response.read())
            names[answer] = name
    return names


def _show(report: dict[str, Any], shown: list[str], files: dict[str, str], console: Console) -> None:
    """Show what was sent, when what came of it, and what was answered."""
    table = Table(box=None, header_style="bold")
    table.add_column("sent")
    for column in ("taken", "read", "typing", "answered"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("answer")
    table.add_column("length", justify="right", no_wrap=True)
    received = {message["id"]: message for message in report["received"]}
    sent_at_s = {message["id"]: message["at_s"] for message in report["sent"]}
    for name, turn in zip(shown, report["turns"], strict=True):
        whens = [_ms(turn[key]) for key in ("told_ms", "read_ms", "typing_ms")]
        first: list[str | Text] = [Text(_short(name)), *whens]
        if not turn["answers"]:
            table.add_row(*first, "-", Text("none came", "yellow"), "")
        for answer in turn["answers"]:
            message = received[answer]
            waited_ms = (message["at_s"] - sent_at_s[turn["message"]]) * 1000
            table.add_row(*first, _ms(waited_ms), *_answer(message, files.get(answer, "")))
            first = [""] * len(first)
    console.print(table)
    for problem in _problems(report):
        console.print(Text(problem, "yellow"))


def _answer(message: dict[str, Any], file: str) -> tuple[Text, str]:
    if message["seconds"] is not None:
        about = "voice note" if message["is_voice"] else "recording"
        size = f"{message['size_bytes'] / 1024:,.0f} KB"
        return Text(f"{about}, {file or size}"), f"{message['seconds']:.1f} s"
    if message["type"] == "text":
        return Text(_short(message["text"])), f"{len(message['text']):,} chars"
    return Text(f"{message['type']} {_short(message['text'])}".rstrip()), ""


def _problems(report: dict[str, Any]) -> list[str]:
    """Return why the server does not know of something that was sent to it."""
    untold = {message["id"] for message in report["sent"] if message["told_at_s"] is None}
    tries = [
        attempt
        for webhook in report["webhooks"]
        if untold.intersection(webhook["ids"])
        for attempt in webhook["attempts"]
    ]
    return sorted({
        f"the server answered {each['url']} with {each['status']}"
        if each["status"]
        else f"asking {each['url']}: {each['problem'] or 'no answer yet'}"
        for each in tries
    })


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_CHARACTERS else f"{line[: _SHOWN_CHARACTERS - 1]}…"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} ms"
