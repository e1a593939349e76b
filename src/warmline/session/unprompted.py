"""What the agent says of its own accord: to a person who has gone quiet, and when the time is nearly up."""

from __future__ import annotations

from typing import Final

import anyio

from warmline.interfaces.channel import EndReason
from warmline.session.replies import Replies
from warmline.session.stage import Stage
from warmline.turns.floor import Floor
from warmline.turns.idling import idle_prompt

__all__ = ["Unprompted"]

_EXPIRY_SHARE: Final = 0.25
"""The share of a session that saying its farewell may begin before its end."""


class Unprompted:
    """A session's prompts and farewells that nobody asked for.

    What changes here: `_prompted`, how many prompts were given in a row; `_is_ending`, once.
    """

    def __init__(self, stage: Stage, replies: Replies) -> None:
        self._stage = stage
        self._replies = replies
        self._prompted = 0
        self._is_ending = False

    async def watch_for_idleness(self) -> None:
        """Prompt a person who says nothing while nobody has the floor, until cancelled.

        A reply that is made, drafted, playing or paused has the floor, and so has whoever speaks. A client
        that decides itself when there is a reply is not spoken to unasked.
        """
        stage = self._stage
        policy = stage.settings.idle
        await stage.answered.wait()
        while policy.after_s > 0:
            with anyio.move_on_after(policy.after_s if self._may_speak() else None):
                await self._wait_for_a_move()
                continue
            if not self._may_speak():
                continue  # Somebody took the floor at this very instant.
            prompt = idle_prompt(self._prompted, policy)
            if prompt is None:
                await self._wait_for_a_move()
                continue
            self._replies.say(prompt.text, EndReason.IDLE if prompt.ends_session else None)
            self._prompted += 1

    async def expire(self) -> None:
        """End the session at its longest time, and say so shortly before, as soon as nobody has the floor.

        Ringing is no part of it.
        """
        stage = self._stage
        await stage.answered.wait()
        settings = stage.settings
        early_s = min(settings.expiry_farewell_s, settings.session_s * _EXPIRY_SHARE)
        await anyio.sleep(settings.session_s - early_s)
        with anyio.move_on_after(early_s):
            while settings.expiry_farewell:
                if stage.floor is Floor.OPEN:
                    self._is_ending = True
                    self._replies.say(settings.expiry_farewell, EndReason.EXPIRED)
                    break
                await stage.moved.wait()
            await anyio.sleep_forever()
        stage.end(EndReason.EXPIRED)

    def heard_from(self) -> None:
        """Note a sign of life of the person; prompts begin anew."""
        self._prompted = 0
        self._stage.stir()

    async def _wait_for_a_move(self) -> None:
        await self._stage.moved.wait()
        if self._stage.floor is Floor.USER:
            self._prompted = 0

    def _may_speak(self) -> bool:
        turns = self._stage.turns
        is_nobodys = self._stage.floor is Floor.OPEN and self._replies.current is None
        return is_nobodys and turns.detects_turns and turns.replies_by_itself and not self._is_ending
