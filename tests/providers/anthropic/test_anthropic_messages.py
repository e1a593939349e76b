"""The language model over real lines, against a simulated Anthropic."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
import pytest

from warmline.core.clock import SystemClock
from warmline.core.line_use import LineUse
from warmline.errors import ProviderRejected, ProviderUnavailable
from warmline.interfaces.llm import LlmRequest, Message, Role
from warmline.pool.dialling import Dialler, ssl_context
from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.resolver import Resolver
from warmline.pool.shelf import ShelfPolicy
from warmline.providers.anthropic.messages import RETRY, AnthropicMessages, anthropic_headers
from warmline.providers.anthropic.protocol import MODELS, MessagesSettings
from warmline.server.assembly import open_providers
from warmline.server.services.knowledge import load_knowledge
from warmline.server.settings import AnthropicTable, Secret, Settings
from warmline.simulators.faults import Fault, FaultKind
from warmline.simulators.running import KEY, Running, simulators_running
from warmline.simulators.script import Script

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

SCRIPT = Script(first_token_ms=1, token_ms=0, reply="You asked: {question}", key=KEY)
ASKED = LlmRequest([
    Message(Role.ASSISTANT, "Hello, this is the library."),
    Message(Role.USER, "When are you open?"),
])
ANSWER = "You asked: When are you open?"


@pytest.fixture(scope="module")
async def running(anyio_backend) -> AsyncIterator[Running]:
    async with simulators_running(only=["anthropic"], scripts={"anthropic": SCRIPT}) as running:
        yield running


@pytest.fixture
def faults(running):
    queue = running.simulators["anthropic"].faults
    yield queue
    queue.clear()


@asynccontextmanager
async def messages(
    running: Running, key: str = KEY, model: str = "claude-haiku-5-5"
) -> AsyncIterator[AnthropicMessages]:
    clock = SystemClock()
    dialler = Dialler(Resolver(clock), clock, tls=ssl_context(str(running.certificate)))
    async with HttpEndpoint(
        "anthropic",
        [running.base_urls["anthropic"]],
        dialler,
        ShelfPolicy(),
        clock,
        headers=anthropic_headers(key),
        probe=MODELS,
        retry=replace(RETRY, retries=1, backoff_s=0.01),
    ) as endpoint:
        await endpoint.pool.until_warm()
        yield AnthropicMessages(endpoint, MessagesSettings(model))


async def answer(llm: AnthropicMessages, on_line=None) -> str:
    async with llm.stream(ASKED, on_line) as text:
        return "".join([str(piece) async for piece in text])


async def test_an_answer_comes_in_pieces_on_a_line_that_was_open_before(running):
    """The turn pays nothing for the connection, and nothing is left in the middle."""
    uses: list[LineUse] = []
    async with messages(running) as llm:
        await llm.check_key()
        for _ in range(3):
            assert await answer(llm, uses.append) == ANSWER
    assert len({use.line_id for use in uses}) == 1
    assert all(use.reused and use.waited_s < 0.05 for use in uses)


@pytest.mark.parametrize("kind", [FaultKind.OVERLOADED_529, FaultKind.SERVER_ERROR, FaultKind.DROP])
async def test_one_failure_is_made_good_without_anybody_hearing_of_it(running, faults, kind):
    """Overloaded, broken, or gone before it answered."""
    async with messages(running) as llm:
        faults.add(Fault(kind=kind))
        assert await answer(llm) == ANSWER


@pytest.mark.parametrize(
    ("kind", "error", "told"),
    [
        (FaultKind.OVERLOADED_529, ProviderUnavailable, "529 overloaded_error"),
        (FaultKind.RATE_LIMITED, ProviderUnavailable, "429 rate_limit_error"),
        (FaultKind.QUOTA, ProviderRejected, "402 billing_error"),
    ],
)
async def test_a_failure_that_lasts_says_what_to_do(running, faults, kind, error, told):
    """And which request it was, for Anthropic's support."""
    async with messages(running) as llm:
        faults.add(Fault(kind=kind, times=0))
        with pytest.raises(error, match=told) as caught:
            await answer(llm)
    assert caught.value.request_id.startswith("req_")


async def test_a_wrong_key_is_told_without_showing_it(running):
    """By the check at the start, and by an answer."""
    async with messages(running, key="sk-ant-wrong") as llm:
        for asking in (llm.check_key(), answer(llm)):
            with pytest.raises(ProviderRejected, match="ANTHROPIC_API_KEY") as caught:
                await asking
            assert "sk-ant" not in str(caught.value)


async def test_a_model_that_does_not_exist_is_named(running):
    """It is the likeliest mistake."""
    async with messages(running, model="gpt-5") as llm:
        with pytest.raises(ProviderRejected, match=r"anthropic\.model"):
            await answer(llm)


@pytest.mark.parametrize("kind", [FaultKind.SPLIT, FaultKind.GARBAGE])
async def test_what_comes_in_single_bytes_or_with_a_line_of_garbage_is_the_same(running, faults, kind):
    """Lines that are no field of an event are passed over."""
    async with messages(running) as llm:
        faults.add(Fault(kind=kind))
        assert await answer(llm) == ANSWER


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (FaultKind.CUT, "connection was dropped"),
        (FaultKind.ERROR_MID_STREAM, "529 overloaded_error"),
    ],
)
async def test_an_answer_that_breaks_off_is_an_error_after_what_came(running, faults, kind, told):
    """What was said stands; that it is not all is known."""
    got: list[str] = []
    async with messages(running) as llm:
        faults.add(Fault(kind=kind, after=5))
        with pytest.raises(ProviderUnavailable, match=told):  # noqa: PT012
            async with llm.stream(ASKED) as text:
                async for piece in text:
                    got.append(str(piece))  # noqa: PERF401
    assert ANSWER.startswith("".join(got))


@pytest.mark.parametrize(("key", "problem"), [(KEY, ""), ("wrong-key", "set ANTHROPIC_API_KEY")])
async def test_a_server_with_a_key_for_it_answers_by_it_and_knows_whether_it_is_accepted(
    running, key, problem
):
    """Nothing else has to be set; a key that is refused is shown before anybody speaks."""
    url = running.base_urls["anthropic"]
    settings = Settings(
        anthropic=AnthropicTable(api_key=Secret(key), base_urls=(url,)),
        lines=replace(Settings().lines, certificate=running.certificate),
    )
    async with open_providers(settings, await load_knowledge(settings)) as providers:
        assert providers.answers_by == "claude-haiku-5-5 at localhost"
        assert problem in "".join(providers.problems)
        assert bool(providers.problems) == bool(problem)


async def test_an_interrupted_answer_costs_its_line_and_the_next_one_has_another(running, faults):
    """Barge-in: the rest is not waited for."""
    uses: list[LineUse] = []
    async with messages(running) as llm:
        faults.add(Fault(kind=FaultKind.STALL, after=4))
        with anyio.fail_after(2):
            async with llm.stream(ASKED, uses.append) as text:
                async for _ in text:
                    break
        assert await answer(llm, uses.append) == ANSWER
    assert uses[0].line_id != uses[1].line_id
