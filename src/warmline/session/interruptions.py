"""Speech during a reply: whether it takes the floor, or the reply goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from warmline.interfaces.llm import Role
from warmline.session.hearing import Hearing
from warmline.session.replies import Replies
from warmline.session.stage import Stage
from warmline.session.utterances import SpokenTurn
from warmline.timeline.report import TurnStatus
from warmline.turns.acknowledgements import FloorClaim, takes_floor

__all__ = ["Interruptions"]


class Interruptions:
    """A session's paused reply, and what decides about it.

    A reply is silent from the first sound of the user on. What is said then decides: anything that
    asks for the floor ends the reply; a cough or an acknowledgement gives it back.
    """

    def __init__(
        self,
        stage: Stage,
        replies: Replies,
        on_given_back: Callable[[SpokenTurn], None],
    ) -> None:
        """Prepare.

        Args:
            stage: The session's.
            replies: Who speaks.
            on_given_back: Called when what was said is no turn; the floor is still the user's.
        """
        self._stage = stage
        self._replies = replies
        self._on_given_back = on_given_back
        self._timed: SpokenTurn | None = None

    def begin(self) -> None:
        """Silence the reply, if there is one, as speech begins; the floor is moved by the caller."""
        if self._can_wait():
            self._replies.pause()
        else:
            self._replies.interrupt(TurnStatus.INTERRUPTED)

    def settle(self) -> None:
        """End a paused reply: the floor is the user's for good."""
        if self._replies.is_paused:
            self._replies.interrupt(TurnStatus.INTERRUPTED)

    def weigh(self, spoken: SpokenTurn, hearing: Hearing, *, is_over: bool = False) -> None:
        """Decide as far as what was said allows; for each transcript, and when speech goes on.

        Args:
            spoken: The turn that may be none.
            hearing: The session's ears.
            is_over: Whether nothing more is to be expected.
        """
        if not self._replies.is_paused:
            return
        speech_ms = spoken.speech_ms(hearing.audio_ms, is_speaking=hearing.is_speaking)
        decision = takes_floor(
            spoken.text,
            is_final=is_over or (spoken.is_final and not hearing.is_speaking),
            speech_ms=speech_ms,
            agent_asked_question=self._has_asked(),
            policy=self._stage.settings.floor,
            language=self._stage.settings.language,
        )
        if decision.claim is FloorClaim.TAKE:
            self.settle()
        elif decision.claim is FloorClaim.KEEP:
            self._on_given_back(spoken)
            self._replies.resume()
        elif decision.ask_again_ms is not None and hearing.is_speaking and self._timed is not spoken:
            self._timed = spoken
            self._stage.start(self._weigh_later, spoken, hearing, decision.ask_again_ms - speech_ms)

    async def _weigh_later(self, spoken: SpokenTurn, hearing: Hearing, after_ms: int) -> None:
        await anyio.sleep(max(after_ms, 1) / 1000)
        if self._timed is spoken:
            self._timed = None
            self.weigh(spoken, hearing)

    def _can_wait(self) -> bool:
        """Whether the reply there is can go on later."""
        reply = self._replies.current
        return (
            reply is not None
            and self._stage.settings.resumes_replies
            and self._stage.channel.output_format is not None
            and reply.end_reason is None
        )

    def _has_asked(self) -> bool:
        """Whether the last that the user heard was a question."""
        said = [m.text for m in self._stage.context.messages if m.role is Role.ASSISTANT]
        return bool(said) and said[-1].rstrip().endswith(("?", "？", "؟"))
