"""What is sent to Anthropic, and what its bytes mean."""

import json
from itertools import pairwise

import pytest
from anthropic.types import (
    RawMessageStreamEvent,
    TextBlockParam,
    ToolParam,
    ToolResultBlockParam,
    ToolUseBlockParam,
)
from anthropic.types.message_create_params import MessageCreateParamsStreaming
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from warmline.errors import ProviderRejected, ProviderUnavailable, RemoteProtocolError
from warmline.interfaces.llm import CallProgress, LlmRequest, Message, Role, ToolCall, ToolSpec
from warmline.interfaces.retriever import Passage
from warmline.providers.anthropic.failures import failure
from warmline.providers.anthropic.protocol import MessagesSettings, MessageStream, messages_request

pytestmark = pytest.mark.unit

EVENTS = (
    '{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],'
    '"model":"m","stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":86,'
    '"cache_creation_input_tokens":20,"cache_read_input_tokens":1900,"output_tokens":1}}}',
    '{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}',
    '{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm."}}',
    '{"type":"content_block_stop","index":0}',
    '{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}',
    '{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Grüße, "}}',
    '{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"मीरा"}}',
    '{"type":"content_block_stop","index":1}',
    '{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
    '"usage":{"output_tokens":9}}',
    '{"type":"message_stop"}',
)
PING = 'event: ping\r\ndata: {"type": "ping"}\r\n\r\nevent: novelty\ndata: {"type":"novelty","delta":{}}\n\n'
STREAM = (PING + "".join(f"event: {json.loads(data)['type']}\ndata: {data}\n\n" for data in EVENTS)).encode()


TOOLS = (
    ToolSpec("order", "Order a book.", {"type": "object", "properties": {"book": {"type": "string"}}}),
    ToolSpec("menu", "Read the menu.", {"type": "object", "properties": {}}),
)


def body_of(messages, instructions="", tools=(), **settings):
    request = LlmRequest(messages, instructions, tools=tools)
    return json.loads(messages_request(request, MessagesSettings("m", **settings)).body)


def whole(pieces):
    """Return the words and the calls, without the signs of life in between."""
    return [piece for piece in pieces if not isinstance(piece, CallProgress)]


def test_the_events_tested_with_are_those_of_the_official_sdk():
    """And so is the request."""
    events = TypeAdapter(RawMessageStreamEvent)
    for data in EVENTS:
        events.validate_json(data)
    body = body_of([Message(Role.USER, "Hi")], effort="low")
    TypeAdapter(MessageCreateParamsStreaming).validate_python(body, strict=True, extra="forbid")
    for block in (*body["system"], *body["messages"][-1]["content"]):
        TypeAdapter(TextBlockParam).validate_python(block, strict=True, extra="forbid")


CALL_EVENTS = (
    '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
    '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"One moment."}}',
    '{"type":"content_block_stop","index":0}',
    '{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"order",'
    '"input":{}}}',
    '{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":""}}',
    '{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta",'
    '"partial_json":"{\\"book\\": "}}',
    '{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"\\"Émma\\"}"}}',
    '{"type":"content_block_stop","index":1}',
    '{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_2","name":"menu",'
    '"input":{}}}',
    '{"type":"content_block_stop","index":2}',
    '{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},'
    '"usage":{"output_tokens":9}}',
    '{"type":"message_stop"}',
)
CALL_STREAM = "".join(f"event: x\ndata: {data}\n\n" for data in CALL_EVENTS).encode()


@given(cuts=st.lists(st.integers(0, len(CALL_STREAM)), max_size=20))
def test_calls_come_whole_and_in_order_wherever_the_stream_is_cut(cuts):
    """Behind what was said before them."""
    events = TypeAdapter(RawMessageStreamEvent)
    for data in CALL_EVENTS:
        events.validate_json(data)
    stream, pieces, start = MessageStream("m"), [], 0
    for end in [*sorted(cuts), len(CALL_STREAM)]:
        pieces += stream.feed(CALL_STREAM[start:end])
        start = end
    stream.finish()
    assert isinstance(pieces[1], CallProgress)
    assert whole(pieces) == [
        "One moment.",
        ToolCall("toolu_1", "order", '{"book": "Émma"}'),
        ToolCall("toolu_2", "menu", "{}"),
    ]


def test_a_call_that_was_cut_off_is_none():
    """What it would have asked for is not known."""
    stream = MessageStream("m")
    pieces = stream.feed(CALL_STREAM[: CALL_STREAM.index(b'{"type":"content_block_stop","index":1}')])
    assert whole(pieces) == ["One moment."]
    with pytest.raises(ProviderUnavailable, match="cut off"):
        stream.finish()


def test_tools_calls_and_answers_are_those_of_the_official_sdk():
    """The tools stand before all else in the provider's cache, and are the same in each request."""
    body = body_of([Message(Role.USER, "Emma, please."), CALLING, ORDERED], tools=TOOLS)
    TypeAdapter(MessageCreateParamsStreaming).validate_python(body)
    for tool in body["tools"]:
        TypeAdapter(ToolParam).validate_python(tool, strict=True, extra="forbid")
    _, (text, call), (result,) = (message["content"] for message in body["messages"])
    TypeAdapter(ToolUseBlockParam).validate_python(call, strict=True, extra="forbid")
    TypeAdapter(ToolResultBlockParam).validate_python(result, strict=True, extra="forbid")
    assert text["text"] == "One moment."
    assert (call["id"], call["name"], call["input"]) == ("toolu_1", "order", {"book": "Emma"})
    assert (result["tool_use_id"], result["content"]) == ("toolu_1", "Emma was ordered.")
    assert result["cache_control"] == {"type": "ephemeral"}
    assert [(tool["name"], tool["input_schema"]) for tool in body["tools"]] == [
        (tool.name, tool.parameters) for tool in TOOLS
    ]


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ("", {}),
        ("{}", {}),
        ('{"a": 1}', {"a": 1}),
        ('{"a": ', {"INVALID_JSON": '{"a": '}),
        ("[1]", {"INVALID_JSON": "[1]"}),
    ],
)
def test_arguments_that_are_no_object_are_shown_as_what_they_are(arguments, shown):
    """The model made the mistake, and should see it."""
    calling = Message(Role.ASSISTANT, "", tool_calls=(ToolCall("functions.order:0", "order", arguments),))
    _, message, answer = body_of([calling], tools=TOOLS)["messages"]
    assert message["content"] == [
        {"type": "tool_use", "id": "functions_order_0", "name": "order", "input": shown}
    ]
    assert answer["content"][0]["tool_use_id"] == "functions_order_0"


def test_without_tools_calls_and_answers_are_left_out():
    """A conversation with them, and no tools, is refused."""
    body = body_of([Message(Role.USER, "Emma, please."), CALLING, ORDERED, Message(Role.USER, "Thanks.")])
    assert "tools" not in body
    assert [block["text"] for message in body["messages"] for block in message["content"]] == [
        "Emma, please.",
        "One moment.",
        "Thanks.",
    ]


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_a_stream_cut_anywhere_gives_the_same_text(cuts):
    """Also inside a character; thinking, pings and kinds of events that are not known are not spoken."""
    stream, text, start = MessageStream("m"), "", 0
    for end in [*sorted(cuts), len(STREAM)]:
        text += "".join(map(str, stream.feed(STREAM[start:end])))
        start = end
    stream.finish()
    assert text == "Grüße, मीरा"
    assert stream.stop_reason == "end_turn"
    assert (stream.usage.prompt_tokens, stream.usage.cached_tokens, stream.usage.completion_tokens) == (
        2006,
        1900,
        9,
    )


@given(pieces=st.lists(st.binary(max_size=200), max_size=10))
def test_any_bytes_give_text_or_a_protocol_error(pieces):
    """Nothing else may come out of it."""
    stream = MessageStream("m")
    try:
        for piece in pieces:
            assert isinstance(stream.feed(b"data: " + piece + b"\n\n"), list)
    except RemoteProtocolError:
        pass


def test_a_stream_that_ends_without_saying_so_was_cut():
    """Half a sentence is not an answer."""
    stream = MessageStream("m", request_id="req_1")
    stream.feed(STREAM[: STREAM.index(b"event: message_delta")])
    with pytest.raises(ProviderUnavailable, match="cut off") as caught:
        stream.finish()
    assert (caught.value.phase, caught.value.request_id) == ("stream", "req_1")


def test_a_model_that_declines_is_told_and_not_taken_for_silence():
    """Its answer may be empty."""
    stream = MessageStream("m")
    stream.feed(
        b'data: {"type":"message_delta","delta":{"stop_reason":"refusal"},"usage":{"output_tokens":0}}\n\n'
    )
    stream.feed(b'data: {"type":"message_stop"}\n\n')
    with pytest.raises(ProviderRejected, match="declined"):
        stream.finish()


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("overloaded_error", ProviderUnavailable),
        ("permission_error", ProviderRejected),
        ("new", ProviderUnavailable),
    ],
)
def test_an_error_in_the_middle_of_a_stream_is_the_providers(kind, error):
    """It carries what the provider calls the request."""
    stream = MessageStream("m", request_id="req_2")
    with pytest.raises(error, match="Overloaded") as caught:
        stream.feed(
            b'event: error\ndata: {"type":"error","error":{"type":"%b","message":"Overloaded"}}\n\n'
            % kind.encode()
        )
    assert caught.value.request_id == "req_2"


def test_the_prompt_begins_alike_from_turn_to_turn():
    """So that the provider's cache holds it: the instructions, and the conversation so far."""
    passage = Passage("Open from nine.", "Hours", "hours.md", 0.9)
    first = [Message(Role.USER, "When do you open?", passages=(passage,))]
    second = [*first, Message(Role.ASSISTANT, "At nine."), Message(Role.USER, "And on Sunday?")]
    before, after = body_of(first, "Be kind."), body_of(second, "Be kind.")
    assert after["system"] == before["system"]
    assert before["system"][0]["text"].endswith("Be kind.")
    assert before["system"][0]["cache_control"] == {"type": "ephemeral"}
    (block,) = before["messages"][0]["content"]
    assert "Open from nine." in block["text"]
    assert block["cache_control"] == {"type": "ephemeral"}
    assert after["messages"][0] == {"role": "user", "content": [{"type": "text", "text": block["text"]}]}


CALLING = Message(
    Role.ASSISTANT, "One moment.", tool_calls=(ToolCall("toolu_1", "order", '{"book": "Emma"}'),)
)
ORDERED = Message(Role.TOOL, "Emma was ordered.", tool_call_id="toolu_1")


@given(
    st.lists(
        st.one_of(
            st.builds(Message, st.sampled_from(Role), st.sampled_from(["Hello.", "Yes?", " ", ""])),
            st.sampled_from([CALLING, ORDERED]),
        ),
        max_size=8,
    )
)
def test_any_conversation_alternates_and_begins_and_ends_with_the_user(messages):
    """A greeting comes first, people are interrupted, and a client may ask for another reply."""
    body = body_of(messages, tools=TOOLS)
    roles = [message["role"] for message in body["messages"]]
    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]
    blocks = [block for message in body["messages"] for block in message["content"]] + body["system"]
    texts = [block["text"] for block in blocks if block["type"] == "text"]
    assert all(text.strip() for text in texts)
    said = "".join(texts)
    for message in messages:
        assert message.role is Role.TOOL or message.text.strip() in said


@given(st.lists(st.sampled_from([CALLING, ORDERED, Message(Role.USER, "Well?")]), max_size=8))
def test_the_answer_to_a_call_begins_the_next_message_in_any_conversation(messages):
    """Anthropic refuses any other place."""
    body = body_of(messages, tools=TOOLS)
    for before, message in pairwise([{"content": []}, *body["messages"]]):
        asked = [block["id"] for block in before["content"] if block["type"] == "tool_use"]
        answered = [block.get("tool_use_id") for block in message["content"][: len(asked)]]
        assert answered == asked
        assert all(block["type"] != "tool_result" for block in message["content"][len(asked) :])


def test_what_the_operator_says_later_stands_behind_the_instructions():
    """Not every model takes it among the messages."""
    body = body_of([Message(Role.SYSTEM, "She is a member."), Message(Role.USER, "Hi")])
    assert body["system"][1] == {"type": "text", "text": "She is a member."}
    assert len(body["messages"]) == 1


def test_what_is_empty_is_not_sent():
    """Models differ in what they take."""
    assert body_of([Message(Role.USER, "Hi")])["thinking"] == {"type": "disabled"}
    body = body_of([Message(Role.USER, "Hi")], thinking="")
    assert sorted(body) == ["max_tokens", "messages", "model", "stream", "system"]


@pytest.mark.parametrize(
    ("status", "kind", "error", "advice"),
    [
        (400, "invalid_request_error", ProviderRejected, "[anthropic] settings"),
        (401, "authentication_error", ProviderRejected, "ANTHROPIC_API_KEY"),
        (402, "billing_error", ProviderRejected, "billing"),
        (403, "permission_error", ProviderRejected, "workspace"),
        (404, "not_found_error", ProviderRejected, "anthropic.model"),
        (429, "rate_limit_error", ProviderUnavailable, "higher rate limit"),
        (500, "api_error", ProviderUnavailable, "status page"),
        (529, "overloaded_error", ProviderUnavailable, "more to do"),
    ],
)
def test_each_failure_says_what_the_operator_should_do(status, kind, error, advice):
    """And never shows a key."""
    body = json.dumps({
        "type": "error",
        "error": {"type": kind, "message": "Wrong: sk-ant-12."},
        "request_id": "req_3",
    })
    told = failure(status, {}, body.encode(), model="m")
    assert type(told) is error
    assert advice in str(told)
    assert told.request_id == "req_3"
    assert status != 401 or "sk-" not in str(told)
    assert failure(status, {"request-id": "req_4"}, body.encode(), model="m").request_id == "req_4"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"error": "plain"}', b'{"error": null}', b"[]", b'"\xff"']
)
def test_an_error_without_a_readable_body_is_told_by_its_status(body):
    """A proxy in between answers in its own words."""
    assert "502" in str(failure(502, {}, body, model="m"))
