"""One conversation of a random person with random far ends: a function of its seed alone."""

from __future__ import annotations

import asyncio
import random
import traceback
from collections import Counter
from dataclasses import dataclass
from typing import Any

import anyio

from tests.journeys.random_turns.far_ends import (
    WORD,
    Asked,
    Chunks,
    Detector,
    Faults,
    MarkedModel,
    MarkedVoice,
    RandomRetriever,
    recognisers,
)
from tests.journeys.random_turns.person import Person
from tests.journeys.random_turns.sounding import Reply
from tests.journeys.random_turns.watched_line import APOLOGY, WatchedLine
from warmline.failover.legs import FailoverState, Leg
from warmline.failover.settings import FailoverSettings, HedgeSettings
from warmline.interfaces.channel import TurnSettings
from warmline.interfaces.llm import Role
from warmline.interfaces.tool_context import ToolContext
from warmline.session.session import Session
from warmline.session.settings import Endpointing, Providers, SessionSettings
from warmline.testing.virtual_time import LoopClock, VirtualTimeLoop
from warmline.tools.definition import tool
from warmline.tools.toolbox import Toolbox
from warmline.turns.drafting import DraftingPolicy
from warmline.turns.fit import same_words
from warmline.turns.floor import Floor

__all__ = ["Outcome", "run"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened in one conversation."""

    seed: int
    counts: Counter[str]
    problems: tuple[str, ...]
    trace: tuple[tuple[float, object], ...]

    def __str__(self) -> str:
        return "\n".join([
            f"seed {self.seed}: {len(self.problems)} problems",
            *(f"  {problem}" for problem in self.problems),
            f"replay it with `python bench/random_turns.py --seed {self.seed}`",
        ])


def run(seed: int) -> Outcome:
    """Hold the conversation of a seed."""
    return anyio.run(_run, seed, backend_options={"loop_factory": VirtualTimeLoop})


async def _run(seed: int) -> Outcome:
    return await _Conversation(seed).run()


class _Conversation:
    """A person, a session and its far ends."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = rng = random.Random(seed)
        self.faults = Faults(random.Random(f"{seed} faults"), rng.choice((0.0, 0.0, 0.03, 0.1, 0.4)))
        self.chunks = Chunks()
        call = random.Random(f"{seed} call")
        self.line = WatchedLine(
            random.Random(f"{seed} line"),
            self.chunks,
            says_text_alone=rng.random() < 0.06,
            is_telephone=call.random() < 0.35,
            is_ringing=call.random() < 0.25,
        )
        self.turns = TurnSettings(
            detects_turns=rng.random() < 0.9,
            replies_by_itself=rng.random() < 0.85,
            can_be_interrupted=rng.random() < 0.85,
            silence_ms=rng.choice((300, 500, 500, 800)),
        )
        self.person = Person(random.Random(f"{seed} person"), self.line, self.turns)
        self.requests: list[Asked] = []
        self.listeners = recognisers(
            random.Random(f"{seed} recogniser"), self.faults, self.person.begins_to_say
        )
        self.retriever = RandomRetriever(random.Random(f"{seed} retriever"), self.faults)
        self.tools = self._tools() if rng.random() < 0.4 else Toolbox()
        names = [each.name for each in self.tools]
        legs = range(rng.choice((1, 1, 2)))
        self.models = [
            MarkedModel(random.Random(f"{seed} model {n}"), self.faults, self.requests, names) for n in legs
        ]
        self.voices = [
            MarkedVoice(random.Random(f"{seed} voice {n}"), self.faults, self.chunks) for n in legs
        ]
        self.settings = self._settings()
        self.session = Session(self.line, self._providers(), self.settings, LoopClock())
        self.line.conversation = self.person.session = self.session
        self.line.answers_by_itself = self.turns.replies_by_itself

    async def run(self) -> Outcome:
        before = asyncio.all_tasks()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._hold)
            await anyio.sleep(self.rng.choice((0.001, 0.3)))
            if self.line.is_ringing:
                await self.person.answers()
            for _ in range(self.rng.randint(1, 14)):
                if self.line.ended is None and not self.line.is_ringing:
                    await self.person.acts()
            if self.line.ended is None and not self.line.is_ringing and self.rng.random() < 0.8:
                await self.person.settles()
            self.person.calls("hangs up", self.session.hang_up)
        self._check_leaks(before)
        self._check_words()
        counts = self.line.counts
        counts["faults"] = self.faults.met
        counts["requests"] = len(self.requests)
        counts["lookups"] = self.retriever.asked
        counts["sessions"] = 1
        return Outcome(self.seed, counts, tuple(self.line.problems), tuple(self.line.trace))

    def _settings(self) -> SessionSettings:
        rng = self.rng
        return SessionSettings(
            turns=self.turns,
            # Said of the agent's own accord, which would have to be told from answers.
            expiry_farewell="",
            endpointing=rng.choice(list(Endpointing)),
            drafting=DraftingPolicy() if rng.random() < 0.85 else None,
            resumes_replies=rng.random() < 0.85,
            playout_lead_s=rng.choice((0.3, 2.0, 2.0, 60.0)),
            held_audio_s=rng.choice((1.0, 10.0)),
            session_s=rng.choice((3600.0, 3600.0, 3600.0, 3600.0, 25.0)),
            greeting="Hello there." if rng.random() < 0.2 else "",
        )

    def _providers(self) -> Providers:
        rng = self.rng
        state = FailoverState(
            FailoverSettings(
                apology=rng.choice(("", APOLOGY)),
                hedge=HedgeSettings(is_on=rng.random() < 0.3, percent=50.0, share=0.5),
            )
        )
        return Providers(
            Detector(),
            self.listeners[0],
            self.retriever,
            self.models[0],
            self.voices[0],
            tools=self.tools,
            stt_fallbacks=tuple(Leg(each, f"stt{n}") for n, each in enumerate(self.listeners[1:], 2)),
            llm_fallbacks=tuple(Leg(each, f"llm{n}") for n, each in enumerate(self.models[1:], 2)),
            tts_fallbacks=tuple(Leg(each, f"tts{n}") for n, each in enumerate(self.voices[1:], 2)),
            failover=state,
        )

    def _tools(self) -> Toolbox:
        rng = random.Random(f"{self.seed} tools")

        @tool(is_pure=True)
        async def look_up(request: int) -> str:
            """Find something out."""
            await anyio.sleep(rng.choice((0.0, 0.1, 1.0)))
            return f"found for {request}"

        @tool
        async def book(request: int) -> str:
            """Change something."""
            self._check_booking(request)
            await anyio.sleep(rng.choice((0.0, 0.3)))
            if rng.random() < 0.1:
                raise ValueError("no room")
            return "booked"

        @tool
        async def end_call(context: ToolContext, request: int) -> str:
            """End the call."""
            self._check_booking(request)
            context.end_session()
            return "Say goodbye."

        return Toolbox([look_up, book, *([end_call] if rng.random() < 0.2 else [])])

    async def _hold(self) -> None:
        try:
            await self.session.run()
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - whatever it is, it is reported
            self.line.problem("".join(traceback.format_exception(error)))

    def _check_booking(self, request: int) -> None:
        """A tool that changes something runs for a turn that was committed."""
        asked = self.requests[request].user_text
        last = self.session.context.last_user_message()
        if last is None or not same_words(asked, last.message.text):
            self.line.problem(f"booked for {asked!r}, and {last} is what was said last")

    def _check_leaks(self, before: set[asyncio.Task[Any]]) -> None:
        problem = self.line.problem
        if left := asyncio.all_tasks() - before:
            problem(f"tasks are left: {left}")
        for listener in self.listeners:
            if listener.opened != listener.closed:
                problem(f"{listener.opened} lines of a recogniser opened, {listener.closed} closed")
        for voice in self.voices:
            if voice.opened != voice.closed or voice.running:
                problem(f"{voice.opened} voices opened, {voice.closed} closed, {voice.running} speaking")
        for model in self.models:
            if model.running:
                problem(f"{model.running} streams of a model are open")
        if self.retriever.running:
            problem("a question to the index is under way")
        if self.line.ended is None:
            problem("the channel was not told of the end")
        if self.session.floor is not Floor.CLOSED:
            problem("the floor is not closed")
        for text in self.retriever.found_twice:
            problem(f"{text!r} was looked up twice")

    def _check_words(self) -> None:
        """Follow every word of the replies, and of the context, to the request that it comes from."""
        line, context = self.line, self.session.context
        if line.awaits_reply_to is not None:
            line.problem(f"{line.awaits_reply_to} is not answered")
        for reply in line.replies.values():
            self._check_reply(reply)
            item = context.find(reply.item_id)
            if item is None or reply.final is None or reply.heard is None:
                line.problem(f"{reply.reply_id} has no end, or no place in the context")
                continue
            words = item.message.text.split()
            said = reply.final.reply_text.split()
            if words != said[: len(words)]:
                line.problem(f"the context holds {words}, which is not the beginning of {said}")
            if not reply.heard.least <= len(words) <= reply.heard.most:
                line.problem(f"the context holds {len(words)} words, {reply.heard} were heard")
        for turn in line.turns:
            item = context.find(turn.item_id)
            if turn.text and (item is None or item.message.text != turn.text):
                line.problem(f"{turn} is not in the context")
        said = [m.text for m in context.messages if m.role is Role.ASSISTANT and m.text]
        items = [context.find(reply.item_id) for reply in line.replies.values()]
        if Counter(said) != Counter(i.message.text for i in items if i is not None and i.message.text):
            line.problem(f"the context holds what no reply said: {said}")

    def _check_reply(self, reply: Reply) -> None:
        """Check that its words are those of requests that answer its turn, none lost or doubled."""
        line = self.line
        if reply.answers is not None and reply.final and reply.answers.text != reply.final.user_text:
            line.problem(f"{reply.answers} is answered as {reply.final.user_text!r}")
        expected = (0, 0)
        seen: set[int] = set()
        for word in reply.text.split():
            match = WORD.fullmatch(word)
            if match is None:
                continue  # A greeting, a farewell, an apology.
            number, index = int(match[1]), int(match[2])
            if number not in seen:
                seen.add(number)
                expected = (number, 0)
            if (number, index) != expected:
                line.problem(f"{word} where {expected} was expected in {reply.text!r}")
            expected = (number, index + 1)
        for number in seen:
            asked = self.requests[number].user_text
            answers = reply.final.user_text if reply.final else ""
            if not same_words(asked, answers):
                line.problem(f"a reply to {answers!r} says words that answer {asked!r}")
