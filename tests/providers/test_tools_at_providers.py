"""Tools at each provider's wire, against the simulated ones, which refuse what the real ones would."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.simulators.openai_running import OpenAiRunning
from tests.tools.stand_ins import NotedContext
from warmline.core.clock import SystemClock
from warmline.errors import ProviderUnavailable
from warmline.interfaces.llm import CallProgress, LanguageModel, LlmRequest, Message, Role, ToolCall
from warmline.pool.dialling import Dialler, ssl_context
from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.resolver import Resolver
from warmline.pool.shelf import ShelfPolicy
from warmline.providers.anthropic.messages import AnthropicMessages, anthropic_headers
from warmline.providers.anthropic.protocol import MessagesSettings
from warmline.providers.openai.chat import OpenAiChat
from warmline.providers.openai.protocol import ChatSettings
from warmline.providers.openai.responses import OpenAiResponses
from warmline.providers.openai.responses_protocol import ResponsesSettings
from warmline.providers.openai.responses_socket import OpenAiResponsesSocket
from warmline.simulators.faults import parse_fault
from warmline.simulators.openai.responses import Responses
from warmline.simulators.running import KEY, Running, simulators_running
from warmline.simulators.script import Script, ScriptedCall
from warmline.tools import Toolbox, tool

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

WIRES = ("chat", "responses", "socket", "anthropic")
MODEL = "gpt-5.5"
CALLS = (
    ScriptedCall(name="order", arguments={"book": "Émma"}, when="order", say="One moment."),
    ScriptedCall(name="hours", when="order"),
)


@tool
async def order(book: str) -> str:
    """Order a book.

    Args:
        book: Its title.
    """
    return f"{book} is ordered"


@tool(is_pure=True)
async def hours() -> dict[str, int]:
    """Tell the hours."""
    return {"from": 9}


BOX = Toolbox([order, hours])


@pytest.fixture(scope="module")
async def running(anyio_backend) -> AsyncIterator[Running]:
    scripts = {
        name: Script(first_token_ms=1, token_ms=0, reply="Well: {result}", key=KEY, tool_calls=CALLS)
        for name in ("openai", "anthropic")
    }
    async with simulators_running(only=["openai", "anthropic"], scripts=scripts) as running:
        yield running


@dataclass
class Wire:
    """A model at the far end of one wire, and a conversation with it."""

    name: str
    model: LanguageModel
    running: Running
    messages: list[Message]

    async def ask(self, text: str = "") -> list[str | ToolCall]:
        """Say something, if anything, and return what comes."""
        if text:
            self.messages.append(Message(Role.USER, text))
        request = LlmRequest(self.messages, "Be kind.", f"sess_{id(self)}", BOX.specs)
        async with self.model.stream(request) as pieces:
            came = [piece async for piece in pieces if not isinstance(piece, CallProgress)]
        said = "".join(piece for piece in came if isinstance(piece, str))
        calls = tuple(piece for piece in came if isinstance(piece, ToolCall))
        self.messages.append(Message(Role.ASSISTANT, said, tool_calls=calls))
        return came

    async def answer_calls(self) -> str:
        """Run what was asked for, and return what the model says then."""
        results = await BOX.run(self.messages[-1].tool_calls, NotedContext(), SystemClock())
        self.messages += [result.message for result in results]
        return "".join(map(str, await self.ask()))

    @property
    def simulator(self) -> Any:
        return self.running.simulators["anthropic" if self.name == "anthropic" else "openai"]


@pytest.fixture(params=WIRES)
async def wire(request, running) -> AsyncIterator[Wire]:
    """Speak over one wire after another."""
    async with AsyncExitStack() as held:
        clock = SystemClock()
        dialler = Dialler(Resolver(clock), clock, tls=ssl_context(str(running.certificate)))
        model: LanguageModel
        if request.param == "anthropic":
            lines = await held.enter_async_context(
                HttpEndpoint(
                    "anthropic",
                    [running.base_urls["anthropic"]],
                    dialler,
                    ShelfPolicy(),
                    clock,
                    headers=anthropic_headers(KEY),
                )
            )
            model = AnthropicMessages(lines, MessagesSettings("claude-haiku-5-5"))
        else:
            openai = OpenAiRunning(
                running.simulators["openai"], running.base_urls["openai"], running.certificate, dialler
            )
            http = await held.enter_async_context(openai.http())
            model = OpenAiChat(http, ChatSettings(MODEL))
            settings = ResponsesSettings(MODEL)
            if request.param != "chat":
                model = OpenAiResponses(http, settings)
            if request.param == "socket":
                sockets = await held.enter_async_context(openai.socket())
                model = await held.enter_async_context(
                    OpenAiResponsesSocket(sockets, model, settings, clock, line_wait_s=2.0)
                )
        made = Wire(request.param, model, running, [])
        yield made
        made.simulator.script.tool_calls = CALLS
        made.simulator.faults.clear()


async def test_calls_come_whole_behind_the_words_and_their_answers_reach_the_model(wire):
    """Two at once, turn after turn."""
    for _ in range(2):
        *said, first, second = await wire.ask("Please order Emma.")
        assert "".join(said) == "One moment."
        assert (first.name, first.arguments) == ("order", '{"book":"Émma"}')
        assert (second.name, second.arguments) == ("hours", "{}")
        assert await wire.answer_calls() == 'Well: Émma is ordered; {"from":9}'
    assert "".join(await wire.ask("Thank you.")) == "Well:"


async def test_a_call_that_was_broken_off_does_not_spoil_the_conversation(wire):
    """The person went on talking before the tools had answered."""
    await wire.ask("Please order Emma.")
    assert "".join(await wire.ask("Never mind.")) == "Well:"
    await wire.ask("Order it after all.")
    assert await wire.answer_calls() == 'Well: Émma is ordered; {"from":9}'


async def test_arguments_that_are_malformed_are_told_to_the_model(wire):
    """It wrote them, and can do better."""
    wire.simulator.script.tool_calls = (ScriptedCall(name="order", arguments='{"book": '),)
    (call,) = await wire.ask("Please order Emma.")
    assert call.arguments.strip() == '{"book":'
    assert "Well: Error: the arguments of order do not fit" in await wire.answer_calls()


async def test_an_answer_that_is_cut_in_the_middle_of_a_call_has_none(wire):
    """Half a call is not carried out."""
    wire.simulator.faults.add(parse_fault(f"cut;after={14 if wire.name in ('responses', 'socket') else 9}"))
    came = []
    request = LlmRequest([Message(Role.USER, "Please order Emma.")], "", "sess_cut", BOX.specs)
    with pytest.raises(ProviderUnavailable):  # noqa: PT012
        async with wire.model.stream(request) as pieces:
            async for piece in pieces:
                came.append(piece)  # noqa: PERF401
    assert "".join(piece for piece in came if not isinstance(piece, CallProgress)) == "One moment."


@pytest.mark.parametrize("wire", ["socket"], indirect=True)
async def test_over_the_socket_only_the_answers_are_sent(wire, monkeypatch):
    """The far end has the question and the calls."""
    bodies = []
    make = Responses.generation

    def keep(self, body, recent):
        bodies.append(body)
        return make(self, body, recent)

    monkeypatch.setattr(Responses, "generation", keep)
    await wire.ask("Please order Emma.")
    await wire.answer_calls()
    assert [[item["type"] for item in body["input"]] for body in bodies] == [
        ["message"],
        ["function_call_output", "function_call_output"],
    ]
    assert bodies[1]["previous_response_id"]
    assert bodies[0]["tools"] == bodies[1]["tools"]
