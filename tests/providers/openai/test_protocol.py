"""What is sent to OpenAI, and what its bytes mean."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.errors import ProviderRejected, ProviderUnavailable, RemoteProtocolError
from warmline.interfaces.llm import LlmRequest, Message, Role
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


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_a_stream_cut_anywhere_gives_the_same_text(cuts):
    """Also inside a character, and between CR and LF."""
    stream, text, start = ChatStream("m"), "", 0
    for end in [*sorted(cuts), len(STREAM)]:
        text += stream.feed(STREAM[start:end])
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
            assert isinstance(stream.feed(b"data: " + piece + b"\n\n"), str)
    except (RemoteProtocolError, ProviderUnavailable, ProviderRejected):
        pass


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


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error": "plain"}', b'{"error": null}', b"[]"])
def test_an_error_without_a_readable_body_is_told_by_its_status(body):
    """A proxy in between answers in its own words."""
    assert "502" in str(failure(502, {}, body, model="m"))
