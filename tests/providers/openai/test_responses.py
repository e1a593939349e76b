"""The Responses API over HTTP, against the simulated OpenAI over real TLS."""

from contextlib import asynccontextmanager

import anyio
import pytest

from warmline.core.line_use import LineUse
from warmline.errors import ProviderRejected, ProviderUnavailable
from warmline.interfaces.llm import LlmRequest, Message, Role
from warmline.providers.openai.responses import OpenAiResponses
from warmline.providers.openai.responses_protocol import ResponsesSettings

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

ASKED = LlmRequest([Message(Role.USER, "Wann öffnet ihr?")])
ANSWER = "You asked: Wann öffnet ihr? We öffnen at nine. नमस्ते"


@asynccontextmanager
async def responses(openai, *, model="gpt-5.5", key="simulated-key", silence_s=5.0):
    async with openai.http(key=key) as lines:
        yield OpenAiResponses(lines, ResponsesSettings(model), silence_s=silence_s)


async def answer(model, request=ASKED, on_line=None):
    async with model.stream(request, on_line) as text:
        return "".join([piece async for piece in text])


async def test_an_answer_comes_in_pieces_and_leaves_its_line_for_the_next(openai):
    """The terminal event is not the end of the body; what comes after it is read."""
    uses: list[LineUse] = []
    async with responses(openai) as model:
        for _ in range(3):
            async with model.stream(ASKED, uses.append) as text:
                pieces = [piece async for piece in text]
            assert "".join(pieces) == ANSWER
            assert len(pieces) > 3
    assert len({use.line_id for use in uses}) == 1


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        ("401", ProviderRejected, "OPENAI_API_KEY"),
        ("429;retry-after=0.01", ProviderUnavailable, "higher rate limit"),
        ("429_old", ProviderUnavailable, "higher rate limit"),
        ("quota", ProviderRejected, "billing"),
        ("500;times=0", ProviderUnavailable, "status page"),
        ("error_mid_stream", ProviderUnavailable, "status page"),
        ("garbage;after=1", ProviderUnavailable, "openai.base_urls"),
        ("garbage;after=6", ProviderUnavailable, "openai.base_urls"),
        ("cut;after=6", ProviderUnavailable, "dropped"),
        ("half_close;after=6", ProviderUnavailable, "dropped"),
        ("stall;after=6", ProviderUnavailable, "nothing more came for 0.3 s"),
    ],
)
async def test_each_failure_is_told_for_what_it_is(openai, fault, kind, said):
    """And none of them takes longer than it may."""
    openai.fault(fault.replace("retry-after", "retry_after"))
    async with responses(openai, silence_s=0.3) as model:
        with anyio.fail_after(3), pytest.raises(kind, match=said) as caught:
            await answer(model)
    assert caught.value.provider == "openai"
    assert "simulated-key" not in str(caught.value)


async def test_a_model_that_does_not_exist_is_the_operators_to_change(openai):
    async with responses(openai, model="claude") as model:
        with pytest.raises(ProviderRejected, match="models in the") as caught:
            await answer(model)
    assert caught.value.request_id.startswith("req_")


@pytest.mark.parametrize("fault", ["500", "503", "drop", "split;times=0", "wrong_order;after=2"])
async def test_what_can_be_made_good_is_not_noticed(openai, fault):
    """Asked again after a failure, joined from single bytes, or in another order that says nothing."""
    openai.fault(fault)
    async with responses(openai) as model:
        with anyio.fail_after(5):
            assert await answer(model) == ANSWER


async def test_what_was_said_before_a_cut_stands(openai):
    """It may have been spoken already."""
    openai.fault("cut;after=8")
    got = []
    async with responses(openai) as model:
        with pytest.raises(ProviderUnavailable):  # noqa: PT012
            async with model.stream(ASKED) as text:
                async for piece in text:
                    got.append(piece)  # noqa: PERF401
    assert got
    assert ANSWER.startswith("".join(got))
    assert "".join(got) != ANSWER


async def test_leaving_early_lets_the_next_answer_come_at_once(openai):
    """The rest of the answer is on a connection that is closed."""
    openai.simulator.script.token_ms = 200
    async with responses(openai) as model:
        async with model.stream(ASKED) as text:
            await anext(text)
        openai.simulator.script.token_ms = 1
        with anyio.fail_after(2):
            assert await answer(model) == ANSWER
