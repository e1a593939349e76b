"""What is sent to OpenAI, and what its bytes mean."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import (
    ChatCompletionAssistantMessageParam,
    ChatCompletionFunctionToolParam,
    ChatCompletionToolMessageParam,
)
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
from pydantic import TypeAdapter

from warmline.errors import ProviderRejected, ProviderUnavailable, RemoteProtocolError
from warmline.interfaces.llm import CallProgress, LlmRequest, Message, Role, ToolCall, ToolSpec
from warmline.interfaces.retriever import Passage
from warmline.pool.sse import EventStream
from warmline.providers.openai.failures import failure
from warmline.providers.openai.protocol import ChatSettings, ChatStream, chat_request

pytestmark = pytest.mark.unit

STREAM = (
    ": a comment\r\n\r\n"
    'data: {"id":"c1","choices":[{"index":0,"delta":{"role":"assistant","content":""}}],"usage":null}\n\n'
    'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"Grüße, "}}],"obfuscation":"aB3"}\n\n'
    'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"मीरा"}}]}\n\n'
    'data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    'data: {"id":"c1","choices":[],"usage":{"prompt_tokens":2006,"completion_tokens":9,'
    '"prompt_tokens_details":{"cached_tokens":1920}}}\n\n'
    "data: [DONE]\n\n"
).encode()


def whole(pieces):
    """Return the words and the calls, without the signs of life in between."""
    return [piece for piece in pieces if not isinstance(piece, CallProgress)]


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_a_stream_cut_anywhere_gives_the_same_text(cuts):
    """Also inside a character, and between CR and LF."""
    stream, text, start = ChatStream("m"), "", 0
    for end in [*sorted(cuts), len(STREAM)]:
        text += "".join(map(str, stream.feed(STREAM[start:end])))
        start = end
    stream.finish()
    assert text == "Grüße, मीरा"
    assert (stream.usage.prompt_tokens, stream.usage.cached_tokens, stream.usage.completion_tokens) == (
        2006,
        1920,
        9,
    )


@given(pieces=st.lists(st.binary(max_size=200), max_size=10))
def test_any_bytes_give_text_or_a_protocol_error(pieces):
    """Nothing else may come out of it."""
    stream = ChatStream("m")
    try:
        for piece in pieces:
            assert isinstance(stream.feed(b"data: " + piece + b"\n\n"), list)
    except (RemoteProtocolError, ProviderUnavailable, ProviderRejected):
        pass


ORDER = ToolCall("call_1", "order", '{"book": "Émma"}')
MENU = ToolCall("call_2", "menu", "{}")


def deltas(*tool_calls, finish=None) -> bytes:
    choice = {"index": 0, "delta": {"tool_calls": [*tool_calls]}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}, ensure_ascii=False).encode() + b"\n\n"


def begun(call: ToolCall, index: int | None, arguments: str = "") -> dict[str, object]:
    function = {"name": call.name, "arguments": arguments}
    numbered = {} if index is None else {"index": index}
    return {**numbered, "id": call.id, "type": "function", "function": function}


CALL_STREAM = (
    b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"One moment."}}]}\n\n'
    + deltas(begun(ORDER, 0))
    + deltas({"index": 0, "function": {"arguments": '{"book": '}})
    + deltas({"index": 0, "function": {"arguments": '"Émma"}'}})
    + deltas(begun(MENU, 1))
    + deltas({"index": 1, "function": {"arguments": "{}"}})
    + b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\n'
    + b"data: [DONE]\n\n"
)


@given(cuts=st.lists(st.integers(0, len(CALL_STREAM)), max_size=20))
def test_calls_come_whole_and_in_order_wherever_the_stream_is_cut(cuts):
    """Behind what was said before them."""
    stream, pieces, start = ChatStream("m"), [], 0
    for end in [*sorted(cuts), len(CALL_STREAM)]:
        pieces += stream.feed(CALL_STREAM[start:end])
        start = end
    stream.finish()
    assert whole(pieces) == ["One moment.", ORDER, MENU]
    assert isinstance(pieces[1], CallProgress)


@pytest.mark.parametrize(
    "stream",
    [
        deltas(begun(ORDER, 0, ORDER.arguments), begun(MENU, 1, "{}"), finish="stop"),
        deltas(begun(ORDER, 0, ORDER.arguments)) + deltas(begun(MENU, 0, "{}"), finish="tool_calls"),
        deltas(begun(ORDER, None, ORDER.arguments)) + deltas(begun(MENU, None, "{}")) + b"data: [DONE]\n\n",
        deltas(begun(ORDER, None))
        + deltas({"function": {"arguments": ORDER.arguments}})
        + deltas(begun(MENU, None, "{}"))
        + b"data: [DONE]\n\n",
    ],
    ids=["all in one", "one number for all", "no numbers", "no numbers, in pieces"],
)
def test_calls_are_told_apart_as_compatible_servers_send_them(stream):
    """Each in its own way."""
    assert whole(ChatStream("m").feed(stream)) == [ORDER, MENU]


def test_a_call_without_an_id_is_given_one():
    """Its answer is sent back under it."""
    pieces = ChatStream("m").feed(deltas({"index": 0, "function": {"name": "menu"}}, finish="tool_calls"))
    (call,) = whole(pieces)
    assert isinstance(call, ToolCall)
    assert call.id.startswith("call_")


def test_a_call_that_was_cut_off_is_none():
    """What it would have asked for is not known."""
    stream = ChatStream("m")
    pieces = stream.feed(CALL_STREAM[: CALL_STREAM.index(b'data: {"choices":[{"index":0,"delta":{},')])
    assert whole(pieces) == ["One moment."]
    with pytest.raises(ProviderUnavailable, match="cut off"):
        stream.finish()


def test_tools_calls_and_answers_are_those_of_the_official_sdk():
    """The tools stand before all else in the provider's cache, and are the same in each request."""
    schema = {"type": "object", "properties": {"book": {"type": "string"}}}
    messages = [
        Message(Role.USER, "Emma, please."),
        Message(Role.ASSISTANT, "", tool_calls=(ORDER,)),
        Message(Role.TOOL, "Emma was ordered.", tool_call_id="call_1"),
    ]
    request = LlmRequest(messages, tools=[ToolSpec("order", "Order a book.", schema)])
    body = json.loads(chat_request(request, ChatSettings("m")).body)
    TypeAdapter(CompletionCreateParamsStreaming).validate_python(body)
    for part, kind in zip(
        [*body["messages"][2:], *body["tools"]],
        (
            ChatCompletionAssistantMessageParam,
            ChatCompletionToolMessageParam,
            ChatCompletionFunctionToolParam,
        ),
        strict=True,
    ):
        TypeAdapter(kind).validate_python(part, strict=True, extra="forbid")
    _, _, calling, answer = body["messages"]
    assert calling["content"] is None
    assert calling["tool_calls"][0]["function"] == {"name": "order", "arguments": ORDER.arguments}
    assert answer == {"role": "tool", "content": "Emma was ordered.", "tool_call_id": "call_1"}
    assert body["tools"][0]["function"]["parameters"] == schema


def test_an_event_without_an_end_is_refused_before_it_fills_the_memory():
    """A far end must not make us keep whatever it sends."""
    events = EventStream()
    with pytest.raises(RemoteProtocolError, match="larger"):  # noqa: PT012
        for _ in range(100):
            events.feed(b"x" * 65_536)


def test_a_stream_that_ends_without_saying_so_was_cut():
    """Half a sentence is not an answer."""
    stream = ChatStream("m", request_id="req_1")
    stream.feed(STREAM[: STREAM.index(b'data: {"id":"c1","choices":[{"index":0,"delta":{},')])
    with pytest.raises(ProviderUnavailable, match="cut off") as caught:
        stream.finish()
    assert (caught.value.phase, caught.value.request_id) == ("stream", "req_1")


def test_an_error_in_the_middle_of_a_stream_is_the_providers():
    """It carries what the provider calls the request."""
    stream = ChatStream("m", request_id="req_2")
    with pytest.raises(ProviderUnavailable, match="overloaded") as caught:
        stream.feed(
            b'data: {"error":{"message":"The server is overloaded.","type":"server_error","code":null}}\n\n'
        )
    assert caught.value.request_id == "req_2"


def test_the_prompt_begins_alike_from_turn_to_turn():
    """So that the provider's cache holds it; the passages stand with their question."""
    passage = Passage("Open from nine.", "Hours", "hours.md", 0.9)
    first = [Message(Role.USER, "When do you open?", passages=(passage,))]
    second = [*first, Message(Role.ASSISTANT, "At nine."), Message(Role.USER, "And on Sunday?")]
    bodies = [
        json.loads(chat_request(LlmRequest(messages, "Be kind."), ChatSettings("m")).body)
        for messages in (first, second)
    ]
    assert bodies[1]["messages"][:2] == bodies[0]["messages"]
    assert bodies[0]["messages"][0]["content"].endswith("Be kind.")
    assert "Open from nine." in bodies[0]["messages"][1]["content"]
    assert bodies[0]["prompt_cache_key"] == "warmline"


def test_only_what_is_set_is_sent_to_a_compatible_server():
    """Many refuse a field that they do not know."""
    request = chat_request(
        LlmRequest([Message(Role.USER, "Hi")]), ChatSettings("m", max_tokens=50, is_openai=False)
    )
    assert sorted(json.loads(request.body)) == ["max_tokens", "messages", "model", "stream", "stream_options"]


@pytest.mark.parametrize(
    ("status", "code", "kind", "advice"),
    [
        (401, "invalid_api_key", ProviderRejected, "OPENAI_API_KEY"),
        (404, "model_not_found", ProviderRejected, "models in the [openai] settings"),
        (429, "insufficient_quota", ProviderRejected, "billing"),
        (429, "rate_limit_exceeded", ProviderUnavailable, "higher rate limit"),
        (503, None, ProviderUnavailable, "status page"),
        (400, "context_length_exceeded", ProviderRejected, "[openai] settings"),
    ],
)
def test_each_failure_says_what_the_operator_should_do(status, code, kind, advice):
    """And never shows the key, which the provider quotes."""
    body = json.dumps({
        "error": {"message": "Incorrect: sk-12**89.", "type": "x", "param": None, "code": code}
    })
    error = failure(status, {"x-request-id": "req_3"}, body.encode(), model="m")
    assert type(error) is kind
    assert advice in str(error)
    assert error.request_id == "req_3"
    assert status != 401 or "sk-" not in str(error)


def test_a_server_that_knows_no_tools_is_told_of_none():
    """Many small models do not."""
    body = b'{"error":{"message":"gemma3 does not support tools","type":"api_error","code":null}}'
    error = failure(400, {}, body, model="gemma3")
    assert type(error) is ProviderRejected
    assert "tools.builtin = []" in str(error)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error": "plain"}', b'{"error": null}', b"[]"])
def test_an_error_without_a_readable_body_is_told_by_its_status(body):
    """A proxy in between answers in its own words."""
    assert "502" in str(failure(502, {}, body, model="m"))
