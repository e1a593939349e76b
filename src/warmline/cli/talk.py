"""`warmline talk`: a conversation in the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import anyio
import typer
from rich.console import Console
from rich.text import Text

from warmline.audio.recordings import read_recording, write_wav
from warmline.channels.local.endpoint import LocalChannel
from warmline.channels.local.microphone import Microphone
from warmline.channels.local.recorded import RecordedCaller
from warmline.channels.local.speakers import DeviceSpeaker, ReckonedSpeaker, Speaker
from warmline.cli.config import ConfigOption, SetOption
from warmline.cli.progress import index_progress
from warmline.cli.running import run
from warmline.cli.simulated import ProfileOption, SettingsWith, SimulateOption, settings_with, simulated
from warmline.cli.talk_view import JsonView, TalkView, TerminalView
from warmline.core.clock import SystemClock
from warmline.core.formats import PCM_24K
from warmline.interfaces.channel import FloorChanged, SessionEvent
from warmline.server.assembly import open_providers, session_settings
from warmline.server.logs import configure_log
from warmline.server.services.knowledge import load_knowledge
from warmline.server.settings import Settings
from warmline.session.session import Session
from warmline.turns.floor import Floor

__all__ = ["talk_command"]

_LEAD_IN_S = 0.3
"""Silence before a recording, as before anybody speaks."""

_NO_TURN_S = 2.0
"""Beyond the endpoint and the recogniser's deadline: how long a recording may lead to nothing."""


def talk_command(
    recordings: Annotated[
        list[Path] | None,
        typer.Argument(help="Recordings of a caller, one turn after another; any common format."),
    ] = None,
    text: Annotated[list[str] | None, typer.Option(help="Ask in writing; repeatable.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="WAV", help="Write what was heard of the replies.")
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.1, max=20, help="Speak and listen so many times faster than real time.")
    ] = 1.0,
    barge_in: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=0, help="Begin the next recording so long after a reply's first sound."
        ),
    ] = None,
    documents: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Answer from these documents: txt, md, html, pdf, docx."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each turn.")] = False,
    why: Annotated[
        bool, typer.Option("--why", help="List what was decided in each turn; --json always does.")
    ] = False,
    simulate: SimulateOption = False,
    profile: ProfileOption = "us-local",
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Talk in the terminal: with a recording, in writing, or with microphone and loudspeaker."""
    load = settings_with(config, assignments, {"knowledge.documents": documents})
    configure_log(load(None).log)
    turns = [*map(read_recording, recordings or ()), *(text or ())]
    console = Console(stderr=True)
    view: TalkView = JsonView() if as_json else TerminalView(Console(), with_notes=why)
    plan = _Plan(turns, speed, barge_in, out)
    run(_talk, load, profile if simulate else None, plan, view, console)


@dataclass(frozen=True, slots=True)
class _Plan:
    turns: Sequence[bytes | str]
    """Recordings and texts; none to use the microphone."""

    speed: float
    barge_in_s: float | None
    out: Path | None


async def _talk(
    load: SettingsWith, profile: str | None, plan: _Plan, view: TalkView, console: Console
) -> None:
    settings = load(None)
    clock = SystemClock()
    speaker: Speaker = ReckonedSpeaker(clock, speed=plan.speed) if plan.turns else DeviceSpeaker()
    with closing(speaker), closing(view):
        with index_progress(console) as on_progress:
            knowledge = await load_knowledge(settings, on_progress)
        async with AsyncExitStack() as held:
            status = held.enter_context(console.status("Starting who listens, answers and speaks"))
            if profile is not None:
                sentences = knowledge.index.sentences()
                settings = load(await held.enter_async_context(simulated(profile, sentences=sentences)))
            with index_progress(console) as on_progress:
                providers = await held.enter_async_context(open_providers(settings, knowledge, on_progress))
            status.stop()
            for problem in providers.problems:
                console.print(Text.assemble(("Replies will fail: ", "bold red"), problem))
            for note in providers.notes:
                console.print(Text(note, "yellow"))
            floors = _Floors(view.show)
            channel = LocalChannel(speaker, floors.show)
            session = Session(channel, providers, session_settings(settings), clock)
            channel.attach(session)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(channel.run)
                if plan.turns:
                    tasks.start_soon(_play_in, session, floors, plan, settings, clock)
                    await session.run()
                else:
                    console.print("Speak; say goodbye or press Ctrl+C to end.", style="dim")
                    with closing(Microphone(session)):
                        await session.run()
                tasks.cancel_scope.cancel()
    if (out := plan.out) is not None:
        await anyio.to_thread.run_sync(lambda: write_wav(out, bytes(channel.heard), rate_hz=PCM_24K.rate_hz))


async def _play_in(
    session: Session, floors: _Floors, plan: _Plan, settings: Settings, clock: SystemClock
) -> None:
    """Say and write the plan's turns, each when the one before is answered; then hang up."""
    patience_s = (settings.turns.silence_ms + settings.turns.final_deadline_ms) / 1000 + _NO_TURN_S
    caller = RecordedCaller(session, clock, speed=plan.speed)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(caller.run)
        for number, turn in enumerate(plan.turns):
            is_last = number + 1 == len(plan.turns)
            floors.forget()
            if isinstance(turn, str):
                session.receive_text(turn)
            else:
                await caller.say(bytes(int(_LEAD_IN_S * 16_000) * 2) + turn)
            with anyio.move_on_after(patience_s):
                await floors.reached(Floor.AGENT)
            if plan.barge_in_s is not None and not is_last and session.floor is Floor.AGENT:
                await anyio.sleep(plan.barge_in_s / plan.speed)
            else:
                await floors.open()
        tasks.cancel_scope.cancel()
    session.hang_up()


class _Floors:
    """Passes events on, and lets a script wait for what the floor does.

    What changes here: the floors since `forget`, and the event that wakes who waits.
    """

    def __init__(self, show: Callable[[SessionEvent], None]) -> None:
        self._show = show
        self._since: list[Floor] = []
        self._last = Floor.OPEN
        self._changed = anyio.Event()

    def show(self, event: SessionEvent) -> None:
        """Take an event of the session."""
        self._show(event)
        if isinstance(event, FloorChanged):
            self._since.append(event.floor)
            self._last = event.floor
            self._changed.set()
            self._changed = anyio.Event()

    def forget(self) -> None:
        """Begin to look anew."""
        self._since.clear()

    async def reached(self, floor: Floor) -> None:
        """Wait until the floor was `floor` at some time since `forget`."""
        while floor not in self._since:
            await self._changed.wait()

    async def open(self) -> None:
        """Wait until nobody has the floor."""
        while self._last not in (Floor.OPEN, Floor.CLOSED):
            await self._changed.wait()
