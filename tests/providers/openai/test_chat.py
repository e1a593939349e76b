"""The language model over real lines."""

from dataclasses import replace

import anyio
import pytest
from aiohttp import web

from tests.pool.far_end import far_end
from warmline.core.clock import SystemClock
from warmline.core.line_use import LineUse
from warmline.errors import ProviderRejected, ProviderUnavailable
from warmline.interfaces.llm import LlmRequest, Message, Role
from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.retrying import RetryPolicy
from warmline.pool.shelf import ShelfPolicy
from warmline.providers.openai.chat import OpenAiChat, openai_headers
from warmline.providers.openai.protocol import MODELS, ChatSettings
from warmline.server.assembly import open_providers
from warmline.server.services.knowledge import load_knowledge
from warmline.server.settings import OpenAiTable, Secret, Settings

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

ASKED = LlmRequest([Message(Role.USER, "When do you open?")])


async def completions(request: web.Request) -> web.StreamResponse:
    """Answer a word at a time, as the real one frames it; break off where the question says so."""
    if request.headers.get("authorization") != "Bearer good":
        return web.json_response(
            {"error": {"message": "Incorrect API key: wr***", "code": "invalid_api_key"}}, status=401
        )
    asked = (await request.json())["messages"][-1]["content"]
    response = web.StreamResponse(headers={"content-type": "text/event-stream", "x-request-id": "req_9"})
    await response.prepare(request)
    for word in ("We ", "open ", "at ", "nine."):
        await response.write(b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % word.encode())
        if asked == "cut":
            return response
    await response.write(
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    )
    return response


async def models(request: web.Request) -> web.StreamResponse:
    if request.headers.get("authorization") != "Bearer good":
        return web.json_response({"error": {"message": "wr***", "code": "invalid_api_key"}}, status=401)
    return web.json_response({"object": "list", "data": []})


ROUTES = {"/v1/chat/completions": completions, "/v1/models": models}


def endpoint(far, key: str = "good", **policy) -> HttpEndpoint:
    return HttpEndpoint(
        "openai",
        [f"{far.url}/v1"],
        far.dialler,
        ShelfPolicy(**policy),
        SystemClock(),
        headers=openai_headers(key),
        probe=MODELS,
        retry=RetryPolicy(retries=1, backoff_s=0.01),
    )


async def test_an_answer_comes_in_pieces_on_a_line_that_was_open_before():
    """The turn pays nothing for the connection, and nothing is left in the middle."""
    uses: list[LineUse] = []
    async with far_end(ROUTES) as far, endpoint(far) as lines:
        chat = OpenAiChat(lines, ChatSettings("m"))
        await chat.check_key()
        await lines.pool.until_warm()
        for _ in range(3):
            async with chat.stream(ASKED, uses.append) as text:
                assert "".join([str(piece) async for piece in text]) == "We open at nine."
    assert len({use.line_id for use in uses}) == 1
    assert all(use.reused and use.waited_s < 0.05 for use in uses)


async def test_a_wrong_key_is_told_without_showing_it():
    """By the check at the start, and by an answer."""
    async with far_end(ROUTES) as far, endpoint(far, key="wrong-key") as lines:
        chat = OpenAiChat(lines, ChatSettings("m"))
        with pytest.raises(ProviderRejected, match="OPENAI_API_KEY") as caught:
            await chat.check_key()
        assert "wr" not in str(caught.value).replace("wrong", "")
        with pytest.raises(ProviderRejected, match="refused"):
            async with chat.stream(ASKED):
                pass


async def test_an_answer_that_is_cut_is_an_error_after_what_came():
    """What was said stands; that it is not all is known."""
    async with far_end(ROUTES) as far, endpoint(far) as lines:
        got = []
        with pytest.raises(ProviderUnavailable, match="cut off"):  # noqa: PT012
            async with OpenAiChat(lines, ChatSettings("m")).stream(
                LlmRequest([Message(Role.USER, "cut")])
            ) as text:
                async for piece in text:
                    got.append(piece)  # noqa: PERF401
        assert got == ["We "]


async def test_a_server_that_is_down_is_unavailable_and_does_not_hang():
    """Nothing listens there."""
    async with far_end(ROUTES) as far:
        url = far.url
        dialler = far.dialler
    lines = HttpEndpoint("openai", [url], dialler, ShelfPolicy(), SystemClock(), retry=RetryPolicy(retries=0))
    async with lines:
        with anyio.fail_after(5):
            with pytest.raises(ProviderUnavailable, match="asking m"):
                async with OpenAiChat(lines, ChatSettings("m")).stream(ASKED):
                    pass


@pytest.mark.parametrize(("key", "problem"), [("good", ""), ("wrong-key", "set OPENAI_API_KEY")])
async def test_a_server_whose_key_is_refused_starts_all_the_same_and_knows_it(tmp_path, key, problem):
    """It is shown in the terminal and on the page before anybody speaks."""
    (tmp_path / "authority.pem").touch()
    async with far_end(ROUTES) as far:
        (tmp_path / "authority.pem").write_bytes(far.certificate)
        settings = Settings(
            openai=OpenAiTable(api_key=Secret(key), base_urls=(f"{far.url}/v1",), model="m"),
            lines=replace(Settings().lines, certificate=tmp_path / "authority.pem"),
        )
        knowledge = await load_knowledge(settings)
        async with open_providers(settings, knowledge) as providers:
            assert problem in "".join(providers.problems)
            assert bool(providers.problems) == bool(problem)
            assert providers.answers_by == "m at localhost"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("stall;after=3", "nothing more came for 0.3 s"),
        ("garbage;after=3", "openai.base_urls"),
        ("error_mid_stream;after=3", "status page"),
        ("cut;after=3", "dropped"),
    ],
)
async def test_a_stream_that_goes_wrong_in_the_middle_ends_with_what_went_wrong(openai, fault, said):
    """In time, and with nothing made up."""
    openai.fault(fault)
    async with openai.http() as lines:
        chat = OpenAiChat(lines, ChatSettings("gpt-5.5"), silence_s=0.3)
        with anyio.fail_after(3), pytest.raises(ProviderUnavailable, match=said):
            async with chat.stream(ASKED) as text:
                assert [piece async for piece in text]
