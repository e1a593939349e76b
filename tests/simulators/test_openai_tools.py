"""Tools, as the official OpenAI SDK sees them at the simulated OpenAI."""

import json

import openai as sdk
import pytest

from tests.simulators.test_openai_sdk import client_of, connected, until_done
from warmline.simulators.script import ScriptedCall

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

MODEL = "gpt-5.5"
QUESTION = {"role": "user", "content": "Please order Emma."}
PARAMETERS = {
    "type": "object",
    "properties": {"book": {"type": "string"}},
    "required": ["book"],
    "additionalProperties": False,
}
EMPTY = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
FUNCTIONS = [
    {"name": "order", "description": "Order a book.", "parameters": PARAMETERS, "strict": True},
    {"name": "hours", "description": "Tell the hours.", "parameters": EMPTY, "strict": True},
]
CHAT_TOOLS = [{"type": "function", "function": function} for function in FUNCTIONS]
TOOLS = [{"type": "function", **function} for function in FUNCTIONS]
ARGUMENTS = {"book": "Emma, or The Match-Makers"}
CALLS = (
    ScriptedCall(name="order", arguments=ARGUMENTS, when="order", say="One moment."),
    ScriptedCall(name="hours"),
    ScriptedCall(name="unheard", when="order"),
    ScriptedCall(name="order", when="nothing of the kind"),
)


@pytest.fixture
async def client(openai):
    openai.simulator.script.tool_calls = CALLS
    openai.simulator.script.reply = "Well: {result}. You asked: {question}"
    async with client_of(openai, max_retries=0) as made:
        yield made


def chat(client, *more, **options):
    return client.chat.completions.create(
        model=MODEL, messages=[QUESTION, *more], **{"tools": CHAT_TOOLS, **options}
    )


async def test_a_completion_calls_tools_and_then_says_what_they_answered(client):
    """Two at once, of those that are offered; and no more when they have answered."""
    calling = await chat(client)
    choice = calling.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "One moment."
    order, hours = choice.message.tool_calls
    assert (order.function.name, json.loads(order.function.arguments)) == ("order", ARGUMENTS)
    assert (hours.function.name, hours.function.arguments) == ("hours", "{}")
    answers = [
        {"role": "tool", "tool_call_id": call.id, "content": text}
        for call, text in ((hours, "nine to five"), (order, "Emma is ordered"))
    ]
    said = (await chat(client, choice.message, *answers)).choices[0]
    assert said.message.content == "Well: nine to five; Emma is ordered. You asked: Please order Emma."
    assert (said.finish_reason, said.message.tool_calls) == ("stop", None)
    again = await chat(client, choice.message, *answers, said.message, QUESTION)
    assert again.choices[0].finish_reason == "tool_calls"


async def test_a_completion_streams_its_calls_in_pieces(client):
    """The SDK puts them together; the id and the name come with the first piece of each alone."""
    chunks = [chunk async for chunk in await chat(client, stream=True)]
    deltas = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    assert len(deltas) > 6
    assert [(call.index, call.function.name) for call in deltas if call.id] == [(0, "order"), (1, "hours")]
    arguments = "".join(call.function.arguments for call in deltas if call.index == 0)
    assert json.loads(arguments) == ARGUMENTS
    assert chunks[-1].choices[0].finish_reason == "tool_calls"
    async with client.chat.completions.stream(model=MODEL, messages=[QUESTION], tools=CHAT_TOOLS) as stream:
        message = (await stream.get_final_completion()).choices[0].message
    assert message.content == "One moment."
    assert [call.function.parsed_arguments for call in message.tool_calls] == [ARGUMENTS, {}]


async def test_a_completion_calls_as_the_request_chooses(client):
    """None, one by its name, or any."""
    none = (await chat(client, tool_choice="none")).choices[0].message
    assert (none.tool_calls, none.content[:5]) == (None, "Well:")
    named = {"type": "function", "function": {"name": "hours"}}
    (call,) = (await chat(client, tool_choice=named)).choices[0].message.tool_calls
    assert call.function.name == "hours"
    message = {"role": "user", "content": "Hm."}
    (call,) = (
        (
            await client.chat.completions.create(
                model=MODEL, messages=[message], tools=CHAT_TOOLS[:1], tool_choice="required"
            )
        )
        .choices[0]
        .message.tool_calls
    )
    assert (call.function.name, call.function.arguments) == ("order", "{}")


def called(*ids):
    function = {"name": "hours", "arguments": "{}"}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": each, "type": "function", "function": function} for each in ids],
    }


def answered(call_id):
    return {"role": "tool", "tool_call_id": call_id, "content": "nine"}


@pytest.mark.parametrize(
    ("more", "text", "param"),
    [
        ([called("a")], "did not have response messages: a", "messages.[2].role"),
        (
            [called("a", "b"), answered("a"), QUESTION],
            "did not have response messages: b",
            "messages.[3].role",
        ),
        ([called("a"), QUESTION, answered("a")], "did not have response messages: a", "messages.[2].role"),
        ([answered("a")], "must be a response to a preceeding message", "messages.[1].role"),
        ([called("a"), answered("b")], "'tool_call_id' of 'b' not found", "messages.[2].tool_call_id"),
        ([{"role": "assistant", "content": None}], "expected a string, got null", "messages.[1].content"),
    ],
)
async def test_a_conversation_whose_calls_are_not_answered_is_refused(client, more, text, param):
    """In the words of the real one."""
    with pytest.raises(sdk.BadRequestError, match="Error code: 400") as caught:
        await chat(client, *more)
    assert text in caught.value.message
    assert (caught.value.param, caught.value.code) == (param, None)


FUNCTION = "tools[0].function"
NOT_STRICT = {**PARAMETERS, "required": []}
BAD_SCHEMA = "invalid_function_parameters"


def function(**changes):
    return {"type": "function", "function": {**FUNCTIONS[1], **changes}}


@pytest.mark.parametrize(
    ("options", "code", "param"),
    [
        ({"tools": []}, "empty_array", "tools"),
        ({"tools": TOOLS}, "unknown_parameter", "tools[0].name"),
        ({"tools": [{"function": FUNCTIONS[1]}]}, "missing_required_parameter", "tools[0].type"),
        ({"tools": [function(name="a b")]}, "invalid_value", f"{FUNCTION}.name"),
        ({"tools": [function(name="a" * 65)]}, "string_above_max_length", f"{FUNCTION}.name"),
        ({"tools": [function(description="a" * 1025)]}, "string_above_max_length", f"{FUNCTION}.description"),
        ({"tools": [function(parameters={"type": "array"})]}, BAD_SCHEMA, f"{FUNCTION}.parameters"),
        ({"tools": [function(parameters={"type": "object"})]}, BAD_SCHEMA, f"{FUNCTION}.parameters"),
        ({"tools": [function(parameters=NOT_STRICT)]}, BAD_SCHEMA, f"{FUNCTION}.parameters"),
        ({"tools": [function(arguments={})]}, "unknown_parameter", f"{FUNCTION}.arguments"),
        ({"tools": sdk.omit, "tool_choice": "auto"}, None, "tool_choice"),
        ({"tools": sdk.omit, "parallel_tool_calls": True}, None, "parallel_tool_calls"),
        ({"tool_choice": {"type": "function", "function": {"name": "no"}}}, "invalid_value", "tool_choice"),
    ],
)  # fmt: skip
async def test_tools_that_the_real_one_would_not_take_are_refused(client, options, code, param):
    with pytest.raises(sdk.BadRequestError) as caught:
        await chat(client, **options)
    assert (caught.value.code, caught.value.param) == (code, param)


def output(call, text):
    return {"type": "function_call_output", "call_id": call.call_id, "output": text}


async def test_a_response_calls_tools_and_is_built_upon_with_their_answers(client):
    """The answers alone are sent; or all of it, where nothing is stored."""
    calling = await client.responses.create(model=MODEL, input=[QUESTION], tools=TOOLS)
    message, order, hours = calling.output
    assert calling.output_text == message.content[0].text == "One moment."
    assert (order.name, json.loads(order.arguments)) == ("order", ARGUMENTS)
    assert (hours.name, hours.arguments, hours.status) == ("hours", "{}", "completed")
    assert [tool.name for tool in calling.tools] == ["order", "hours"]
    outputs = [output(order, "Emma is ordered"), output(hours, "nine to five")]
    said = await client.responses.create(
        model=MODEL, input=outputs, tools=TOOLS, previous_response_id=calling.id
    )
    assert said.output_text == "Well: Emma is ordered; nine to five. You asked: Please order Emma."
    whole = await client.responses.create(
        model=MODEL, input=[QUESTION, *calling.output, *outputs], tools=TOOLS, store=False
    )
    assert whole.output_text == said.output_text


async def test_a_response_streams_its_items_one_after_another(client):
    """The SDK puts them together."""
    async with client.responses.stream(model=MODEL, input=[QUESTION], tools=TOOLS) as stream:
        events = [event async for event in stream]
        final = await stream.get_final_response()
    kinds = [event.type for event in events if not event.type.endswith(".delta")]
    call = [
        "response.output_item.added",
        "response.function_call_arguments.done",
        "response.output_item.done",
    ]
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        *call,
        *call,
        "response.completed",
    ]
    assert [event.output_index for event in events if event.type == call[-1]] == [0, 1, 2]
    deltas = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    assert len(deltas) > 3
    assert [item.parsed_arguments for item in final.output[1:]] == [ARGUMENTS, {}]


async def test_a_call_over_the_socket_is_answered_over_the_socket(openai, client):
    """Also without being stored; a turn that does not answer it is refused."""
    ask = {"type": "response.create", "model": MODEL, "tools": TOOLS, "store": False}
    async with connected(openai, client) as connection:
        await connection.send({**ask, "input": [QUESTION]})
        calling = (await until_done(connection))[-1].response
        outputs = [output(call, "done") for call in calling.output[1:]]
        await connection.send({**ask, "input": outputs, "previous_response_id": calling.id})
        said = (await until_done(connection))[-1].response
        assert said.output_text == "Well: done; done. You asked: Please order Emma."
        await connection.send({**ask, "input": [QUESTION], "previous_response_id": said.id})
        calling = (await until_done(connection))[-1].response
        await connection.send({**ask, "input": [QUESTION], "previous_response_id": calling.id})
        (failure,) = await until_done(connection)
        assert failure.error.message.startswith("No tool output found for function call call_")


@pytest.mark.parametrize(
    ("options", "text", "param"),
    [
        ({"input": [{"type": "function_call", "call_id": "a", "name": "hours", "arguments": "{}"}]},
         "No tool output found for function call a.", "input"),
        ({"input": [{"type": "function_call_output", "call_id": "a", "output": "nine"}]},
         "No tool call found for function call output with call_id a.", "input"),
        ({"input": [{"type": "function_call", "name": "hours", "arguments": "{}"}]},
         "Missing required parameter: 'input[0].call_id'.", "input[0].call_id"),
        ({"tools": CHAT_TOOLS}, "Missing required parameter: 'tools[0].name'.", "tools[0].name"),
        ({"tools": [{**TOOLS[0], "parameters": {"type": "string"}}]},
         "got 'type: \"string\"'", "tools[0].parameters"),
    ],
)  # fmt: skip
async def test_a_wrong_response_is_refused(client, options, text, param):
    with pytest.raises(sdk.BadRequestError) as caught:
        await client.responses.create(**{"model": MODEL, "input": [QUESTION], "tools": TOOLS, **options})
    assert text in caught.value.message
    assert caught.value.param == param


async def test_the_tools_belong_to_what_is_cached(client):
    """Another list is another beginning."""
    long = {"role": "system", "content": "Be kind. " * 700}

    async def cached(tools):
        usage = (
            await client.chat.completions.create(
                model=MODEL, messages=[long, QUESTION], tools=tools, prompt_cache_key="k"
            )
        ).usage
        return usage.prompt_tokens_details.cached_tokens

    assert await cached(CHAT_TOOLS) == 0
    assert await cached(CHAT_TOOLS) > 1024
    assert await cached(CHAT_TOOLS[1:]) == 0
