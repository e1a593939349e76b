"""One conversation of a random person with random far ends: a function of its seed alone."""

from __future__ import annotations

import asyncio
import random
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

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
from tests.journeys.random_turns.watched_line import APOLOGY, Reply, WatchedLine
from warmline.failover.legs import FailoverState, Leg
from warmline.failover.settings import FailoverSettings, HedgeSettings
from warmline.interfaces.channel import TurnSettings
from warmline.interfaces.llm import Role
from warmline.interfaces.tool_context import ToolContext
from warmline.session.session import Session
from warmline.session.settings import Endpointing, Providers, SessionSettings
from warmline.testing.scripted import Utterance
from warmline.testing.virtual_time import LoopClock, VirtualTimeLoop
from warmline.tools.definition import tool
from warmline.tools.toolbox import Toolbox
from warmline.turns.drafting import DraftingPolicy
from warmline.turns.fit import same_words
from warmline.turns.floor import Floor

__all__ = ["Outcome", "run"]

_SOUND: Final = b"\x10"
_QUIET_S: Final = 150.0
"""Longer than anything that may still be going on: a reply of 40 words in its retries, and a report of
playout that never comes."""

_SURELY_SILENT_S: Final = 0.5
"""The session has noticed by then."""

_WORDS_S: Final = 0.3


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
        self.line = WatchedLine(
            random.Random(f"{seed} line"), self.chunks, says_text_alone=rng.random() < 0.06
        )
        self.requests: list[Asked] = []
        self.listeners = recognisers(random.Random(f"{seed} recogniser"), self.faults, self._begins_to_say)
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
        self.turns = TurnSettings(
            detects_turns=rng.random() < 0.9,
            replies_by_itself=rng.random() < 0.85,
            can_be_interrupted=rng.random() < 0.85,
            silence_ms=rng.choice((300, 500, 500, 800)),
        )
        self.settings = self._settings()
        self.session = Session(self.line, self._providers(), self.settings, LoopClock())
        self.line.conversation = self.session
        self.line.answers_by_itself = self.turns.replies_by_itself
        self.frame_s = rng.choice((0.02, 0.032, 0.064, 0.1))
        self.saying: Utterance | None = None
        self.said = 0

    async def run(self) -> Outcome:
        before = asyncio.all_tasks()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._hold)
            await anyio.sleep(self.rng.choice((0.001, 0.3)))
            for _ in range(self.rng.randint(1, 14)):
                if self.line.ended is None:
                    await self._act()
            if self.line.ended is None and self.rng.random() < 0.8:
                await self._settle()
            self._call("hang up", self.session.hang_up)
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
            endpointing=rng.choice(list(Endpointing)),
            drafting=DraftingPolicy() if rng.random() < 0.85 else None,
            resumes_replies=rng.random() < 0.85,
            playout_lead_s=rng.choice((0.3, 2.0, 2.0, 60.0)),
            held_audio_s=rng.choice((1.0, 10.0)),
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

    # What the person does.

    async def _act(self) -> None:
        rng = self.rng
        actions: list[tuple[float, Callable[[], Any]]] = [
            (8.0, self._speak),
            (2.0, self._think_aloud),
            (2.0, self._cough),
            (2.0, self._acknowledge),
            (1.0, self._type),
            (0.7, self._cancel),
            (0.7, self._request),
            (0.4, self._clear),
            (0.4, self._commit),
            (0.5, self._configure),
            (2.0, self._wait),
            (1.5, self._settle),
            (0.15, self._say_goodbye),
        ]
        [(_, act)] = rng.choices(actions, [weight for weight, _ in actions])
        await act()
        if not self.turns.detects_turns and rng.random() < 0.8:
            await self._commit()
        self._check_at_rest()

    async def _speak(self) -> None:
        await self._say(self._question())
        await self._pause()

    async def _think_aloud(self) -> None:
        for _ in range(self.rng.randint(2, 4)):
            await self._say(self._question())
            await self._send(False, self.rng.uniform(0.1, 0.7))
        await self._pause()

    async def _cough(self) -> None:
        await self._say("", self.rng.choice((0.07, 0.2, 0.4, 1.3)))
        await self._pause()

    async def _acknowledge(self) -> None:
        await self._say(self.rng.choice(("mhm", "okay", "right, I see", "yes", "I", "okay but", "uh huh")))
        await self._pause()

    async def _say_goodbye(self) -> None:
        await self._say("goodbye")
        await self._pause()

    async def _pause(self) -> None:
        rng = self.rng
        for _ in range(rng.choice((1, 1, 2))):
            await self._send(False, rng.choice((0.05, 0.3, 0.6, 0.9, 2.0, 4.0)) * rng.uniform(0.7, 1.3))
            if rng.random() < 0.1:
                await anyio.sleep(rng.uniform(0.1, 2.0))

    async def _wait(self) -> None:
        await self._send(False, self.rng.uniform(0.5, 3.0))

    async def _type(self) -> None:
        text = self._question()
        words = " ".join(self.line.spoken.values()).strip()
        self.line.spoken.clear()
        self.line.was_asked = False
        self._call("types", lambda: self.session.receive_text(text))
        typed = self.line.turns[-1].text if self.line.turns else ""
        if self.line.ended is None and typed != f"{words} {text}".strip():
            self.line.problem(f"typed {text!r} while {words!r} was said, and the turn is {typed!r}")
        await anyio.sleep(self.rng.choice((0.0, 0.2, 3.0)))

    async def _cancel(self) -> None:
        self._call("cancels", self.session.cancel_reply)
        await self._wait()

    async def _request(self) -> None:
        floor = self.session.floor
        self.line.is_requesting = True
        is_begun = self._call("requests", self.session.request_reply)
        self.line.is_requesting = False
        if is_begun and floor in (Floor.USER, Floor.ENDPOINTING) and self.session.floor is floor:
            self.line.was_asked = True
        await self._wait()

    async def _clear(self) -> None:
        self._call("clears", self.session.clear_audio)
        self.line.spoken.clear()
        self.line.was_asked = False
        await anyio.sleep(self.rng.choice((0.0, 0.5)))

    async def _commit(self) -> None:
        self._call("commits", self.session.commit_audio)
        await anyio.sleep(self.rng.choice((0.0, 0.5, 3.0)))

    async def _configure(self) -> None:
        rng = self.rng
        self.turns = replace(
            self.turns,
            replies_by_itself=rng.random() < 0.8,
            can_be_interrupted=rng.random() < 0.8,
            silence_ms=rng.choice((300, 500, 800)),
        )
        self.line.answers_by_itself = self.turns.replies_by_itself
        self._call("configures", lambda: self.session.configure(self.turns, "Be brief."))

    async def _settle(self) -> None:
        """Let everything come to its end."""
        await self._send(False, 4.0)
        if not self.turns.detects_turns:
            await self._commit()
        await anyio.sleep(_QUIET_S)
        if self.line.ended is not None:
            return
        if self.session.floor is not Floor.OPEN:
            self.line.problem(f"the floor is stuck: {self.session.floor}")
        if self.line.current is not None:
            self.line.problem("a reply is not over")
        if self.turns.detects_turns and self.line.spoken:
            self.line.problem(f"speech came to nothing: {self.line.spoken}")
        self.line.counts["settled"] += 1

    def _question(self) -> str:
        rng = self.rng
        self.said += 1
        number = rng.randint(1, self.said) if rng.random() < 0.2 else self.said
        words = [
            f"question{number}",
            *("what about this and the other thing then".split())[: rng.randint(0, 7)],
        ]
        return " ".join(words) + rng.choice(("", "", "?", ".", ",", " and", " um"))

    def _begins_to_say(self) -> Utterance:
        said, self.saying = self.saying, None
        return said or Utterance("")

    async def _say(self, text: str, duration_s: float | None = None) -> None:
        rng = self.rng
        is_slow = rng.random() < 0.15
        self.saying = Utterance(
            text,
            alternatives=(f"{text} too",) if text and rng.random() < 0.2 else (),
            final_after_s=rng.choice((0.7, 1.5, 2.5, float("inf"))) if is_slow else rng.uniform(0.0, 0.4),
            eager_end_after_s=rng.choice((0.1, 0.3, float("inf"))),
            end_after_s=rng.choice((0.25, 0.45, 1.0, 5.0)),
            confidence=rng.choice((None, 0.2, 0.6, 0.9)),
        )
        self.line.trace.append((LoopClock().now_s(), f"says {self.saying}"))
        if duration_s is None:
            duration_s = max(len(text.split()) * _WORDS_S * rng.uniform(0.7, 1.2), 0.1)
        await self._send(True, duration_s)

    async def _send(self, is_sound: bool, duration_s: float) -> None:
        """Speak or be silent, frame by frame, where each may matter; further silence comes in one piece."""
        size = int(self.frame_s * 16000) * 2
        frame = (_SOUND if is_sound else b"\0") * size
        frames = max(round(duration_s / self.frame_s), 1)
        for sent in range(frames):
            if not is_sound and sent * self.frame_s > _SURELY_SILENT_S and self._nobody_listens():
                left = frames - sent
                await anyio.sleep(self.frame_s * left)
                self._call("", lambda left=left: self.session.receive_audio(frame * left))
                return
            await anyio.sleep(self.frame_s)
            if self.line.ended is not None:
                return
            self._call("", lambda: self.session.receive_audio(frame))

    def _nobody_listens(self) -> bool:
        """Whether silence changes nothing: no turn of the user's is in progress."""
        return (
            self.turns.detects_turns
            and not self.line.spoken
            and self.session.floor in (Floor.OPEN, Floor.THINKING, Floor.AGENT)
        )

    def _call(self, name: str, call: Callable[[], Any]) -> Any:
        if self.line.ended is not None:
            return None
        if name:
            self.line.trace.append((LoopClock().now_s(), f"the client {name}"))
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported with the seed
            self.line.problem("".join(traceback.format_exception(error)))
            self._stop()
            return None

    def _stop(self) -> None:
        self.session.hang_up()

    # What must hold.

    def _check_at_rest(self) -> None:
        session, line = self.session, self.line
        if line.ended is not None:
            return
        if line.current is None and session.floor in (Floor.THINKING, Floor.AGENT):
            line.problem(f"the floor is {session.floor}, and there is no reply")

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
