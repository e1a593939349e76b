"""`Lines` as a whole: however it is left, it leaves nothing open."""

import anyio
import pytest

from tests.pool.far_end import far_end
from tests.pool.sdk_stand_in import StandIn
from warmline.pool import Lines, ShelfPolicy

pytestmark = [pytest.mark.wire, pytest.mark.anyio, pytest.mark.timeout(30)]


@pytest.fixture
async def far(tmp_path):
    async with far_end(StandIn().routes) as far:
        (tmp_path / "authority.pem").write_bytes(far.certificate)
        yield far


@pytest.fixture
def lines(far, tmp_path):
    return Lines(certificate=tmp_path / "authority.pem")


async def warm(lines, far):
    endpoint = await lines.endpoint("far", far.url)
    await endpoint.pool.until_warm()
    return endpoint


async def test_a_program_that_is_cancelled_closes_its_lines(far, lines):
    """In order, not by being torn down."""
    with anyio.CancelScope() as program:
        async with lines:
            endpoint = await warm(lines, far)
            program.cancel()
            await anyio.sleep_forever()
    assert endpoint.pool.open_count == 0


async def test_a_programs_own_error_comes_out_as_it_is(far, lines):
    """Not inside a group."""
    with pytest.raises(ValueError, match="mine"):  # noqa: PT012
        async with lines:
            await warm(lines, far)
            raise ValueError("mine")


async def test_an_endpoint_outlives_the_deadline_under_which_it_was_opened(far, lines):
    """And a caller who is cancelled in the middle holds nothing up."""
    async with lines:
        with anyio.CancelScope() as asking:
            endpoint = await warm(lines, far)
            asking.cancel()
            await lines.endpoint("again", far.url)
        async with lines.httpx_client() as client:
            assert (await client.get(f"{far.url}/v1/models")).status_code == 200
        assert endpoint.pool.open_count > 0


async def test_what_is_seen_of_lines_is_every_pool_of_theirs_and_neither_path_nor_key(far, lines):
    """Over HTTP and of sockets, whoever opens these."""
    headers = {"authorization": "Bearer a-secret"}
    async with lines:
        endpoint = await lines.endpoint("openai", f"{far.url}/v1", headers=headers)
        await endpoint.pool.until_warm()
        url = "wss://127.0.0.1:9/speak?token=a-secret"
        async with lines.sockets("voice", url, ShelfPolicy(warm_target=0, max_lines=1), headers=headers):
            http, sockets = lines.views()
    assert (http.name, http.kind, http.is_current, http.warm_target) == ("openai", "http", True, 2)
    assert http.idle >= 1
    assert (sockets.name, sockets.kind, sockets.region, sockets.most) == ("voice", "socket", "127.0.0.1", 1)
    assert "a-secret" not in repr((http, sockets))
    assert "/v1" not in repr((http, sockets))
