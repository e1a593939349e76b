"""What is said when nobody can answer or speak: a session's apology, and what the context keeps."""

import math

import pytest

from tests.journeys.conversation import Stagehands, conversation
from warmline.failover.legs import FailoverState
from warmline.failover.settings import FailoverSettings
from warmline.session.settings import Providers
from warmline.testing.scripted import ScriptedFault, ScriptedModel
from warmline.timeline.report import TurnStatus

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

SORRY = "Sorry, please try again."


class Apologetic(Stagehands):
    """Everybody, with an apology at hand."""

    def providers(self) -> Providers:
        before = super().providers()
        state = FailoverState(FailoverSettings(apology=SORRY))
        return Providers(before.vad, before.stt, before.retriever, before.llm, before.tts, failover=state)


async def test_a_model_that_refuses_is_apologised_for_although_the_voice_was_not_asked():
    """The apology's sound is the turn's only one."""
    hands = Apologetic(model=ScriptedModel(faults=[ScriptedFault("refuse", times=math.inf)]))
    async with conversation(hands, "when do you open", "when do you close") as talk:
        await talk.caller.is_silent(2.0)
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(4.0)
        hands.model.faults.clear()
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(4.0)
    first, second = talk.line.turns()
    assert (first.status, first.heard_text) == (TurnStatus.FAILED, SORRY)
    assert first.response_us is not None
    assert sum(c.duration_us for c in first.contributions) == first.response_us
    assert (second.status, second.heard_text) == (TurnStatus.COMPLETED, "It is open.")


async def test_what_no_voice_spoke_is_not_in_the_context_beside_the_apology():
    """The model had answered, and the voice failed before its first sound."""
    hands = Apologetic()
    async with conversation(hands, "when do you open") as talk:
        await talk.caller.is_silent(2.0)
        hands.voice.faults = [ScriptedFault("refuse", times=math.inf)]
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(4.0)
    assert hands.voice.spoken[:2] == [SORRY, "It is open."]
    assert talk.said() == [("user", "when do you open"), ("agent", SORRY)]
