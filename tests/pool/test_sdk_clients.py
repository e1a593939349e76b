"""The official SDKs over warm lines: nothing about them is changed but the client that they are given."""

import os
import re
import sys
from pathlib import Path

import anyio
import httpx
import httpx2
import openai
import pytest
from elevenlabs.client import AsyncElevenLabs

from tests.pool.far_end import far_end
from tests.pool.sdk_stand_in import WORDS, StandIn, sound
from warmline.errors import ConfigError, PoolClosed
from warmline.pool import Lines

pytestmark = [pytest.mark.wire, pytest.mark.anyio, pytest.mark.timeout(30)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "warm_openai.py"


@pytest.fixture
def stand_in():
    return StandIn()


@pytest.fixture
async def far(stand_in):
    async with far_end(stand_in.routes) as far:
        yield far
        for _ in range(10):
            stand_in.more.release()


@pytest.fixture
async def lines(far, tmp_path):
    """Lines to the stand-in, two of them warm."""
    (tmp_path / "authority.pem").write_bytes(far.certificate)
    async with Lines(certificate=tmp_path / "authority.pem") as lines:
        endpoint = await lines.endpoint("stand-in", f"{far.url}/v1")
        await endpoint.pool.until_warm()
        yield lines


@pytest.fixture
def gpt(far, lines):
    return openai.AsyncOpenAI(api_key="good", base_url=f"{far.url}/v1", http_client=lines.httpx2_client())


def ask(gpt, **settings):
    message = {"role": "user", "content": "When do you open?"}
    return gpt.chat.completions.create(model="m", messages=[message], stream=True, **settings)


async def use(client, far):
    """Make a request; return how its line was got."""
    response = await client.get(f"{far.url}/v1/models")
    assert response.json() == {"object": "list", "data": []}
    return response.extensions["line_use"]


async def test_openai_streams_word_by_word_on_a_line_that_was_open(stand_in, far, lines, gpt):
    """The far end sends a word when the one before has arrived, so nothing can lie in a buffer."""
    words = []
    for _ in range(2):
        stand_in.more.release()
        async for chunk in await ask(gpt):
            words.append(chunk.choices[0].delta.content)
            if words[-1] != WORDS[-1]:
                stand_in.more.release()
    assert words == WORDS * 2
    assert len({request.transport for request in stand_in.asked}) == 1
    assert stand_in.asked[0].headers["authorization"] == "Bearer good"
    assert stand_in.asked[0].headers.getall("user-agent") == [f"AsyncOpenAI/Python {openai.__version__}"]


async def test_elevenlabs_streams_piece_by_piece_on_a_line_that_was_open(stand_in, far, lines):
    """It takes httpx where openai takes httpx2."""
    voice = AsyncElevenLabs(api_key="good", base_url=far.url, httpx_client=lines.httpx_client())
    pieces = []
    for _ in range(2):
        stand_in.more.release()
        async for piece in voice.text_to_speech.stream("v", text="at nine"):
            pieces.append(piece)
            if piece != sound("nine"):
                stand_in.more.release()
    assert pieces == [sound("at"), sound("nine")] * 2
    assert len({request.transport for request in stand_in.asked}) == 1
    assert stand_in.asked[0].headers["xi-api-key"] == "good"


@pytest.mark.parametrize("way", ["closed", "cancelled"])
async def test_after_a_stream_that_was_left_the_next_request_finds_a_warm_line(
    stand_in, far, lines, gpt, way
):
    """Its line is closed, a spare is taken, and another is opened behind it."""
    stand_in.more.release()
    with anyio.CancelScope() as scope:
        async with await ask(gpt) as stream:
            async for _ in stream:
                if way == "closed":
                    break
                scope.cancel()
    after = await use(lines.httpx2_client(), far)
    assert after.reused
    assert after.waited_s < 0.05
    assert len({request.transport for request in stand_in.asked}) == 2


async def test_a_refusal_is_retried_by_the_sdk_and_by_nobody_else(stand_in, gpt):
    """Twice refused, with the SDK's two retries: the third try is the last."""
    stand_in.refusals = 2
    raw = await gpt.models.with_raw_response.list()
    assert raw.parse().data == []
    assert raw.http_response.extensions["line_use"].reused
    assert len(stand_in.asked) == 3
    stand_in.refusals = 1
    with pytest.raises(openai.RateLimitError):
        await gpt.with_options(max_retries=0).models.list()
    assert len(stand_in.asked) == 4


async def test_nobody_listening_is_the_sdks_connection_error(lines):
    """With httpx's own error as its cause."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
    await lines.endpoint("nobody", f"http://127.0.0.1:{port}")
    gpt = openai.AsyncOpenAI(
        api_key="good", base_url=f"http://127.0.0.1:{port}", http_client=lines.httpx2_client(), max_retries=1
    )
    with pytest.raises(openai.APIConnectionError) as caught:
        await gpt.models.list()
    assert isinstance(caught.value.__cause__, httpx2.ConnectError)


async def test_silence_is_the_sdks_timeout_before_the_first_word_and_after_it(stand_in, gpt):
    """The read timeout goes for the headers, and for each piece."""
    with pytest.raises(openai.APITimeoutError):
        async for _ in await ask(gpt, timeout=0.1):
            pass
    stand_in.more.release()
    with pytest.raises(openai.APITimeoutError) as caught:
        async for _ in await ask(gpt, timeout=0.1):
            pass
    assert isinstance(caught.value.__cause__, httpx2.ReadTimeout)


@pytest.mark.parametrize("module", [httpx, httpx2])
async def test_waiting_for_a_line_is_a_pool_timeout_or_a_connect_timeout(stand_in, far, tmp_path, module):
    """By what was waited for: that another is done, or a far end that does not answer."""
    (tmp_path / "authority.pem").write_bytes(far.certificate)
    async with (
        Lines(certificate=tmp_path / "authority.pem") as lines,
        await anyio.create_tcp_listener(local_host="127.0.0.1") as mute,
    ):
        mute_url = f"https://127.0.0.1:{mute.extra(anyio.abc.SocketAttribute.local_port)}"
        await lines.endpoint("far", far.url, warm=0, max_lines=1)
        await lines.endpoint("mute", mute_url, warm=0)
        make = lines.httpx_client if module is httpx else lines.httpx2_client
        client = make(timeout=module.Timeout(5, pool=0.05))
        stand_in.more.release()
        async with client.stream("POST", f"{far.url}/v1/chat/completions"):
            with pytest.raises(module.PoolTimeout):
                await client.get(f"{far.url}/v1/models")
        with pytest.raises(module.ConnectTimeout):
            await client.get(mute_url, timeout=module.Timeout(5, connect=0.05))


async def test_a_line_that_is_lost_is_an_error_of_httpx(far, lines):
    """Before the answer, and in its middle."""
    client = lines.httpx_client(timeout=None)
    with pytest.raises(httpx.RemoteProtocolError, match="dropped"):
        await client.get(f"{far.url}/v1/cut")
    with pytest.raises(httpx.ReadError, match="dropped"):
        await client.get(f"{far.url}/v1/cut?begun")
    await use(client, far)


async def test_what_these_lines_cannot_carry_is_refused_clearly(far, lines, monkeypatch):
    """A place that nobody opened, a header in two lines, a library that isn't there, closed lines."""
    client = lines.httpx_client()
    for url in ("https://example.com/v1/models", f"{far.url}/v10/models"):
        with pytest.raises(ConfigError, match="open others with"):
            await client.get(url)
    with pytest.raises(httpx.LocalProtocolError, match="line break"):
        await client.get(f"{far.url}/v1/models", headers={"x-a": "1\r\nhost: other"})
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(ConfigError, match="pip install httpx"):
        lines.httpx_client()
    with pytest.raises(PoolClosed, match="async with"):
        await Lines().endpoint("far", far.url)


async def test_the_example_measures_cold_against_warm(stand_in, far, tmp_path):
    """As a person would run it, in a process of its own."""
    (tmp_path / "authority.pem").write_bytes(far.certificate)
    for _ in range(100):
        stand_in.more.release()
    done = await anyio.run_process(
        [sys.executable, EXAMPLE, "--rounds", "3", "--certificate", tmp_path / "authority.pem"],
        env={**os.environ, "OPENAI_API_KEY": "good", "OPENAI_BASE_URL": f"{far.url}/v1"},
    )
    assert re.fullmatch(rb"first word: cold \d+ ms, warm \d+ ms \(medians of 3\)\s*", done.stdout)
