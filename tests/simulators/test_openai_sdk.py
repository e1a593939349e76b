"""The official OpenAI SDK, unchanged, against the simulated OpenAI over real TLS."""

import io
import json
import ssl
import wave
from contextlib import asynccontextmanager
from itertools import pairwise

import anyio
import httpx2
import numpy as np
import openai as sdk
import pytest

from warmline.simulators.running import KEY

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

QUESTION = [{"role": "user", "content": "When?"}]
ANSWER = "You asked: When? We öffnen at nine. नमस्ते"


def trusting(openai):
    return ssl.create_default_context(cafile=openai.certificate)


@asynccontextmanager
async def client_of(openai, **options):
    http = sdk.DefaultAsyncHttpx2Client(verify=trusting(openai))
    async with sdk.AsyncOpenAI(**{
        "api_key": KEY,
        "base_url": openai.url,
        "http_client": http,
        **options,
    }) as client:
        yield client


@pytest.fixture
async def client(openai):
    async with client_of(openai) as made:
        yield made


async def asked(client, **options):
    return await client.chat.completions.create(model="gpt-5.5", messages=QUESTION, **options)


async def test_a_completion(client):
    """Whole, and in chunks of which the last has the usage and no choice."""
    whole = await asked(client)
    assert whole.choices[0].message.content == ANSWER
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    assert whole._request_id.startswith("req_")
    chunks = [
        chunk async for chunk in await asked(client, stream=True, stream_options={"include_usage": True})
    ]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == ANSWER
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert (chunks[-1].choices, chunks[-1].usage) == ([], whole.usage)
    assert all(chunk.usage is None and chunk.obfuscation for chunk in chunks[:-1])
    async for chunk in await asked(client, stream=True, stream_options={"include_obfuscation": False}):
        assert chunk.obfuscation is None


async def test_a_long_prompt_is_cached(client):
    """From 1,024 tokens on, in steps of 128."""
    messages = [{"role": "system", "content": "Be kind. " * 700}, *QUESTION]
    used = [
        (
            await client.chat.completions.create(model="gpt-5.5", messages=messages, prompt_cache_key="k")
        ).usage.prompt_tokens_details.cached_tokens
        for _ in range(2)
    ]
    assert used[0] == 0
    assert used[1] >= 1024
    assert used[1] % 128 == 0


async def test_a_response(client):
    """Whole, in events, and built upon the one before it."""
    whole = await client.responses.create(model="gpt-5.5", input="When?")
    assert whole.output_text == ANSWER
    assert whole._request_id.startswith("req_")
    events = [
        event
        async for event in await client.responses.create(
            model="gpt-5.5", input="And then?", previous_response_id=whole.id, stream=True
        )
    ]
    assert [event.type for event in events if not event.type.endswith("text.delta")] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == sorted({event.sequence_number for event in events})
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == events[-1].response.output_text == ANSWER.replace("When?", "And then?")
    assert events[-1].response.usage.input_tokens > whole.usage.input_tokens


async def test_a_response_that_was_not_stored_can_not_be_built_upon(client):
    whole = await client.responses.create(model="gpt-5.5", input="When?", store=False)
    with pytest.raises(sdk.BadRequestError) as caught:
        await client.responses.create(model="gpt-5.5", input="And?", previous_response_id=whole.id)
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")


@asynccontextmanager
async def connected(openai, client):
    options = {"ssl": trusting(openai)}
    async with client.responses.connect(websocket_connection_options=options) as connection:
        yield connection


def create(question="When?", **fields):
    content = [{"type": "input_text", "text": question}]
    item = {"type": "message", "role": "user", "content": content}
    return {"type": "response.create", "model": "gpt-5.5", "input": [item], **fields}


async def until_done(connection, *, count=1):
    """Return the events until so many responses are over, however that is."""
    events = []
    with anyio.fail_after(5):
        while count:
            events.append(await connection.recv())
            count -= events[-1].type in ("response.completed", "error")
    return events


async def test_responses_over_the_socket_are_built_upon_each_other(openai, client):
    """Also without being stored, as long as it is the newest of its lane and the socket lives."""
    async with connected(openai, client) as connection:
        await connection.send(create(store=False))
        first = (await until_done(connection))[-1].response
        assert first.output_text == ANSWER
        await connection.send(create("And?", store=False, previous_response_id=first.id))
        second = (await until_done(connection))[-1].response
        assert second.usage.input_tokens > first.usage.input_tokens
        await connection.send(create("Again?", store=False, previous_response_id=first.id))
        (failure,) = await until_done(connection)
        assert failure.error.code == "previous_response_not_found"
    async with connected(openai, client) as connection:
        await connection.send(create("And?", store=False, previous_response_id=second.id, stream_id="a"))
        (failure,) = await until_done(connection)
        assert (failure.error.code, failure.status, failure.stream_id) == (
            "previous_response_not_found",
            400,
            "a",
        )


async def test_lanes_go_on_side_by_side_and_each_in_order(openai, client):
    openai.simulator.script.token_ms = 5
    async with connected(openai, client) as connection:
        for lane, question in (("a", "One?"), ("a", "Two?"), ("b", "Three?")):
            await connection.send(create(question, stream_id=lane))
        events = await until_done(connection, count=3)
    done = [event for event in events if event.type == "response.completed"]
    assert [event.response.output_text.split("?")[0] for event in done if event.stream_id == "a"] == [
        "You asked: One",
        "You asked: Two",
    ]
    lanes = [event.stream_id for event in events if event.type == "response.output_text.delta"]
    assert sum(before != after for before, after in pairwise(lanes)) > 4
    assert [event.type for event in events if event.stream_id == "a"].index("response.completed") > 2


async def test_a_warm_up_says_nothing_and_is_built_upon(openai, client):
    async with connected(openai, client) as connection:
        await connection.send(create("Be ready.", generate=False))
        warm = (await until_done(connection))[-1].response
        assert warm.output == []
        await connection.send(create(previous_response_id=warm.id))
        assert (await until_done(connection))[-1].response.output_text == ANSWER


async def test_a_sockets_hour_ends_with_an_error(openai, client):
    openai.simulator.script.idle_s = 0.1
    async with connected(openai, client) as connection:
        (failure,) = await until_done(connection)
        assert failure.error.code == "websocket_connection_limit_reached"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"stream_id": "a b"}, "invalid_stream_id"),
        ({"model": "claude"}, "model_not_found"),
        ({"response": {}}, "unknown_parameter"),
        ({"type": "response.cancel"}, "invalid_value"),
        ({"input": [{"role": "user"}]}, "missing_required_parameter"),
    ],
)
async def test_a_wrong_message_is_an_error_and_the_socket_stays(openai, client, fields, code):
    async with connected(openai, client) as connection:
        await connection.send_raw(json.dumps({**create(), **fields}))
        (failure,) = await until_done(connection)
        assert failure.error.code == code
        await connection.send(create())
        assert (await until_done(connection))[-1].response.output_text == ANSWER


async def test_a_socket_has_so_many_lanes_and_no_more(openai, client):
    async with connected(openai, client) as connection:
        for number in range(33):
            await connection.send(create(stream_id=f"{number}"))
        events = await until_done(connection, count=33)
    assert [(event.stream_id, event.error.code) for event in events if event.type == "error"] == [
        ("32", "websocket_stream_limit_reached")
    ]


async def test_embeddings_are_of_length_1_and_alike_where_the_texts_are(client):
    """In base64, which the SDK asks for by itself, and as figures."""
    texts = ["When do you open?", "What are your opening hours?", "A cat sat on a mat."]
    answer = await client.embeddings.create(model="text-embedding-3-small", input=texts)
    vectors = np.array([each.embedding for each in answer.data])
    assert vectors.shape == (3, 1536)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    plain = await client.embeddings.create(
        model="text-embedding-3-small", input=texts[0], encoding_format="float", dimensions=384
    )
    np.testing.assert_allclose(plain.data[0].embedding, vectors[0, :384], atol=1e-5)


async def test_models(client):
    models = [model.id async for model in client.models.list()]
    assert "gpt-5.5" in models
    assert (await client.models.retrieve("gpt-5.5")).owned_by == "openai"
    with pytest.raises(sdk.NotFoundError) as caught:
        await client.models.retrieve("claude")
    assert caught.value.code == "model_not_found"


def recording(seconds=0.5):
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16_000)
        writer.writeframes(bytes(int(seconds * 32_000)))
    return file.getvalue()


async def test_a_transcription(openai, client):
    """Whole, and in pieces."""
    openai.simulator.script.transcript = "Please open the door."
    file = ("a.wav", recording())
    whole = await client.audio.transcriptions.create(model="gpt-transcribe", file=file)
    assert whole.text == "Please open the door."
    events = [
        event
        async for event in await client.audio.transcriptions.create(
            model="gpt-transcribe", file=file, stream=True
        )
    ]
    assert "".join(event.delta for event in events[:-1]) == events[-1].text == whole.text


@pytest.mark.parametrize(
    ("name", "content", "model", "kind", "code"),
    [
        ("a.txt", recording(), "gpt-transcribe", sdk.BadRequestError, "invalid_value"),
        ("a.wav", b"RIFF, or so it says", "gpt-transcribe", sdk.BadRequestError, "invalid_value"),
        ("a.wav", recording(), "gpt-5.5", sdk.NotFoundError, "model_not_found"),
        ("a.wav", bytes(26 * 1024 * 1024), "whisper-1", sdk.APIStatusError, "invalid_value"),
    ],
)
async def test_a_recording_that_is_refused(client, name, content, model, kind, code):
    with pytest.raises(kind) as caught:
        await client.audio.transcriptions.create(model=model, file=(name, content))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ("401", sdk.AuthenticationError, "invalid_api_key"),
        ("429", sdk.RateLimitError, "rate_limit_exceeded"),
        ("quota", sdk.RateLimitError, "insufficient_quota"),
        ("500", sdk.InternalServerError, None),
        ("503", sdk.InternalServerError, None),
    ],
)
async def test_a_refusal_is_the_error_that_it_is(openai, fault, kind, code):
    """By the header of one request, and by the control endpoint for those that come."""
    async with client_of(openai, max_retries=0) as client:
        with pytest.raises(kind) as caught:
            await asked(client, extra_headers={"x-simulated-fault": fault})
        assert caught.value.code == code
        assert caught.value.request_id.startswith("req_")
        control = openai.url.removesuffix("/v1") + "/_simulator/faults"
        async with httpx2.AsyncClient(verify=trusting(openai)) as outside:
            await outside.post(control, content=f"{fault};path=completions;times=2")
            assert (await outside.get(control)).json()[0]["kind"] == fault
        await client.models.list()
        for _ in range(2):
            with pytest.raises(kind):
                await asked(client)
        assert (await asked(client)).choices[0].message.content == ANSWER


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"messages": []}, "empty_array", "messages"),
        ({"messages": [{"role": "bot", "content": "x"}]}, "invalid_value", "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "missing_required_parameter", "messages[0].content"),
        ({"messages": "x"}, "invalid_type", "messages"),
        ({"temperature": 3}, "invalid_value", "temperature"),
        ({"reasoning_effort": "much"}, "invalid_value", "reasoning_effort"),
        ({"max_tokens": 10}, "unsupported_parameter", "max_tokens"),
        ({"max_output_tokens": 10}, "unknown_parameter", "max_output_tokens"),
        ({"stream_options": {"include_usage": True}}, "invalid_value", "stream_options"),
    ],
)
async def test_a_wrong_completion_is_refused(client, body, code, param):
    with pytest.raises(sdk.BadRequestError) as caught:
        await client.post(
            "/chat/completions", body={"model": "gpt-5.5", "messages": QUESTION, **body}, cast_to=object
        )
    assert (caught.value.code, caught.value.param) == (code, param)


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"input": None}, "missing_required_parameter", "input"),
        ({"messages": QUESTION}, "unknown_parameter", "messages"),
        ({"max_tokens": 10}, "unknown_parameter", "max_tokens"),
        ({"max_output_tokens": 10}, "invalid_value", "max_output_tokens"),
        ({"generate": False}, "unknown_parameter", "generate"),
        ({"reasoning": {"effort": "much"}}, "invalid_value", "reasoning.effort"),
        ({"input": [{"role": "bot", "content": "x"}]}, "invalid_value", "input[0].role"),
        (
            {"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]},
            "invalid_value",
            "input[0].content[0].type",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text"}]}]},
            "missing_required_parameter",
            "input[0].content[0].text",
        ),
    ],
)
async def test_a_wrong_response_is_refused(client, body, code, param):
    with pytest.raises(sdk.BadRequestError) as caught:
        await client.post("/responses", body={"model": "gpt-5.5", "input": "x", **body}, cast_to=object)
    assert (caught.value.code, caught.value.param) == (code, param)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"input": []}, "empty_array"),
        ({"input": ["x"] * 2049}, "invalid_value"),
        ({"input": ["a", ""]}, "invalid_value"),
        ({"input": "x" * 40_000}, "context_length_exceeded"),
        ({"dimensions": 10_000}, "invalid_value"),
        ({"dimensions": "many"}, "invalid_type"),
        ({"encoding_format": "hex"}, "invalid_value"),
    ],
)
async def test_wrong_embeddings_are_refused(client, body, code):
    with pytest.raises(sdk.BadRequestError) as caught:
        await client.post(
            "/embeddings", body={"model": "text-embedding-3-small", "input": "x", **body}, cast_to=object
        )
    assert caught.value.code == code


async def test_the_sdk_tries_again_as_it_is_told(openai, client):
    """After a pause in milliseconds, after a failure of the far end, and not after too long a pause."""
    openai.fault("429;retry_after=0.3")
    with anyio.fail_after(5):
        assert (await asked(client)).choices[0].message.content == ANSWER
    first, second = openai.simulator.requests
    assert (first.status, second.status) == (429, 200)
    assert 0.2 < second.at_s - first.at_s < 0.5
    openai.fault("500")
    await asked(client)
    assert openai.asked("/chat/completions") == 4
    openai.fault("429_old;retry_after=121")
    with pytest.raises(sdk.RateLimitError) as caught:
        await asked(client)
    assert caught.value.response.headers["retry-after"] == "121"
    assert openai.asked("/chat/completions") == 5


async def pieces(stream):
    """Return what came, and what ended it."""
    got = []
    try:
        async for each in stream:
            got.append(each)  # noqa: PERF401
    except sdk.APIError as error:
        return got, error
    return got, None


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize(
    ("fault", "kind"),
    [("error_mid_stream;after=4", sdk.APIError), ("cut;after=4", sdk.APIConnectionError)],
)
async def test_a_stream_that_breaks_off(openai, client, api, fault, kind):
    """What came stands, and the SDK does not try again."""
    openai.fault(fault)
    if api == "chat":
        got, error = await pieces(await asked(client, stream=True))
    else:
        got, error = await pieces(await client.responses.create(model="gpt-5.5", input="When?", stream=True))
    if api == "responses" and kind is sdk.APIError:
        # There it is an event like any other.
        assert (got.pop().type, error) == ("error", None)
    else:
        assert type(error) is kind
    assert len(got) == 4
    assert len(openai.simulator.requests) == 1


async def test_a_stream_in_single_bytes_is_the_same(openai, client):
    """Characters and lines are cut wherever they can be."""
    openai.fault("split")
    got, error = await pieces(await asked(client, stream=True))
    assert error is None
    assert "".join(chunk.choices[0].delta.content or "" for chunk in got) == ANSWER
