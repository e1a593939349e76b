"""What a caller notices when a provider fails in the middle of a turn.

Each row is a fault of a simulated provider, met by a whole session over real TLS on the real clock, with
fallbacks as an operator would name them. Dead air is what the answer came later than in a turn without the
fault, and what of silence there was inside it. `python bench/faults.py [--json] [--quick]`.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import difflib
import json
import ssl
import statistics
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
from rich.console import Console
from rich.table import Table

from warmline.audio.recordings import read_recording
from warmline.channels.local.endpoint import LocalChannel
from warmline.channels.local.recorded import RecordedCaller
from warmline.channels.local.speakers import ReckonedSpeaker
from warmline.cli.simulated import Simulated, settings_with, simulated
from warmline.core.clock import SystemClock
from warmline.core.formats import PCM_24K
from warmline.interfaces.channel import SessionEvent, TurnMeasured, UserTurn
from warmline.interfaces.llm import Role
from warmline.interfaces.retriever import Passage, Query
from warmline.server.assembly import open_providers, session_settings
from warmline.server.services.knowledge import Knowledge, load_knowledge
from warmline.session.session import Session
from warmline.timeline.report import TurnReport, TurnStatus

CLOCK = SystemClock()
QUESTION = Path(__file__).parents[1] / "examples" / "when-are-you-open.wav"
REPLY = "The library opens at nine in the morning. On Sundays it is closed all day long."
ASKED = "when are you open"


@dataclass(frozen=True)
class Case:
    """A fault, and the most that may be noticed of it."""

    what: str
    faults: tuple[tuple[str, str], ...] = ()
    """Of which provider, and which, as the simulators take them."""

    is_spoken: bool = False
    index_s: float = 0.0
    """How late the index answers."""

    goal_ms: int = 1_000
    is_apology: bool = False


CASES = [
    Case("model: 503 three times", (("openai", "503;times=3;path=/chat"),)),
    Case("voice: socket cut in the middle", (("elevenlabs", "cut;after=3"),), goal_ms=800),
    Case("recogniser: socket cut while the caller speaks", (("deepgram", "cut;after=3"),), True, goal_ms=150),
    Case("model: takes the question, says nothing", (("openai", "mute;times=0;path=/chat"),)),
    Case("model: refuses the key", (("openai", "401;times=0;path=/chat"),)),
    Case("model: drops the connection", (("openai", "drop;times=2;path=/chat"),)),
    Case("model: first token 5 s late", (("openai", "slow_first_byte;seconds=5;times=0;path=/chat"),)),
    Case("model: stalls after 8 tokens", (("openai", "stall;after=8;path=/chat"),)),
    Case("model: cut after 8 tokens", (("openai", "cut;after=8;path=/chat"),)),
    Case(
        "voice: takes the text, says nothing",
        (("elevenlabs", "mute;times=0;path=stream-input"),),
        goal_ms=800,
    ),
    Case("voice: stalls in the middle", (("elevenlabs", "stall;after=3"),), goal_ms=800),
    Case("voice: refuses everything", (("elevenlabs", "503;times=0"),), goal_ms=800),
    Case("recogniser: takes the sound, says nothing", (("deepgram", "mute"),), True, goal_ms=1_500),
    Case("index: 5 s late", index_s=5.0, goal_ms=200, is_spoken=True),
    Case(
        "everybody who can answer is mute",
        (("openai", "mute;times=0;path=/chat"), ("anthropic", "mute;times=0;path=/messages")),
        goal_ms=11_000,
        is_apology=True,
    ),
]
QUICK = 2


class Ear:
    """What one session's person is told and hears."""

    def __init__(self) -> None:
        self.reports: list[TurnReport] = []
        self.user_turns: list[str] = []
        self._more = anyio.Event()

    def show(self, event: SessionEvent) -> None:
        """Take a session's event."""
        if isinstance(event, UserTurn) and event.text:
            self.user_turns.append(event.text)
        if isinstance(event, TurnMeasured) and event.report.status is not TurnStatus.PLAYING:
            self.reports.append(event.report)
            self._more.set()
            self._more = anyio.Event()

    async def next(self) -> TurnReport:
        """Return the next turn, when it is over."""
        while not self.reports:
            await self._more.wait()
        return self.reports.pop(0)


@dataclass
class SlowIndex:
    """An index that answers late."""

    index: Any
    delay_s: float

    async def retrieve(self, query: Query) -> Sequence[Passage]:
        """Find, and take one's time."""
        await anyio.sleep(self.delay_s)
        found: Sequence[Passage] = await self.index.retrieve(query)
        return found


def tell(found: Simulated, provider: str, what: str, body: bytes, method: str) -> None:
    """Talk to a simulator's control."""
    request = urllib.request.Request(f"{found.control_urls[provider]}/{what}", body, method=method)
    context = ssl.create_default_context(cafile=found.certificate)
    urllib.request.urlopen(request, context=context).close()


async def control(found: Simulated, provider: str, what: str, body: object, method: str = "POST") -> None:
    """Talk to a simulator's control, off the loop."""
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    await anyio.to_thread.run_sync(tell, found, provider, what, data, method)


def differences(said: str, heard: str) -> tuple[int, int]:
    """Return how many words of what was to be said were not heard, and how many others were."""
    expected, found = said.split(), heard.split()
    lost = extra = 0
    for tag, a, b, c, d in difflib.SequenceMatcher(None, expected, found, autojunk=False).get_opcodes():
        if tag != "equal":
            lost += b - a
            extra += d - c
    return lost, extra


async def one_turn(
    session: Session, caller: RecordedCaller, ear: Ear, question: bytes, *, is_spoken: bool
) -> TurnReport:
    """Hold a turn to its end."""
    if is_spoken:
        await caller.say(question)
    else:
        session.receive_text(ASKED)
    with anyio.fail_after(60):
        report = await ear.next()
    await anyio.sleep(0.3)
    return report


async def met(found: Simulated, knowledge: Knowledge, question: bytes, case: Case) -> dict[str, Any]:
    """Return what came of one fault: a healthy turn first, then one with it."""
    sets = [
        'providers.llm_fallbacks=["anthropic"]',
        'providers.tts_fallbacks=["offline"]',
        'providers.stt_fallbacks=["offline"]',
    ]
    settings = settings_with(None, sets, {})(found)
    ear = Ear()
    async with open_providers(settings, knowledge) as providers, anyio.create_task_group() as tasks:
        index = SlowIndex(providers.retriever, 0.0)
        providers = replace(providers, retriever=index)
        channel = LocalChannel(ReckonedSpeaker(CLOCK), ear.show)
        session = Session(channel, providers, session_settings(settings), CLOCK)
        channel.attach(session)
        caller = RecordedCaller(session, CLOCK)
        tasks.start_soon(channel.run)
        tasks.start_soon(session.run)
        tasks.start_soon(caller.run)
        await anyio.sleep(2.0)
        healthy = await one_turn(session, caller, ear, question, is_spoken=case.is_spoken)
        index.delay_s = case.index_s
        ear.user_turns.clear()
        heard_before = len(channel.heard)
        await control(found, "deepgram", "script", {"transcript": f"{ASKED} then"}, "PATCH")
        for provider, fault in case.faults:
            await control(found, provider, "faults", fault)
        report = await one_turn(session, caller, ear, question, is_spoken=case.is_spoken)
        for provider in found.control_urls:
            await control(found, provider, "faults", "", "DELETE")
        await control(found, "deepgram", "script", {"transcript": ASKED}, "PATCH")
        said = [m.text for m in session.context.messages if m.role is Role.ASSISTANT]
        expected = providers.failover.settings.apology if case.is_apology else REPLY
        lost, extra = differences(expected, report.heard_text)
        sound_s = PCM_24K.duration_s(len(channel.heard) - heard_before)
        session.hang_up()
        tasks.cancel_scope.cancel()
    late_ms = ((report.response_us or 0) - (healthy.response_us or 0)) / 1000
    return {
        "dead_air_ms": max(late_ms, 0.0) + report.underrun_us / 1000,
        "lost": lost,
        "twice": extra,
        "context_is_heard": bool(said) and said[-1] == report.heard_text,
        "user_turns": len(ear.user_turns) or 1,
        "sound_s": sound_s,
        "remedies": [
            f"{each.leg} {each.kind.value}: {each.remedy.value} {each.taken_by}".strip()
            for each in report.setbacks
        ],
    }


async def measure(is_quick: bool) -> list[dict[str, Any]]:
    """Return a row for each fault."""
    progress = Console(stderr=True)
    question = await anyio.to_thread.run_sync(read_recording, QUESTION)
    rows: list[dict[str, Any]] = []
    async with simulated("loopback") as found:
        for provider in ("openai", "anthropic"):
            await control(found, provider, "script", {"reply": REPLY}, "PATCH")
        await control(found, "deepgram", "script", {"transcript": ASKED}, "PATCH")
        knowledge = await load_knowledge(settings_with(None, [], {})(found))
        for case in CASES[:QUICK] if is_quick else CASES:
            progress.print(f"[dim]{case.what}")
            seen = [await met(found, knowledge, question, case) for _ in range(1 if is_quick else 3)]
            dead_ms = [each["dead_air_ms"] for each in seen]
            rows.append({
                "fault": case.what,
                "dead_air_p50_ms": round(statistics.median(dead_ms)),
                "dead_air_worst_ms": round(max(dead_ms)),
                "goal_ms": case.goal_ms,
                "words_lost": max(each["lost"] for each in seen),
                "words_twice": max(each["twice"] for each in seen),
                "context_is_what_was_heard": all(each["context_is_heard"] for each in seen),
                "user_turns": max(each["user_turns"] for each in seen),
                "sound_s": round(statistics.median(each["sound_s"] for each in seen), 1),
                "what_was_done": "; ".join(dict.fromkeys(seen[-1]["remedies"])),
            })
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print rows for programs")
    parser.add_argument("--quick", action="store_true", help="two faults, once each")
    options = parser.parse_args()
    rows = anyio.run(measure, options.quick, backend_options={"use_uvloop": sys.platform != "win32"})
    if options.json:
        print(json.dumps(rows))
        return
    table = Table(title="A fault in the middle of a turn", title_justify="left")
    for name in rows[0]:
        is_text = name in ("fault", "what_was_done")
        table.add_column(name.replace("_", " "), justify="left" if is_text else "right")
    for row in rows:
        is_good = row["dead_air_worst_ms"] <= row["goal_ms"] and not row["words_lost"] + row["words_twice"]
        table.add_row(
            *map(str, row.values()), style="" if is_good and row["context_is_what_was_heard"] else "red"
        )
    Console().print(table)


if __name__ == "__main__":
    main()
