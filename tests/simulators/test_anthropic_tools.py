"""Tools, as the official Anthropic SDK sees them at the simulated Anthropic."""

from collections.abc import AsyncIterator

import anthropic
import pytest
from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient

from warmline.pool.dialling import ssl_context
from warmline.simulators.running import KEY, Running, simulators_running
from warmline.simulators.script import Script, ScriptedCall

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

QUESTION = {"role": "user", "content": "Please order Emma."}
SCHEMA = {"type": "object", "properties": {"book": {"type": "string"}}, "required": ["book"]}
TOOLS = [
    {"name": "order", "description": "Order a book.", "input_schema": SCHEMA},
    {"name": "hours", "description": "Tell the hours.", "input_schema": {"type": "object", "properties": {}}},
]
ASKING = {"model": "claude-haiku-5-5", "max_tokens": 100, "messages": [QUESTION], "tools": TOOLS}
ARGUMENTS = {"book": "Emma, or The Match-Makers"}
SCRIPT = Script(
    first_token_ms=1,
    token_ms=0,
    reply="Well: {result}. You asked: {question}",
    key=KEY,
    tool_calls=(
        ScriptedCall(name="order", arguments=ARGUMENTS, when="order", say="One moment."),
        ScriptedCall(name="hours"),
        ScriptedCall(name="unheard"),
    ),
)


@pytest.fixture(scope="module")
async def running(anyio_backend) -> AsyncIterator[Running]:
    async with simulators_running(only=["anthropic"], scripts={"anthropic": SCRIPT}) as running:
        yield running


@pytest.fixture
async def client(running) -> AsyncIterator[AsyncAnthropic]:
    trusting = DefaultAsyncHttpxClient(verify=ssl_context(str(running.certificate)))
    async with AsyncAnthropic(
        api_key=KEY, base_url=running.base_urls["anthropic"], http_client=trusting, max_retries=0
    ) as client:
        yield client


def result(block, text):
    return {"type": "tool_result", "tool_use_id": block.id, "content": text}


async def test_a_message_calls_tools_and_then_says_what_they_answered(client):
    """Two at once, of those that are offered; and no more when they have answered."""
    calling = await client.messages.create(**ASKING)
    text, order, hours = calling.content
    assert (calling.stop_reason, text.text) == ("tool_use", "One moment.")
    assert (order.name, order.input) == ("order", ARGUMENTS)
    assert (hours.name, hours.input) == ("hours", {})
    answers = {"role": "user", "content": [result(order, "Emma is ordered"), result(hours, "nine to five")]}
    messages = [QUESTION, {"role": "assistant", "content": calling.content}, answers]
    said = await client.messages.create(**{**ASKING, "messages": messages})
    assert said.content[0].text == "Well: Emma is ordered; nine to five. You asked: Please order Emma."
    assert said.stop_reason == "end_turn"


async def test_a_message_streams_its_calls_in_pieces(client):
    """The SDK puts them together; a block ends before the next begins."""
    async with client.messages.stream(**ASKING) as stream:
        events = [event async for event in stream]
        message = await stream.get_final_message()
    raw = [event.type for event in events if event.type.startswith("content_block_st")]
    assert raw == ["content_block_start", "content_block_stop"] * 3
    pieces = [event.partial_json for event in events if event.type == "input_json"]
    assert len(pieces) > 4
    assert [block.type for block in message.content] == ["text", "tool_use", "tool_use"]
    assert [block.input for block in message.content[1:]] == [ARGUMENTS, {}]
    assert message.stop_reason == "tool_use"


async def test_a_call_that_is_longer_than_it_may_be_is_cut(client):
    """What came of it is no object yet."""
    kinds = []
    async for event in await client.messages.create(**{**ASKING, "max_tokens": 4}, stream=True):
        kinds.append(event.type)
        if event.type == "message_delta":
            assert event.delta.stop_reason == "max_tokens"
    assert kinds.count("content_block_stop") == 2


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"type": "none"}, []),
        ({"type": "tool", "name": "hours"}, ["hours"]),
        ({"type": "any"}, ["order", "hours"]),
    ],
)
async def test_a_message_calls_as_the_request_chooses(client, choice, names):
    """None, one by its name, or any."""
    message = await client.messages.create(**ASKING, tool_choice=choice)
    assert [block.name for block in message.content if block.type == "tool_use"] == names


def used(*ids):
    return {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": each, "name": "hours", "input": {}} for each in ids],
    }


def answered(*ids, text=""):
    blocks = [{"type": "tool_result", "tool_use_id": each, "content": "nine"} for each in ids]
    return {"role": "user", "content": [*blocks, *([{"type": "text", "text": text}] if text else [])]}


TEXT_FIRST = {"role": "user", "content": [{"type": "text", "text": "Hm."}, *answered("a")["content"]]}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"messages": [QUESTION, used("a"), QUESTION]},
         "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: a."),
        ({"messages": [QUESTION, used("a", "b"), answered("b")]}, "immediately after: a."),
        ({"messages": [QUESTION, used("a"), TEXT_FIRST]}, "immediately after: a."),
        ({"messages": [answered("a")]},
         "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: a."),
        ({"messages": [QUESTION, used("a"), answered("a", "c")]}, "messages.2.content.1: unexpected"),
        ({"messages": [QUESTION, used("a.b"), answered("a.b")]}, "tool_use.id: String should match pattern"),
        ({"messages": [QUESTION, {"role": "tool", "content": "x"}]}, "messages.1.role: Input should be"),
        ({"messages": [QUESTION, used("a"), answered("a")], "tools": anthropic.omit}, "must define tools"),
        ({"tools": [TOOLS[0], TOOLS[0]]}, "tools: Tool names must be unique."),
        ({"tools": [{**TOOLS[0], "name": "a b"}]}, "tools.0.custom.name: String should match pattern"),
        ({"tools": [{"name": "order"}]}, "tools.0.custom.input_schema: Field required"),
        ({"tools": [{**TOOLS[0], "input_schema": {"properties": {}}}]}, "input_schema.type: Field required"),
        ({"tools": [{**TOOLS[0], "parameters": {}}]}, "tools.0.custom.parameters: Extra inputs are"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools.0: Input tag 'function' found"),
        ({"tools": [{**TOOLS[0], "input_schema": {**SCHEMA, "anyOf": []}}]}, "anyOf at the top level"),
        ({"tools": anthropic.omit, "tool_choice": {"type": "auto"}}, "specified while providing tools"),
        ({"tool_choice": {"type": "tool", "name": "dance"}}, "Tool 'dance' not found"),
    ],
)  # fmt: skip
async def test_what_the_real_one_would_not_take_is_refused(client, change, text):
    """In the words of the real one, as far as they are known."""
    with pytest.raises(anthropic.BadRequestError) as caught:
        await client.messages.create(**{**ASKING, **change})
    assert text in str(caught.value)


async def test_words_may_follow_the_answers(client):
    """The person went on talking; that is what is answered."""
    messages = [QUESTION, used("a"), answered("a", text="And when do you open?")]
    said = await client.messages.create(**{**ASKING, "messages": messages, "tool_choice": {"type": "none"}})
    assert said.content[0].text == "Well: . You asked: And when do you open?"


async def test_the_tools_belong_to_what_is_cached(client):
    """Another list is another beginning."""
    mark = {"type": "ephemeral"}
    system = [{"type": "text", "text": "Be kind. " * 1000, "cache_control": mark}]

    async def read(tools):
        message = await client.messages.create(**{**ASKING, "system": system, "tools": tools})
        return message.usage.cache_read_input_tokens

    assert await read(TOOLS) == 0
    assert await read(TOOLS) > 2000
    assert await read(TOOLS[1:]) == 0
