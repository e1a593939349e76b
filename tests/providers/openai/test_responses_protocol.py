"""What is sent to the Responses API, and what its events mean."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import FunctionToolParam, ResponseFunctionToolCallParam
from openai.types.responses.response_input_item_param import FunctionCallOutput
from pydantic import TypeAdapter

from warmline.errors import ProviderRejected, ProviderUnavailable, RemoteProtocolError
from warmline.interfaces.llm import CallProgress, LlmRequest, Message, Role, ToolCall, ToolSpec
from warmline.interfaces.retriever import Passage
from warmline.providers.openai.responses_events import ResponseStream, kind_and_lane
from warmline.providers.openai.responses_protocol import (
    Held,
    ResponsesSettings,
    held_after,
    response_create,
    response_request,
)

pytestmark = pytest.mark.unit

PASSAGE = Passage("Open from nine.", "Hours", "hours.md", 0.9)
ASKED = Message(Role.USER, "When do you open?", passages=(PASSAGE,))
SAID = Message(Role.ASSISTANT, "At nine.")
NEXT = Message(Role.USER, "And on Sunday?")


def event(kind: str, **fields) -> bytes:
    return json.dumps({"type": kind, "sequence_number": 1, **fields}, ensure_ascii=False).encode()


def sse(*events: bytes) -> bytes:
    return b"".join(b"event: x\ndata: " + each + b"\n\n" for each in events)


CREATED = event("response.created", response={"id": "resp_1", "output": [], "error": None})
DELTAS = [event("response.output_text.delta", item_id="m1", delta=text) for text in ("Grüße, ", "मीरा")]
COMPLETED = event(
    "response.completed",
    response={
        "id": "resp_1",
        "error": None,
        "output": [
            {"type": "reasoning", "summary": []},
            {"type": "message", "content": [{"type": "output_text", "text": "Grüße, मीरा"}]},
        ],
        "usage": {
            "input_tokens": 2006,
            "output_tokens": 9,
            "input_tokens_details": {"cached_tokens": 1920},
        },
    },
)
UNKNOWN = event("response.telepathy.delta", delta={"not": "a text"}, response=7, error=[])
STREAM = sse(CREATED, UNKNOWN, *DELTAS, COMPLETED)


@pytest.mark.parametrize("end", [b"", b"data: [DONE]\n\n"])
@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_a_stream_cut_anywhere_gives_the_same_text(end, cuts):
    """With the mark that ends chat completions and without; events of unknown kinds are passed over."""
    whole = STREAM + end
    stream, text, start = ResponseStream("m"), "", 0
    for stop in [*sorted(cuts), len(whole)]:
        text += "".join(map(str, stream.feed(whole[start:stop])))
        start = stop
    stream.finish()
    assert text == stream.text == "Grüße, मीरा"
    assert (stream.response_id, stream.is_completed) == ("resp_1", True)
    assert (stream.usage.prompt_tokens, stream.usage.cached_tokens, stream.usage.completion_tokens) == (
        2006,
        1920,
        9,
    )


ORDER = ToolCall("call_1", "order", '{"book": "Emma"}')
CALLING = Message(Role.ASSISTANT, "One moment.", tool_calls=(ORDER,))
ORDERED = Message(Role.TOOL, "Emma was ordered.", tool_call_id="call_1")
CALL_ITEM = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "order",
    "status": "completed",
}
CALL_DONE = {**CALL_ITEM, "arguments": ORDER.arguments}
CALL_EVENTS = [
    CREATED,
    event("response.output_text.delta", item_id="m1", delta="One moment."),
    event("response.output_item.done", output_index=0, item={"type": "message", "id": "m1", "content": []}),
    event("response.output_item.added", output_index=1, item={**CALL_ITEM, "arguments": ""}),
    event("response.function_call_arguments.delta", item_id="fc_1", output_index=1, delta='{"book": '),
    event("response.function_call_arguments.delta", item_id="fc_1", output_index=1, delta='"Emma"}'),
    event("response.function_call_arguments.done", item_id="fc_1", output_index=1, arguments=ORDER.arguments),
    event("response.output_item.done", output_index=1, item=CALL_DONE),
    event(
        "response.completed",
        response={
            "id": "resp_1",
            "output": [
                {"type": "message", "content": [{"type": "output_text", "text": "One moment."}]},
                CALL_DONE,
            ],
        },
    ),
]


def test_a_call_comes_whole_and_once():
    """It is in an event of its own, and again at the end of the response."""
    stream = ResponseStream("m")
    assert stream.feed(sse(*CALL_EVENTS)) == ["One moment.", CallProgress(), CallProgress(), ORDER]
    assert stream.calls == (ORDER,)
    late = ResponseStream("m")
    assert late.feed(sse(CREATED, CALL_EVENTS[-1])) == [ORDER]


def test_an_answer_to_a_call_is_built_upon_the_response_with_it():
    """The far end has the call; it is sent the answer alone."""
    stream = ResponseStream("m")
    stream.feed(sse(*CALL_EVENTS))
    held = held_after([ASKED], stream)
    assert held == Held("resp_1", (ASKED, CALLING))
    body = created([ASKED, CALLING, ORDERED], held)
    assert body["previous_response_id"] == "resp_1"
    assert body["input"] == [
        {"type": "function_call_output", "call_id": "call_1", "output": "Emma was ordered."}
    ]


@pytest.mark.parametrize(
    "messages",
    [
        [ASKED, Message(Role.ASSISTANT, "One moment."), NEXT],
        [ASKED, Message(Role.ASSISTANT, "One", tool_calls=(ORDER,)), ORDERED],
        [ASKED, NEXT],
    ],
    ids=["without the call", "half heard", "nothing of it"],
)
def test_a_call_that_is_no_more_in_the_context_is_not_built_upon(messages):
    """The far end would ask for its answer."""
    body = created(messages, Held("resp_1", (ASKED, CALLING)))
    assert "previous_response_id" not in body


def test_a_call_that_was_broken_off_is_answered_so():
    """Whoever went on talking is answered with the call in mind."""
    body = created([ASKED, CALLING, NEXT], Held("resp_1", (ASKED, CALLING)))
    assert body["previous_response_id"] == "resp_1"
    output, asked = body["input"]
    assert (output["call_id"], "broken off" in output["output"]) == ("call_1", True)
    assert asked["content"][0]["text"] == "And on Sunday?"


def test_tools_calls_and_answers_are_those_of_the_official_sdk():
    """The tools stand before all else in the provider's cache, and are the same in each request."""
    schema = {"type": "object", "properties": {"book": {"type": "string"}}}
    request = LlmRequest([ASKED, CALLING, ORDERED], tools=[ToolSpec("order", "Order a book.", schema)])
    body = json.loads(response_request(request, ResponsesSettings("m")).body)
    _, said, call, output = body["input"]
    for part, kind in (
        (call, ResponseFunctionToolCallParam),
        (output, FunctionCallOutput),
        (body["tools"][0], FunctionToolParam),
    ):
        TypeAdapter(kind).validate_python(part, strict=True, extra="forbid")
    assert said["content"][0]["text"] == "One moment."
    assert (call["call_id"], call["arguments"]) == ("call_1", ORDER.arguments)
    assert body["tools"][0]["parameters"] == schema
    silent = Message(Role.ASSISTANT, "", tool_calls=(ORDER,))
    request = LlmRequest([ASKED, silent, ORDERED])
    items = json.loads(response_request(request, ResponsesSettings("m")).body)["input"]
    assert [item["type"] for item in items] == ["message", "function_call", "function_call_output"]


@given(events=st.lists(st.one_of(st.binary(max_size=100), st.sampled_from([*CALL_EVENTS, *DELTAS, UNKNOWN]))))
def test_any_bytes_give_text_or_an_error_of_ours(events):
    """Nothing else may come out of it."""
    stream = ResponseStream("m")
    for each in events:
        kind_and_lane(each)
        try:
            assert isinstance(stream.take(each), list)
        except (RemoteProtocolError, ProviderUnavailable, ProviderRejected):
            return


@pytest.mark.parametrize(
    ("failure", "kind", "said"),
    [
        (event("error", code="server_error", message="Sorry.", param=None), ProviderUnavailable, "Sorry"),
        (
            event("error", status=400, error={"code": "model_not_found", "message": "No such model."}),
            ProviderRejected,
            "No such model",
        ),
        (
            event("response.failed", response={"error": {"code": "rate_limit_exceeded", "message": "Slow."}}),
            ProviderUnavailable,
            "higher rate limit",
        ),
        (
            event("response.failed", response={"error": {"code": "invalid_prompt", "message": "No."}}),
            ProviderRejected,
            "No",
        ),
        (event("response.failed", response={"error": None}), ProviderUnavailable, "500"),
    ],
)
def test_a_failure_is_told_in_whichever_way_it_comes(failure, kind, said):
    """As an event of HTTP's stream, as one of the socket, and as the end of a response."""
    stream = ResponseStream("m")
    stream.take(CREATED)
    with pytest.raises(kind, match=said) as caught:
        stream.take(failure)
    assert (caught.value.phase, caught.value.request_id) == ("first_result", "resp_1")


def test_an_answer_at_its_longest_is_one_and_one_that_just_ends_is_not():
    """What is incomplete was said, but is not built upon; what was cut is an error."""
    stream = ResponseStream("m")
    stream.feed(sse(CREATED, DELTAS[0]))
    with pytest.raises(ProviderUnavailable, match="cut off"):
        stream.finish()
    stream.take(
        event("response.incomplete", response={"incomplete_details": {"reason": "max_output_tokens"}})
    )
    stream.finish()
    assert (stream.incomplete_reason, stream.text) == ("max_output_tokens", "Grüße, ")
    assert held_after([ASKED], stream) is None


def test_what_a_model_says_before_its_answer_is_kept_apart_from_it():
    """Two items are two sentences, and a refusal is spoken like any answer."""
    stream = ResponseStream("m")
    text = stream.take(event("response.output_text.delta", item_id="a", delta="One moment."))
    text += stream.take(event("response.refusal.delta", item_id="b", delta="I can't."))
    assert "".join(map(str, text)) == "One moment. I can't."


def test_over_http_every_request_has_the_whole_context_and_begins_alike():
    """So that the provider's cache holds it; what was said is not stored."""
    bodies = [
        json.loads(response_request(LlmRequest(messages, "Be kind."), ResponsesSettings("m")).body)
        for messages in ([ASKED], [ASKED, SAID, NEXT])
    ]
    assert bodies[1]["input"][:1] == bodies[0]["input"]
    assert bodies[0]["instructions"] == bodies[1]["instructions"]
    assert bodies[0]["instructions"].endswith("Be kind.")
    assert "Open from nine." in bodies[0]["input"][0]["content"][0]["text"]
    assert [item["content"][0]["type"] for item in bodies[1]["input"]] == [
        "input_text",
        "output_text",
        "input_text",
    ]
    assert (bodies[0]["store"], bodies[0]["prompt_cache_key"]) == (False, "warmline")
    assert "reasoning" not in bodies[0]


def created(messages, held=None, **options):
    settings = ResponsesSettings("m", reasoning_effort="low", max_tokens=50)
    return json.loads(response_create(LlmRequest(messages), settings, "turn-2", held, **options))


def test_over_the_socket_only_what_is_new_is_sent():
    """Where the far end holds the rest: what was asked, and the answer as it gave it."""
    held = Held("resp_1", (ASKED, Message(Role.ASSISTANT, " At nine.\n")))
    body = created([ASKED, SAID, NEXT], held)
    assert body["previous_response_id"] == "resp_1"
    assert [item["content"][0]["text"] for item in body["input"]] == ["And on Sunday?"]
    assert body["instructions"]
    assert (body["type"], body["stream_id"]) == ("response.create", "turn-2")
    assert (body["reasoning"], body["max_output_tokens"]) == ({"effort": "low"}, 50)
    assert "stream" not in body


@pytest.mark.parametrize(
    "messages",
    [
        [ASKED, Message(Role.ASSISTANT, "At"), NEXT],
        [ASKED, NEXT],
        [Message(Role.USER, "When do you open?"), SAID, NEXT],
        [ASKED, SAID],
        [NEXT],
    ],
    ids=["interrupted", "nothing heard", "other passages", "nothing new", "another conversation"],
)
def test_the_whole_context_is_sent_where_the_far_end_holds_another(messages):
    """What was not heard was not said, whatever the far end believes."""
    body = created(messages, Held("resp_1", (ASKED, SAID)))
    assert "previous_response_id" not in body
    assert len(body["input"]) == len(messages)


@given(
    turns=st.lists(st.tuples(st.text(min_size=1), st.text()), min_size=1, max_size=5), heard_all=st.booleans()
)
def test_what_the_far_end_reads_is_the_context_whichever_way_it_is_sent(turns, heard_all):
    """Held messages and new ones together are all of them."""
    *before, (question, _) = turns
    messages = [
        Message(role, text)
        for asked, said in before
        for role, text in ((Role.USER, asked), (Role.ASSISTANT, said))
    ]
    held = Held("r", tuple(messages if heard_all else [*messages, SAID]))
    wanted = [*messages, Message(Role.USER, question)]
    new = held.new_messages(wanted)
    assert ([*held.messages, *new] if new is not None else wanted) == wanted
    assert (new is not None) == heard_all


def test_a_warm_up_is_built_upon():
    """The far end has read what it was sent, and has said nothing."""
    assert created([ASKED], generate=False)["generate"] is False
    stream = ResponseStream("m")
    stream.take(CREATED)
    stream.take(event("response.completed", response={"id": "resp_1", "output": []}))
    held = held_after([ASKED], stream)
    assert held == Held("resp_1", (ASKED,))
    assert created([ASKED, NEXT], held)["previous_response_id"] == "resp_1"
