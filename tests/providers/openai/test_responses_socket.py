"""The Responses API over its socket, against the simulated OpenAI over real TLS."""

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from tests.simulators.openai_running import OpenAiRunning
from warmline.core.clock import SystemClock
from warmline.core.line_use import LineUse
from warmline.errors import ProviderRejected, ProviderUnavailable
from warmline.interfaces.llm import ConversationPreparer, LlmRequest, Message, Role
from warmline.pool.sockets import SocketEndpoint
from warmline.providers.openai.responses import OpenAiResponses
from warmline.providers.openai.responses_protocol import ResponsesSettings
from warmline.providers.openai.responses_socket import OpenAiResponsesSocket
from warmline.simulators.openai.responses import Responses

pytestmark = [pytest.mark.wire, pytest.mark.anyio]


@dataclass
class Conversation:
    """One side of a conversation, which hears every answer to its end unless told otherwise."""

    model: OpenAiResponsesSocket
    name: str = "sess_1"

    def __post_init__(self):
        self.messages: list[Message] = []
        self.uses: list[LineUse] = []

    def asking(self, question):
        self.messages.append(Message(Role.USER, question))
        return self.model.stream(LlmRequest(self.messages, "Be kind.", self.name), self.uses.append)

    async def ask(self, question, heard=None):
        async with self.asking(question) as text:
            answer = "".join([piece async for piece in text])
        self.messages.append(Message(Role.ASSISTANT, answer if heard is None else heard))
        return answer

    async def interrupt(self, question):
        async with self.asking(question) as text:
            began = await anext(text)
        self.messages.append(Message(Role.ASSISTANT, began))


@dataclass
class Far:
    """The model, its lines, and what the far end was asked."""

    openai: OpenAiRunning
    model: OpenAiResponsesSocket
    lines: SocketEndpoint
    bodies: list[dict[str, Any]]

    def sent(self):
        """Return of each request how many messages it had, and whether it built upon another."""
        return [(len(body["input"]), "previous_response_id" in body) for body in self.bodies]


@pytest.fixture
def bodies(monkeypatch):
    """Keep the bodies of all requests for responses, whichever way they come."""
    kept = []
    make = Responses.generation

    def keep(self, body, recent):
        kept.append(body)
        return make(self, body, recent)

    monkeypatch.setattr(Responses, "generation", keep)
    return kept


@asynccontextmanager
async def far(openai, bodies, *, key="simulated-key", name="gpt-5.5", policy=None, **limits):
    settings = ResponsesSettings(name)
    async with (
        openai.http(key=key) as http,
        openai.socket(key=key, **(policy or {})) as lines,
        OpenAiResponsesSocket(
            lines,
            OpenAiResponses(http, settings, silence_s=1.0),
            settings,
            SystemClock(),
            **{"line_wait_s": 2.0, "silence_s": 1.0, **limits},
        ) as model,
    ):
        yield Far(openai, model, lines, bodies)


def answer_to(question):
    return f"You asked: {question} We öffnen at nine. नमस्ते"


async def test_a_conversation_keeps_its_line_and_sends_only_what_is_new(openai, bodies):
    """Each turn builds upon the one before; the connection costs the first one alone."""
    async with far(openai, bodies) as there:
        talk = Conversation(there.model)
        for question in ("One?", "Two?", "Three?"):
            assert await talk.ask(question) == answer_to(question)
        assert there.sent() == [(1, False), (1, True), (1, True)]
        assert {body["stream_id"] for body in bodies} == {"turn-1"}
    assert len({use.line_id for use in talk.uses}) == 1
    assert [use.reused for use in talk.uses[1:]] == [True, True]
    assert [use.waited_s for use in talk.uses[1:]] == [0, 0]
    assert openai.asked("/responses") == len(openai.simulator.connections())


async def test_what_was_not_heard_is_not_built_upon(openai, bodies):
    """The model believes that it said all of it; the whole context says what it did say."""
    async with far(openai, bodies) as there:
        talk = Conversation(there.model)
        await talk.ask("One?", heard="You asked")
        await talk.ask("Two?")
        await talk.ask("Three?")
        assert there.sent() == [(1, False), (3, False), (1, True)]


async def test_after_an_interruption_the_next_turn_has_a_lane_of_its_own(openai, bodies):
    """The rest of the first answer goes on coming, and nobody hears it."""
    async with far(openai, bodies) as there:
        talk = Conversation(there.model)
        await talk.ask("Zero?")
        openai.simulator.script.token_ms = 40
        await talk.interrupt("One?")
        openai.simulator.script.token_ms = 1
        with anyio.fail_after(2):
            assert await talk.ask("Two?") == answer_to("Two?")
        await anyio.sleep(0.5)
        assert await talk.ask("Three?") == answer_to("Three?")
        assert there.sent() == [(1, False), (1, True), (5, False), (1, True)]
        assert [body["stream_id"] for body in bodies] == ["turn-1", "turn-1", "turn-2", "turn-2"]
    assert len({use.line_id for use in talk.uses}) == 1


async def test_a_line_that_was_interrupted_often_is_replaced(openai, bodies):
    """The far end knows only so many lanes of a socket."""
    async with far(openai, bodies) as there:
        talk = Conversation(there.model)
        for number in range(20):
            await talk.interrupt(f"{number}?")
        assert await talk.ask("And?") == answer_to("And?")
    assert len({use.line_id for use in talk.uses}) == 2
    assert {body.get("stream_id") for body in bodies} == {f"turn-{number}" for number in range(1, 17)}


async def test_turns_of_one_conversation_at_once_do_not_mix(openai, bodies):
    """One that is being left may still be there when the next begins."""
    async with far(openai, bodies, policy={"warm_target": 0}) as there:
        openai.simulator.script.token_ms = 10
        answers = {}

        async def ask(question):
            request = LlmRequest([Message(Role.USER, question)], "", "sess_1")
            async with there.model.stream(request) as text:
                answers[question] = "".join([piece async for piece in text])

        async with anyio.create_task_group() as tasks:
            for number in range(4):
                tasks.start_soon(ask, f"{number}?")
        assert answers == {question: answer_to(question) for question in answers}
        await ask("Last?")
        await anyio.sleep(0.1)
        # Each took a line, since there was none yet; the conversation keeps one.
        assert there.lines.pool.opened_count == 4
        assert there.lines.pool.open_count == 1


async def test_conversations_do_not_share_a_line(openai, bodies):
    """Nor is a line given to another one later."""
    async with far(openai, bodies) as there:
        first, second = Conversation(there.model, "a"), Conversation(there.model, "b")
        for _ in range(2):
            await first.ask("One?")
            await second.ask("Two?")
        assert {use.line_id for use in first.uses}.isdisjoint(use.line_id for use in second.uses)
        assert there.sent() == [(1, False), (1, False), (1, True), (1, True)]


async def test_a_response_that_the_far_end_forgot_is_asked_anew_on_the_same_socket(openai, bodies):
    """It keeps what it did not store only as long as it likes."""
    async with far(openai, bodies) as there:
        talk = Conversation(there.model)
        await talk.ask("One?")
        line = there.model._lines["sess_1"]
        line._held = type(line._held)("resp_forgotten", line._held.messages)
        assert await talk.ask("Two?") == answer_to("Two?")
        assert there.sent() == [(1, False), (1, True), (3, False)]
    assert len({use.line_id for use in talk.uses}) == 1


async def test_a_socket_that_was_lost_between_turns_is_replaced(openai, bodies):
    """What it remembered is lost with it, so the whole context is sent."""
    async with far(openai, bodies) as there:
        talk = Conversation(there.model)
        await talk.ask("One?")
        there.model._lines["sess_1"]._line.transport.disconnect(graceful=False)
        await anyio.sleep(0.05)
        assert await talk.ask("Two?") == answer_to("Two?")
        assert there.sent() == [(1, False), (3, False)]
        assert all("stream_id" in body for body in bodies)
    assert len({use.line_id for use in talk.uses}) == 2


@pytest.mark.parametrize("pause_s", [0.0, 0.5])
async def test_a_socket_whose_hour_is_over_is_replaced(openai, bodies, pause_s):
    """Between two turns, or in the middle of one that had not said anything yet."""
    openai.simulator.script.idle_s = 0.3
    async with far(openai, bodies, policy={"warm_target": 0}) as there:
        talk = Conversation(there.model)
        await talk.ask("One?")
        if not pause_s:
            openai.simulator.script.first_token_ms = 600
            openai.simulator.script.idle_s = 30
        await anyio.sleep(pause_s)
        assert await talk.ask("Two?") == answer_to("Two?")
        assert there.sent()[-1] == (3, False)
        assert "stream_id" in bodies[-1]
    assert len({use.line_id for use in talk.uses}) == 2


async def test_a_line_near_its_end_is_not_begun_on(openai, bodies):
    """It is given back when its turn is over, and the next turn has another."""
    policy = {"max_age_s": 0.6, "renew_margin_s": 0.3, "warm_target": 1}
    async with far(openai, bodies, policy=policy) as there:
        talk = Conversation(there.model)
        await talk.ask("One?")
        await talk.ask("Two?")
        await anyio.sleep(0.35)
        await talk.ask("Three?")
        assert there.sent() == [(1, False), (1, True), (5, False)]
    assert len({use.line_id for use in talk.uses}) == 2


async def test_the_lines_of_conversations_that_have_gone_quiet_are_given_back(openai, bodies):
    """Nobody says that a conversation is over."""
    policy = {"max_lines": 4, "warm_target": 0}
    async with far(openai, bodies, policy=policy, idle_s=0.2) as there:
        for number in range(4):
            await Conversation(there.model, f"old {number}").ask("One?")
        assert there.lines.pool.open_count == 4
        with anyio.fail_after(3):
            while there.lines.pool.open_count:  # noqa: ASYNC110 - nobody tells
                await anyio.sleep(0.05)
        assert not there.model._lines
        talk = Conversation(there.model)
        await talk.ask("One?")
        assert "stream_id" in bodies[-1]


async def test_without_a_free_line_a_turn_goes_over_http(openai, bodies):
    """And at once: a warm request beats a socket that has yet to be opened."""
    policy = {"max_lines": 1, "warm_target": 0}
    async with far(openai, bodies, policy=policy, line_wait_s=0.1) as there:
        first, second = Conversation(there.model, "a"), Conversation(there.model, "b")
        await first.ask("One?")
        assert await second.ask("Two?") == answer_to("Two?")
        assert await second.ask("Three?") == answer_to("Three?")
        assert ["stream_id" in body for body in bodies] == [True, False, False]
        assert await Conversation(there.model, "").ask("Four?") == answer_to("Four?")
    assert {use.endpoint for use in second.uses} == {"openai"}


@pytest.mark.parametrize(
    "fault",
    [
        "503;path=/responses;times=2",
        "429;times=2",
        "cut",
        "cut;after=2",
        "drop;times=2",
        "garbage",
        "garbage;after=3",
        "error_mid_stream",
        "error_mid_stream;after=3",
        "mute",
    ],
)
async def test_a_socket_that_fails_before_it_said_anything_is_not_noticed(openai, bodies, fault):
    """The turn is asked over HTTP; the next one has a socket again."""
    async with far(openai, bodies, first_event_s=0.3) as there:
        await there.lines.pool.until_warm()
        if fault.startswith(("503", "429", "drop")):
            # These meet a socket's opening: have none left, and one that can't be opened.
            async with there.lines.lease() as line:
                line.retire()
                openai.fault(fault)
        else:
            openai.fault(fault)
        talk = Conversation(there.model)
        with anyio.fail_after(4):
            assert await talk.ask("One?") == answer_to("One?")
        openai.simulator.faults.clear()
        with anyio.fail_after(4):
            assert await talk.ask("Two?") == answer_to("Two?")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("cut;after=6", "dropped"),
        ("half_close;after=6", "dropped|nothing came"),
        ("stall;after=6", "nothing came for 0.3 s"),
        ("garbage;after=6", "openai.base_urls"),
        ("error_mid_stream;after=6", "status page"),
    ],
)
async def test_a_socket_that_fails_in_the_middle_is_an_error(openai, bodies, fault, said):
    """What was spoken is not spoken again; the next turn has another socket and the whole context."""
    async with far(openai, bodies, silence_s=0.3) as there:
        await there.lines.pool.until_warm()
        openai.fault(fault)
        talk = Conversation(there.model)
        with anyio.fail_after(3), pytest.raises(ProviderUnavailable, match=said) as caught:
            await talk.ask("One?")
        assert caught.value.phase == "stream"
        assert await talk.ask("Two?") == answer_to("Two?")
        assert there.sent()[-1] == (2, False)
    assert len({use.line_id for use in talk.uses}) == 2


async def test_a_model_that_thinks_for_too_long_is_not_asked_twice(openai, bodies):
    """The far end is there and at work: elsewhere the wait would only begin anew."""
    async with far(openai, bodies, silence_s=0.3) as there:
        await there.lines.pool.until_warm()
        openai.fault("stall;after=2")
        with anyio.fail_after(2), pytest.raises(ProviderUnavailable, match="nothing came") as caught:
            await Conversation(there.model).ask("One?")
        assert caught.value.phase == "first_result"
    assert len(bodies) == 1


@pytest.mark.parametrize(
    ("options", "said"), [({"key": ""}, "OPENAI_API_KEY"), ({"name": "claude"}, "models in the")]
)
async def test_what_the_operator_has_to_change_is_told(openai, bodies, options, said):
    """A refused upgrade and a refused request alike."""
    async with far(openai, bodies, **options) as there:
        with anyio.fail_after(4), pytest.raises(ProviderRejected, match=said):
            await Conversation(there.model).ask("One?")


async def test_preparing_has_the_far_end_read_what_the_first_turn_builds_upon(openai, bodies):
    """And opens the line; where it fails, the turn does without."""
    async with far(openai, bodies) as there:
        talk = Conversation(there.model)
        talk.messages.append(Message(Role.ASSISTANT, "Hello."))
        assert isinstance(there.model, ConversationPreparer)
        await there.model.prepare(LlmRequest(talk.messages, "Be kind.", talk.name))
        await talk.ask("One?")
        assert there.sent() == [(1, False), (1, True)]
        assert [body.get("generate") for body in bodies] == [False, None]
        openai.fault("401;times=0")
        await there.model.prepare(LlmRequest([], "", "another"))


async def test_cancelling_a_turn_at_any_time_leaves_nothing_behind(openai, bodies):
    """Neither a turn that counts as under way nor a line that nobody gives back."""
    async with far(openai, bodies, policy={"warm_target": 0}) as there:
        openai.simulator.script.token_ms = 5
        talk = Conversation(there.model)
        for delay_ms in (0, 1, 2, 4, 8, 16, 32, 64):
            with anyio.move_on_after(delay_ms / 1000):
                await there.model.prepare(LlmRequest(talk.messages, "Be kind.", talk.name))
            with anyio.move_on_after(delay_ms / 1000):
                await talk.ask("Again?")
        assert not any(line.is_busy for line in there.model._lines.values())
        assert await talk.ask("Last?") == answer_to("Last?")
    assert there.lines.pool.open_count == 0
