"""The simulated Anthropic, as its official SDK sees it."""

from collections.abc import AsyncIterator

import anthropic
import httpx2
import pytest
from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient

from warmline.pool.dialling import ssl_context
from warmline.simulators.faults import HEADER, Fault, FaultKind
from warmline.simulators.running import KEY, Running, simulators_running
from warmline.simulators.script import Script

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

SCRIPT = Script(first_token_ms=1, token_ms=0, reply="You asked: {question}", key=KEY)
QUESTION = {"role": "user", "content": "When are you open?"}
ASKING = {"model": "claude-haiku-5-5", "max_tokens": 100, "messages": [QUESTION]}
ANSWER = "You asked: When are you open?"


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
    running.simulators["anthropic"].faults.clear()


def fault(text: str) -> dict[str, str]:
    return {HEADER: text}


async def test_a_whole_message(client):
    """With its usage, and the request's id."""
    message = await client.messages.create(**ASKING)
    assert message.content[0].text == ANSWER
    assert (message.stop_reason, message.role, message.model) == ("end_turn", "assistant", "claude-haiku-5-5")
    assert message.usage.input_tokens > 0
    assert message._request_id.startswith("req_")


async def test_a_streamed_message(client):
    """Its events put together are the whole message."""
    async with client.messages.stream(**ASKING) as stream:
        pieces = [text async for text in stream.text_stream]
        message = await stream.get_final_message()
    assert len(pieces) > 3
    assert "".join(pieces) == message.content[0].text == ANSWER
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens > 1


async def test_the_events_come_in_the_documented_order(client):
    """The SDK passes over pings."""
    kinds = [event.type async for event in await client.messages.create(**ASKING, stream=True)]
    assert kinds[:3] == ["message_start", "content_block_start", "content_block_delta"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]


async def test_an_answer_stops_at_its_longest(client):
    """And says why."""
    message = await client.messages.create(**{**ASKING, "max_tokens": 2})
    assert (message.content[0].text, message.stop_reason) == ("You asked:", "max_tokens")


async def test_a_beginning_that_is_marked_is_read_from_the_cache_the_next_time(client):
    """The instructions are shared by conversations; each conversation then has its own."""
    mark = {"type": "ephemeral"}
    system = [{"type": "text", "text": "Be kind. " * 1000, "cache_control": mark}]

    async def usage_of(texts):
        messages = [
            {"role": "assistant" if index % 2 else "user", "content": text}
            for index, text in enumerate(texts)
        ]
        messages[-1]["content"] = [{"type": "text", "text": texts[-1], "cache_control": mark}]
        return (await client.messages.create(**{**ASKING, "system": system, "messages": messages})).usage

    first = await usage_of(["One. " * 100])
    second = await usage_of(["One. " * 100, "Yes.", "Two."])
    other = await usage_of(["Three."])
    assert (first.cache_read_input_tokens, first.input_tokens) == (0, 0)
    assert second.cache_read_input_tokens == first.cache_creation_input_tokens
    assert 2000 < other.cache_read_input_tokens < second.cache_read_input_tokens


async def test_the_models(client):
    """In pages, and by name."""
    names = [model.id async for model in await client.models.list(limit=1)]
    assert "claude-haiku-5-5" in names
    assert (await client.models.retrieve("claude-haiku-5-5")).type == "model"
    with pytest.raises(anthropic.NotFoundError):
        await client.models.retrieve("gpt-5")


@pytest.mark.parametrize(
    ("kind", "error", "named"),
    [
        ("401", anthropic.AuthenticationError, "authentication_error"),
        ("quota", anthropic.PaymentRequiredError, "billing_error"),
        ("429", anthropic.RateLimitError, "rate_limit_error"),
        ("500", anthropic.InternalServerError, "api_error"),
        ("529", anthropic.OverloadedError, "overloaded_error"),
        ("503", anthropic.OverloadedError, "overloaded_error"),
    ],
)
async def test_each_refusal_is_the_sdks_own_error(client, kind, error, named):
    """With the kind and the id that Anthropic gives it."""
    with pytest.raises(error) as caught:
        await client.messages.create(**ASKING, extra_headers=fault(kind))
    assert caught.value.type == named
    assert caught.value.request_id.startswith("req_")


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"model": "gpt-5"}, anthropic.NotFoundError, "model: gpt-5"),
        ({"messages": []}, anthropic.BadRequestError, "messages: Field required"),
        (
            {"messages": [{"role": "assistant", "content": "Hello"}]},
            anthropic.BadRequestError,
            "first message",
        ),
        ({"messages": [{"role": "user", "content": " "}]}, anthropic.BadRequestError, "non-empty"),
        (
            {"messages": [QUESTION, {"role": "assistant", "content": "We"}]},
            anthropic.BadRequestError,
            "prefill",
        ),
    ],
)
async def test_what_the_real_one_would_not_take_is_refused(client, change, error, text):
    """A mistake shows here, and not with the first person who calls."""
    with pytest.raises(error, match=text):
        await client.messages.create(**{**ASKING, **change})


async def test_the_key_is_checked_in_either_header(client, running):
    """As a header of its own, and as a bearer token."""
    assert await client.with_options(api_key="wrong").models.list(
        extra_headers={"x-api-key": KEY, "authorization": ""}
    )
    with pytest.raises(anthropic.AuthenticationError):
        await client.with_options(api_key="wrong").models.list()


@pytest.mark.parametrize("kind", [FaultKind.OVERLOADED_529, FaultKind.RATE_LIMITED])
async def test_the_sdk_tries_again_and_is_answered(client, running, kind):
    """What is told by retry-after is kept to."""
    running.simulators["anthropic"].faults.add(Fault(kind=kind, times=2, retry_after="0.01"))
    message = await client.with_options(max_retries=2).messages.create(**ASKING)
    assert message.content[0].text == ANSWER


async def test_a_stream_in_single_bytes_is_the_same(client):
    """Characters and events are cut wherever they can be."""
    async with client.messages.stream(**ASKING, extra_headers=fault("split")) as stream:
        assert await stream.get_final_text() == ANSWER


async def test_an_error_in_the_middle_of_a_stream(client):
    """What came before it stands; the SDK raises what it says."""
    pieces = []
    with pytest.raises(anthropic.APIStatusError) as caught:  # noqa: PT012
        async with client.messages.stream(
            **ASKING, extra_headers=fault("error_mid_stream;after=5")
        ) as stream:
            async for text in stream.text_stream:
                pieces.append(text)  # noqa: PERF401
    assert "".join(pieces) == "You asked:"
    assert caught.value.type == "overloaded_error"


@pytest.mark.parametrize("kind", ["cut;after=5", "drop"])
async def test_a_connection_that_is_cut(client, kind):
    """Before the answer, and in the middle of it."""
    with pytest.raises((httpx2.TransportError, anthropic.APIConnectionError)):
        async with client.messages.stream(**ASKING, extra_headers=fault(kind)) as stream:
            await stream.get_final_text()


async def test_garbage_in_a_stream(client):
    """The SDK takes it for text, and fails at the bytes that are none."""
    with pytest.raises(UnicodeDecodeError):
        async with client.messages.stream(**ASKING, extra_headers=fault("garbage;after=3")) as stream:
            await stream.get_final_text()
