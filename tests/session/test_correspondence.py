import pytest

from warmline.core.formats import PCM_24K
from warmline.errors import ProviderError
from warmline.interfaces.channel import SessionEvent, TurnMeasured
from warmline.interfaces.llm import Message, Role
from warmline.session.correspondence import Correspondence
from warmline.session.settings import Providers, SessionSettings
from warmline.testing.scripted import (
    ScriptedDetector,
    ScriptedFault,
    ScriptedModel,
    ScriptedRecogniser,
    ScriptedRetriever,
    ScriptedVoice,
)
from warmline.testing.virtual_time import LoopClock
from warmline.timeline.marks import Mark
from warmline.timeline.report import TurnStatus

pytestmark = [pytest.mark.loop, pytest.mark.anyio]


def correspondence(model):
    providers = Providers(
        vad=ScriptedDetector(),
        stt=ScriptedRecogniser(),
        retriever=ScriptedRetriever(),
        llm=model,
        tts=ScriptedVoice(),
    )
    return Correspondence(providers, SessionSettings(greeting="Hello."), LoopClock())


async def test_a_message_is_answered_in_the_light_of_what_was_said_before_and_its_turn_is_told():
    model = ScriptedModel(["At nine."], first_word_s=0.25)
    before = [Message(Role.USER, "hello"), Message(Role.ASSISTANT, "hello to you")]
    events: list[SessionEvent] = []
    answer = await correspondence(model).answer(before, "when do you open", events.append)
    assert answer == "At nine."
    [request] = model.requests
    assert [each.text for each in request.messages if each.role is not Role.SYSTEM] == [
        "hello",
        "hello to you",
        "when do you open",
    ]
    [measured] = [event for event in events if isinstance(event, TurnMeasured)]
    assert measured.report.status is TurnStatus.COMPLETED
    assert measured.report.response_us is None  # Nobody heard it.
    assert measured.report.marks_us[Mark.LLM_FIRST_TEXT.value] == 250_000


async def test_a_turn_that_nobody_could_answer_is_told_as_failed():
    model = ScriptedModel(["At nine."], faults=[ScriptedFault("refuse")])
    events: list[SessionEvent] = []
    with pytest.raises(ProviderError):
        await correspondence(model).answer([], "when do you open", events.append)
    [measured] = [event for event in events if isinstance(event, TurnMeasured)]
    assert measured.report.status is TurnStatus.FAILED


async def test_an_answer_is_spoken_whole():
    spoken = await correspondence(ScriptedModel([""])).speak("We open. At nine.", PCM_24K)
    assert PCM_24K.duration_s(len(spoken)) == pytest.approx(1.2, abs=0.3)
