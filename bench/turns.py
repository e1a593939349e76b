"""How soon the first sound comes after the end of a turn, and what guessing costs.

Three tables: a turn whose answer is begun early, against the best that its providers' times allow; the
earlier systems' turns over their network, their way and warmline's; and 200 turns of people who
pause, for how many guesses were wrong. The first two run against the simulators, in a process of their own;
the last is a whole conversation on a clock that jumps. `python bench/turns.py [--json] [--quick]`.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import random
import ssl
import statistics
import sys
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
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
from warmline.interfaces.channel import SessionEvent, TurnMeasured
from warmline.interfaces.llm import LlmRequest, Message, Role
from warmline.interfaces.retriever import Passage, Query
from warmline.pool.lines import Lines
from warmline.providers.elevenlabs.rest import ElevenLabsRest
from warmline.providers.openai.chat import OpenAiChat, openai_headers
from warmline.providers.openai.protocol import ChatSettings
from warmline.server.assembly import open_providers, session_settings
from warmline.server.services.knowledge import load_knowledge
from warmline.server.services.voices import speech_settings
from warmline.server.settings import Settings
from warmline.session.session import Session
from warmline.session.settings import Providers, SessionSettings
from warmline.simulators.answers import tokens
from warmline.testing.caller import Caller
from warmline.testing.line import Line
from warmline.testing.scripted import (
    ScriptedDetector,
    ScriptedModel,
    ScriptedRecogniser,
    ScriptedRetriever,
    ScriptedVoice,
    Utterance,
)
from warmline.testing.virtual_time import LoopClock, VirtualTimeLoop
from warmline.timeline.report import TurnReport, TurnStatus
from warmline.turns.clauses import ClauseSplitter

CLOCK = SystemClock()
QUESTION = Path(__file__).parents[1] / "examples" / "when-are-you-open.wav"
REPLY = "Sure thing. We open at nine in the morning, and we close at six in the evening."
FIRST_TOKEN_MS, TOKEN_MS, SPEECH_MS = 250.0, 12.0, 120.0
EAGER_MS, END_MS = 200.0, 600.0
ENGINE = ("commit", "prompt", "dispatch", "send")
"""The contributions that are warmline's own code and no provider's."""


class Turns:
    """One session's reports: of each turn when its first sound is out."""

    def __init__(self) -> None:
        self._reports: list[TurnReport] = []
        self._more = anyio.Event()

    def show(self, event: SessionEvent) -> None:
        """Take a session's event."""
        if isinstance(event, TurnMeasured) and event.report.status is TurnStatus.PLAYING:
            self._reports.append(event.report)
            self._more.set()
            self._more = anyio.Event()

    async def next(self) -> TurnReport:
        """Return the next turn's report."""
        while not self._reports:
            await self._more.wait()
        return self._reports.pop(0)


def control(found: Simulated, provider: str, **changes: object) -> None:
    """Change a simulator's script."""
    request = urllib.request.Request(
        f"{found.control_urls[provider]}/script", json.dumps(changes).encode(), method="PATCH"
    )
    context = ssl.create_default_context(cafile=found.certificate)
    urllib.request.urlopen(request, context=context).close()


async def scripted(found: Simulated, scripts: dict[str, dict[str, object]]) -> None:
    """Change several."""
    for provider, changes in scripts.items():
        await anyio.to_thread.run_sync(lambda p=provider, c=changes: control(found, p, **c))  # type: ignore[misc]


@dataclass(frozen=True)
class SlowIndex:
    """An index that is far away: it finds what the one here finds, so much later."""

    index: Any
    delay_s: float

    async def retrieve(self, query: Query) -> Sequence[Passage]:
        """Find, and take one's time."""
        await anyio.sleep(self.delay_s)
        found: Sequence[Passage] = await self.index.retrieve(query)
        return found


@asynccontextmanager
async def a_call(
    providers: Providers, settings: SessionSettings
) -> AsyncIterator[tuple[Session, RecordedCaller, Turns]]:
    """Hold a call at real time, with somebody who plays recordings into it."""
    turns = Turns()
    channel = LocalChannel(ReckonedSpeaker(CLOCK), turns.show)
    session = Session(channel, providers, settings, CLOCK)
    channel.attach(session)
    caller = RecordedCaller(session, CLOCK)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(channel.run)
        tasks.start_soon(session.run)
        tasks.start_soon(caller.run)
        await anyio.sleep(1.5)
        yield session, caller, turns
        session.hang_up()
        tasks.cancel_scope.cancel()


def first_clause_ms(reply: str) -> float:
    """Return when a model that writes as these do has written the first clause worth saying."""
    splitter = ClauseSplitter()
    for number, token in enumerate(tokens(reply)):
        at_ms = FIRST_TOKEN_MS + number * TOKEN_MS
        due_at_s = splitter.due_at_s
        if due_at_s is not None and due_at_s * 1000 <= at_ms and splitter.pending(due_at_s):
            return due_at_s * 1000
        if splitter.push(token, at_ms / 1000):
            return at_ms
    return FIRST_TOKEN_MS + (len(tokens(reply)) - 1) * TOKEN_MS


async def ask(question: bytes, session: Session, caller: RecordedCaller, turns: Turns) -> TurnReport:
    """Hold one spoken turn up to its first sound, and let what is left of it come to its end."""
    await caller.say(question)
    report = await turns.next()
    session.cancel_reply()
    await anyio.sleep(0.5)
    return report


async def overlaps(times: int, most_cases: int, progress: Console) -> list[dict[str, Any]]:
    """Return how far each way of taking turns is from the best that its providers allow."""
    question = await anyio.to_thread.run_sync(read_recording, QUESTION)
    clause_ms = first_clause_ms(REPLY)
    rows: list[dict[str, Any]] = []
    async with simulated("loopback") as found:
        await scripted(
            found,
            {
                "openai": {"first_token_ms": FIRST_TOKEN_MS, "token_ms": TOKEN_MS, "reply": REPLY},
                "elevenlabs": {"speech_ms": SPEECH_MS},
                "deepgram": {
                    "transcript": "when are you open",
                    "transcript_ms": 0.0,
                    "eager_end_ms": EAGER_MS,
                    "end_of_turn_ms": END_MS,
                },
            },
        )
        cases = [
            ("Flux", "flux-general-en", True, 0),
            ("Nova", "nova-3", True, 0),
            ("Flux", "flux-general-en", False, 0),
            ("Nova", "nova-3", False, 0),
            ("Flux", "flux-general-en", True, 150),
            ("Flux", "flux-general-en", True, 600),
        ]
        for name, model, drafts, retrieval_ms in cases[:most_cases]:
            progress.print(f"[dim]{name}, drafts {'on' if drafts else 'off'}, retrieval {retrieval_ms} ms")
            sets = [
                f"deepgram.model={model}",
                f"turns.silence_ms={END_MS:g}",
                f"drafts.enabled={str(drafts).lower()}",
            ]
            settings = settings_with(None, sets, {})(found)
            knowledge = await load_knowledge(settings)
            async with open_providers(settings, knowledge) as providers:
                slow = SlowIndex(providers.retriever, retrieval_ms / 1000)
                reports = []
                async with a_call(replace(providers, retriever=slow), session_settings(settings)) as call:
                    for number in range(times):
                        # Another question each time: the same one would not be looked up again.
                        await scripted(found, {"deepgram": {"transcript": f"when are you open {number}"}})
                        reports.append(await ask(question, *call))
            marks = [{n: us / 1000 for n, us in report.marks_us.items()} for report in reports]
            own = [
                sum(part.duration_us for part in report.contributions if part.name in ENGINE) / 1000
                for report in reports
            ]
            over = []
            for each in marks:
                begun = each.get("draft_begun", each["turn_committed"]) if drafts else each["turn_committed"]
                best_ms = max(each["turn_committed"], begun + clause_ms + SPEECH_MS)
                over.append(each["audio_sent"] - best_ms)
            rows.append({
                "recogniser": name,
                "answer_begun": "in the pause" if drafts else "after the turn",
                "retrieval_ms": retrieval_ms,
                "draft_begun_ms": round(
                    statistics.median(each.get("draft_begun", each["turn_committed"]) for each in marks)
                ),
                "turn_over_ms": round(statistics.median(each["turn_committed"] for each in marks)),
                "first_sound_ms": round(statistics.median(each["audio_sent"] for each in marks)),
                "over_best_p50_ms": round(statistics.median(over), 1),
                "over_best_p99_ms": round(sorted(over)[min(int(0.99 * len(over)), len(over) - 1)], 1),
                "warmline_itself_p50_ms": round(statistics.median(own), 2),
                "warmline_itself_p99_ms": round(sorted(own)[min(int(0.99 * len(own)), len(own) - 1)], 2),
                "with_passages": sum("retrieval_done" in each for each in marks),
                "turns": times,
            })
    return rows


EARLIER = {
    # What the earlier system's log says of its first and its third turn, from its recogniser's end of turn.
    "simple": {"retrieval_ms": 0, "first_sound_ms": 1551},
    "with retrieval": {"retrieval_ms": 484, "first_sound_ms": 1972},
}


async def their_way(found: Simulated, settings: Settings, retrieval_ms: float) -> float:
    """Take a turn as the earlier system did: look up, then ask on a new connection, then speak a sentence."""
    lines = Lines(
        certificate=found.certificate, proxy=found.proxy or None, dns_server=found.dns_server or None
    )
    async with (
        lines,
        Lines(
            certificate=found.certificate, proxy=found.proxy or None, dns_server=found.dns_server or None
        ) as warm,
    ):
        voice = await warm.endpoint(
            "elevenlabs",
            found.base_urls["elevenlabs"],
            warm=1,
            headers={"xi-api-key": found.environment["ELEVENLABS_API_KEY"]},
        )
        await voice.pool.until_warm()
        headers = openai_headers(found.environment["OPENAI_API_KEY"])
        model = await lines.endpoint("openai", found.base_urls["openai"], warm=0, headers=headers)
        rest = ElevenLabsRest(voice, speech_settings(settings.elevenlabs, settings.lines.tts_idle_s))
        began_s = CLOCK.now_s()
        await anyio.sleep(retrieval_ms / 1000)
        sentence = ""
        request = LlmRequest([Message(Role.USER, "When are you open?")])
        async with OpenAiChat(model, ChatSettings("gpt-5.4-mini")).stream(request) as pieces:
            async for piece in pieces:
                sentence += str(piece)
                if sentence.rstrip().endswith((".", "!", "?")):
                    break
        async with rest.synthesise(sentence, PCM_24K) as chunks:
            async for _ in chunks:
                break
        return (CLOCK.now_s() - began_s) * 1000


async def far_away(times: int, progress: Console) -> list[dict[str, Any]]:
    """Return the earlier system's turns over its network, its way and warmline's."""
    question = await anyio.to_thread.run_sync(read_recording, QUESTION)
    rows: list[dict[str, Any]] = []
    reply = "We open at nine in the morning, and we close at six in the evening, but not on Sundays. Do come."
    async with simulated("india-us") as found:
        await scripted(
            found,
            {
                "openai": {"reply": reply},
                "deepgram": {
                    "transcript": "when are you open",
                    "eager_end_ms": EAGER_MS,
                    "end_of_turn_ms": END_MS,
                },
            },
        )
        # So that every answer has its passages, as the earlier system's had.
        sets = ["deepgram.model=flux-general-en", "knowledge.retrieval_deadline_ms=600"]
        settings = settings_with(None, sets, {})(found)
        knowledge = await load_knowledge(settings)
        async with open_providers(settings, knowledge) as providers:
            for kind, earlier in EARLIER.items():
                progress.print(f"[dim]India to the US, {kind}")
                retrieval_ms = earlier["retrieval_ms"]
                theirs = [await their_way(found, settings, retrieval_ms) for _ in range(times)]
                slow = SlowIndex(providers.retriever, retrieval_ms / 1000)
                reports = []
                async with a_call(replace(providers, retriever=slow), session_settings(settings)) as call:
                    for number in range(times):
                        words = f"when are you open {number}"
                        await scripted(found, {"deepgram": {"transcript": words}})
                        reports.append(await ask(question, *call))
                marks = [{n: us / 1000 for n, us in report.marks_us.items()} for report in reports]
                rows.append({
                    "turn": kind,
                    "earlier_system_ms": earlier["first_sound_ms"],
                    "its_way_here_ms": round(statistics.median(theirs)),
                    "warmline_ms": round(
                        statistics.median(each["audio_sent"] - each["turn_committed"] for each in marks)
                    ),
                    "from_the_last_sound_ms": round(statistics.median(each["audio_sent"] for each in marks)),
                    "with_passages": sum("retrieval_done" in each for each in marks),
                    "turns": times,
                })
    return rows


TALKERS = {
    # Who, how likely a pause inside a turn is, and how long it is at the least and at the most.
    "brisk": (0.1, 0.25, 0.45),
    "usual": (0.5, 0.25, 0.7),
    "thinks aloud": (0.9, 0.3, 1.0),
}


async def talkers(turns: int) -> list[dict[str, Any]]:
    """Return how many guesses of a conversation were wrong, with people of all kinds taking turns in it."""
    draw = random.Random(7)
    script: list[tuple[str, list[float]]] = []
    utterances: list[Utterance | str] = []
    for number in range(turns):
        kind = list(TALKERS)[number % len(TALKERS)]
        likely, least_s, most_s = TALKERS[kind]
        pauses = [draw.uniform(least_s, most_s) for _ in range(2) if draw.random() < likely]
        script.append((kind, pauses))
        utterances += [f"I would like part {part} of {number}" for part in range(len(pauses) + 1)]
    line = Line()
    voice = ScriptedVoice(first_audio_s=0.12)
    model = ScriptedModel(["It is open from nine to six."], first_word_s=0.25, word_s=0.012)
    recogniser = ScriptedRecogniser(utterances)
    providers = Providers(ScriptedDetector(), recogniser, ScriptedRetriever(), model, voice)
    settings = SessionSettings(turns=replace(SessionSettings().turns, silence_ms=1_000), session_s=1e9)
    session = Session(line, providers, settings, LoopClock())
    line.conversation = session
    seen: list[str] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(session.run)
        await anyio.sleep(0.001)
        caller = Caller(session)
        for kind, pauses in script:
            before = len(line.turns())
            for pause_s in [*pauses, 5.0]:
                await caller.speaks(2.1)
                await caller.is_silent(pause_s)
            seen += [kind] * (len(line.turns()) - before)
        session.hang_up()
    rows = []
    reports = line.turns()
    for kind in [*TALKERS, "all of them", "the last half of them"]:
        if kind == "the last half of them":
            chosen = reports[len(reports) // 2 :]
        else:
            chosen = [each for each, who in zip(reports, seen, strict=True) if kind in (who, "all of them")]
        drafts = [draft for each in chosen for draft in each.drafts]
        dropped = [draft for draft in drafts if draft.waste.prompt_tokens]
        waste = sum((each.waste for each in chosen[1:]), chosen[0].waste)
        rows.append({
            "talker": kind,
            "turns": len(chosen),
            "guesses": len(drafts),
            "wrong": len(dropped),
            "cancellation_rate": round(len(dropped) / max(len(drafts), 1), 3),
            "first_sound_p50_ms": round(statistics.median((each.response_us or 0) / 1000 for each in chosen)),
            "wasted_prompt_tokens_a_turn": round(waste.prompt_tokens / len(chosen), 1),
            "wasted_tokens_a_turn": round(waste.tokens / len(chosen), 1),
            "wasted_characters_a_turn": round(waste.characters / len(chosen), 1),
        })
    return rows


def shown(rows: list[dict[str, Any]], title: str) -> Table:
    """Return a table of rows."""
    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        is_text = name in ("recogniser", "answer_begun", "turn", "talker")
        table.add_column(name.replace("_", " "), justify="left" if is_text else "right")
    for row in rows:
        table.add_row(*map(str, row.values()))
    return table


async def measure(is_quick: bool) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of the tables in real time."""
    progress = Console(stderr=True)
    return {
        "overlaps": await overlaps(*((1, 2) if is_quick else (20, 6)), progress),
        "india_us": await far_away(1 if is_quick else 10, progress),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print rows for programs")
    parser.add_argument("--quick", action="store_true", help="fewer turns")
    options = parser.parse_args()
    guesses = anyio.run(
        talkers, 60 if options.quick else 200, backend_options={"loop_factory": VirtualTimeLoop}
    )
    tables = anyio.run(measure, options.quick, backend_options={"use_uvloop": sys.platform != "win32"})
    tables["talkers"] = guesses
    if options.json:
        print(json.dumps(tables))
        return
    console = Console()
    console.print(
        shown(
            tables["overlaps"],
            "From the last sound of speech; over the best is beyond the later of the end of the turn, and "
            "what the model and the voice themselves take from the draft on",
        )
    )
    console.print(shown(tables["india_us"], "India to the US, from the recogniser's end of the turn"))
    console.print(shown(tables["talkers"], "Guesses that a pause is the end"))


if __name__ == "__main__":
    main()
