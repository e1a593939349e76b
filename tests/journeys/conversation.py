"""What the journeys share: a session on the jumping clock, its far ends and its caller."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import anyio

from warmline.failover.legs import FailoverState
from warmline.failover.settings import FailoverSettings
from warmline.interfaces.llm import Role
from warmline.interfaces.vad import VoiceActivityDetector
from warmline.session.session import Session
from warmline.session.settings import Providers, SessionSettings
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
from warmline.testing.virtual_time import LoopClock


@dataclass
class Stagehands:
    """Everybody who takes part in a journey."""

    line: Line = field(default_factory=Line)
    recogniser: ScriptedRecogniser = field(default_factory=ScriptedRecogniser)
    retriever: ScriptedRetriever = field(default_factory=ScriptedRetriever)
    model: ScriptedModel = field(default_factory=ScriptedModel)
    voice: ScriptedVoice = field(default_factory=ScriptedVoice)
    settings: SessionSettings = field(default_factory=SessionSettings)

    def providers(self) -> Providers:
        quiet = FailoverState(FailoverSettings(apology=""))
        return Providers(
            ScriptedDetector(), self.recogniser, self.retriever, self.model, self.voice, failover=quiet
        )


@dataclass
class Conversation:
    """A session that is running."""

    session: Session
    caller: Caller
    line: Line

    def said(self) -> list[tuple[str, str]]:
        """The context: who said what, the agent's part as far as it was heard."""
        names = {Role.USER: "user", Role.ASSISTANT: "agent", Role.SYSTEM: "system"}
        return [(names[m.role], m.text) for m in self.session.context.messages]


@asynccontextmanager
async def conversation(
    hands: Stagehands,
    *utterances: Utterance | str,
    replies: Sequence[str] = (),
    detector: VoiceActivityDetector | None = None,
) -> AsyncIterator[Conversation]:
    """Run a session, hang up at the end, and see that it went."""
    if utterances:
        hands.recogniser.script = [Utterance(u) if isinstance(u, str) else u for u in utterances]
    if replies:
        hands.model.replies = replies
    providers = hands.providers()
    if detector is not None:
        providers = replace(providers, vad=detector)
    session = Session(hands.line, providers, hands.settings, LoopClock())
    hands.line.conversation = session
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(session.run)
        await anyio.sleep(0.001)
        yield Conversation(session, Caller(session, hands.line.input_format), hands.line)
        session.hang_up()
    assert hands.line.ended is not None
    assert hands.recogniser.opened == hands.recogniser.closed
