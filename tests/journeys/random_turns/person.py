"""A person who speaks, pauses, coughs, types and presses buttons at random."""

from __future__ import annotations

import asyncio
import random
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

import anyio

from tests.journeys.random_turns.watched_line import WatchedLine
from warmline.core.formats import PCM_16K, PCMU_8K
from warmline.interfaces.channel import TurnSettings
from warmline.session.session import Session
from warmline.testing.scripted import Utterance
from warmline.testing.virtual_time import LoopClock
from warmline.turns.floor import Floor

_SOUND: Final = b"\x10"
_QUIET_S: Final = 150.0
"""Longer than anything that may still be going on: a reply of 40 words in its retries, and a report of
playout that never comes."""

_TASKS_AT_REST: Final = 4
"""The test's own, what runs the session, and the session's two: its ears and its longest time."""

_SURELY_SILENT_S: Final = 0.5
"""The session has noticed by then."""

_WORDS_S: Final = 0.3


class Person:
    """Who talks to a session."""

    def __init__(self, rng: random.Random, line: WatchedLine, turns: TurnSettings) -> None:
        self.session: Session
        self.rng = rng
        self.line = line
        self.turns = turns
        self.frame_s = rng.choice((0.02, 0.032, 0.064, 0.1, 0.1))
        self.saying: Utterance | None = None
        self.said = 0

    async def answers(self) -> None:
        """Pick up after a while, or not; what is heard before that is nobody's."""
        rng = self.rng
        await anyio.sleep(rng.choice((0.0, 0.1, 0.5, 3.0, 20.0)))
        if rng.random() < 0.2:
            await self._send(True, 0.5)
        if rng.random() < 0.15:
            self.calls("hangs up while it rings", self.session.hang_up)
            return
        audio_format = rng.choice((self.line.input_format, self.line.input_format, PCM_16K, PCMU_8K))
        self.calls("", partial(self.line.answer, audio_format))

    async def acts(self) -> None:
        """Do something, and wait a little."""
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
            (1.0, self._break_off),
            (2.0, self._wait),
            (1.5, self.settles),
            (0.15, self._say_goodbye),
        ]
        [(_, act)] = rng.choices(actions, [weight for weight, _ in actions])
        await act()
        if not self.turns.detects_turns and rng.random() < 0.8:
            await self._commit()
        if self.line.current is None and self.session.floor in (Floor.THINKING, Floor.AGENT):
            self.line.problem(f"the floor is {self.session.floor}, and there is no reply")

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

    async def _break_off(self) -> None:
        """Press a button in the middle of a word."""
        await self._say(self._question(), self.rng.uniform(0.1, 1.0))
        await self.rng.choice((
            self._type,
            self._cancel,
            self._request,
            self._clear,
            self._commit,
            self._configure,
        ))()

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
        self.calls("types", lambda: self.session.receive_text(text))
        typed = self.line.turns[-1].text if self.line.turns else ""
        if self.line.ended is None and typed != f"{words} {text}".strip():
            self.line.problem(f"typed {text!r} while {words!r} was said, and the turn is {typed!r}")
        if self.rng.random() < 0.2:
            for _ in range(self.rng.randrange(60)):  # At any step of what the session does at once.
                await anyio.lowlevel.checkpoint()
            self.line.was_asked = False
            await self._type()
        await anyio.sleep(self.rng.choice((0.0, 0.2, 3.0)))

    async def _cancel(self) -> None:
        self.calls("cancels", self.session.cancel_reply)
        await self._wait()

    async def _request(self) -> None:
        self.line.is_requesting = True
        is_begun = self.calls("requests", self.session.request_reply)
        self.line.is_requesting = False
        if is_begun and self.session.floor in (Floor.USER, Floor.ENDPOINTING):
            self.line.was_asked = True  # For the turn in progress.
        await self._wait()

    async def _clear(self) -> None:
        self.calls("clears", self.session.clear_audio)
        self.line.spoken.clear()
        self.line.was_asked = False
        await anyio.sleep(self.rng.choice((0.0, 0.5)))

    async def _commit(self) -> None:
        self.calls("commits", self.session.commit_audio)
        await anyio.sleep(self.rng.choice((0.0, 0.5, 3.0)))

    async def _configure(self) -> None:
        rng = self.rng
        self.turns = replace(
            self.turns,
            detects_turns=rng.random() < 0.85,
            replies_by_itself=rng.random() < 0.8,
            can_be_interrupted=rng.random() < 0.8,
            silence_ms=rng.choice((300, 500, 800)),
        )
        self.line.answers_by_itself = self.turns.replies_by_itself
        self.calls("configures", lambda: self.session.configure(self.turns, "Be brief."))

    async def settles(self) -> None:
        """Let everything come to its end."""
        await self._send(False, 4.0)
        if not self.turns.detects_turns or self.line.spoken:
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
        if (tasks := len(asyncio.all_tasks())) > _TASKS_AT_REST:
            self.line.problem(f"{tasks} tasks at rest: {asyncio.all_tasks()}")
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

    def begins_to_say(self) -> Utterance:
        """Return what the recogniser will make of what is said now."""
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
        audio_format = self.line.input_format
        size = audio_format.size_bytes(self.frame_s)
        frame = _SOUND * size if is_sound else audio_format.silence(self.frame_s)
        frames = max(round(duration_s / self.frame_s), 1)
        for sent in range(frames):
            if not is_sound and sent * self.frame_s > _SURELY_SILENT_S and self._nobody_listens():
                left = frames - sent
                await anyio.sleep(self.frame_s * left)
                self.calls("", partial(self.session.receive_audio, frame * left))
                return
            await anyio.sleep(self.frame_s)
            if self.line.ended is not None:
                return
            self.calls("", partial(self.session.receive_audio, frame))

    def _nobody_listens(self) -> bool:
        """Whether silence changes nothing: no turn of the user's is in progress."""
        return (
            self.turns.detects_turns
            and not self.line.spoken
            and self.session.floor in (Floor.OPEN, Floor.THINKING, Floor.AGENT)
        )

    def calls(self, name: str, call: Callable[[], Any]) -> Any:
        """Have the client call the session; nothing may be raised."""
        if self.line.ended is not None:
            return None
        if name:
            self.line.trace.append((LoopClock().now_s(), f"the client {name}"))
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported with the seed
            self.line.problem("".join(traceback.format_exception(error)))
            self.session.hang_up()
            return None
