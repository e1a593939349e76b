"""Replies that call tools: when they run, what the model is told, what the context keeps."""

from typing import Any

import anyio
import pytest

from tests.journeys.conversation import Stagehands, conversation
from warmline.interfaces.channel import EndReason
from warmline.interfaces.llm import LlmPiece, Role, ToolCall
from warmline.interfaces.tool_context import ToolContext
from warmline.session.settings import Providers
from warmline.testing.scripted import ScriptedModel
from warmline.timeline.notes import NoteKind
from warmline.tools.definition import tool
from warmline.tools.toolbox import Toolbox

pytestmark = [pytest.mark.loop, pytest.mark.anyio]


class HandsWithTools(Stagehands):
    """Everybody, and tools."""

    tools: Toolbox = Toolbox()

    def providers(self) -> Providers:
        before = super().providers()
        return Providers(before.vad, before.stt, before.retriever, before.llm, before.tts, tools=self.tools)


def hands_with(model: ScriptedModel, *tools: Any) -> HandsWithTools:
    hands = HandsWithTools(model=model)
    hands.tools = Toolbox(tools)
    return hands


def looked_up(said_first: str = "") -> ScriptedModel:
    """Return a model that asks for a book's shelf, and then says where it is."""
    call = ToolCall("call_1", "shelf_of", '{"title": "Emma"}')
    first: list[LlmPiece] = [said_first, call] if said_first else [call]
    return ScriptedModel([first, "It stands on shelf nine."])


async def test_a_pure_tool_runs_inside_a_draft_and_its_result_is_what_the_model_answers_with():
    """The whole of it lies before the end of the turn."""
    ran_at_s = []

    @tool(is_pure=True)
    async def shelf_of(title: str) -> str:
        """Tell where a book stands."""
        ran_at_s.append(anyio.current_time())
        await anyio.sleep(0.05)
        return f"{title}: shelf 9"

    hands = hands_with(looked_up(), shelf_of)
    async with conversation(hands, "where do I find Emma") as talk:
        await talk.caller.speaks(1.6)
        await talk.caller.is_silent(0.46)
        assert len(ran_at_s) == 1
        assert talk.said() == []
        await talk.caller.is_silent(4)
    [turn] = talk.line.turns()
    assert turn.marks_us["audio_sent"] == turn.marks_us["turn_committed"]
    assert turn.heard_text == "It stands on shelf nine."
    [note] = [note.text for note in turn.notes if note.kind is NoteKind.TOOL_CALLED]
    assert note == "shelf_of: succeeded after 50 ms"
    assert [spec.name for spec in hands.model.requests[0].tools] == ["shelf_of"]
    roles = [message.role for message in hands.model.requests[1].messages]
    assert roles == [Role.USER, Role.ASSISTANT, Role.TOOL]
    assert hands.model.requests[1].messages[-1].text == "Emma: shelf 9"
    kept = [(m.role, m.text, len(m.tool_calls)) for m in talk.session.context.messages]
    assert kept == [
        (Role.USER, "where do I find Emma", 0),
        (Role.ASSISTANT, "", 1),
        (Role.TOOL, "Emma: shelf 9", 0),
        (Role.ASSISTANT, "It stands on shelf nine.", 0),
    ]


async def test_a_tool_that_changes_something_waits_for_the_turn():
    """A draft that is dropped has done nothing."""
    done = []

    @tool
    async def shelf_of(title: str) -> str:
        """Reserve a book."""
        done.append(title)
        return "reserved"

    hands = hands_with(looked_up("One moment."), shelf_of)
    async with conversation(hands, "reserve Emma please", "and another") as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(0.46)
        assert hands.model.requests
        assert done == []
        await talk.caller.speaks(1.0)  # the draft is dropped
        assert done == []
        hands.model.requests.clear()
        await talk.caller.is_silent(5)
    assert done == ["Emma"]
    [turn] = talk.line.turns()
    assert turn.heard_text == "One moment. It stands on shelf nine."


async def test_the_call_ends_when_the_farewell_was_played():
    """The model says goodbye and hangs up."""

    @tool
    async def end_call(context: ToolContext) -> str:
        """End the call."""
        context.end_session()
        return "Say nothing more."

    model = ScriptedModel([["Goodbye then.", ToolCall("c", "end_call", "{}")], ""])
    async with conversation(hands_with(model, end_call), "that was all for today") as talk:
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(3)
    [turn] = talk.line.turns()
    assert turn.heard_text == "Goodbye then."
    assert talk.line.ended is EndReason.GOODBYE


async def test_a_model_that_never_stops_calling_answers_at_last():
    """Its last request offers no tools."""

    @tool(is_pure=True)
    async def shelf_of(title: str) -> str:
        """Tell where a book stands."""
        return title

    model = ScriptedModel([
        *[[ToolCall(f"c{n}", "shelf_of", '{"title": "Emma"}')] for n in range(6)],
        "Enough.",
    ])
    async with conversation(hands_with(model, shelf_of), "where do I find Emma") as talk:
        await talk.caller.speaks(1.6)
        await talk.caller.is_silent(4)
    [turn] = talk.line.turns()
    assert turn.heard_text == "Enough."
    assert [len(request.tools) for request in model.requests] == [1] * 6 + [0]
