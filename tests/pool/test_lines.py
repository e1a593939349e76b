"""Real lines: HTTP and WebSocket over TLS to a server that misbehaves in every way that was thought of."""

import gc
from collections.abc import Callable
from contextlib import asynccontextmanager
from statistics import median

import anyio
import pytest
from aiohttp import web

from tests.pool.far_end import far_end
from warmline.core.clock import SystemClock
from warmline.core.line_use import LineUse
from warmline.errors import HandshakeRefused, LineLost, NoAnswer, OpenFailed
from warmline.pool.dialling import Dialler
from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.http import HttpRequest
from warmline.pool.resolver import Resolver
from warmline.pool.retrying import RetryPolicy
from warmline.pool.shelf import ShelfPolicy
from warmline.pool.sockets import KeepAlive, SocketEndpoint

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

CLOCK = SystemClock()
MODELS = HttpRequest("GET", "/models", is_idempotent=True)
WARM = ShelfPolicy(warm_target=2, max_lines=10)
ONE = ShelfPolicy(warm_target=0, max_lines=1)


def drop(request: web.Request) -> None:
    """Reset the connection."""
    assert request.transport is not None
    request.transport.abort()


async def settled(is_settled: Callable[[], bool]) -> None:
    """Wait until it is so, for five seconds at most."""
    with anyio.fail_after(5):
        while not is_settled():  # noqa: ASYNC110 - nothing tells
            await anyio.sleep(0.01)


async def models(_: web.Request) -> web.StreamResponse:
    return web.json_response({"data": []})


async def stream(request: web.Request) -> web.StreamResponse:
    """Send 16 kB a hundred times; 1.6 MB, or as many as `pieces` says."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(int(request.query.get("pieces", "100"))):
        await response.write(b"x" * 16_000)
    return response


@asynccontextmanager
async def raw_server(speak):
    """Serve whatever `speak` says to each client, and hang up after it."""

    async def serve(client) -> None:
        async with client:
            await speak(client)

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, serve)
        yield f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
        tasks.cancel_scope.cancel()


def endpoint(far, policy=WARM, **settings) -> HttpEndpoint:
    return HttpEndpoint("far", [far.url], far.dialler, policy, CLOCK, **settings)


async def test_two_requests_use_one_line_and_the_second_pays_nothing_for_it():
    """Connecting is paid once, before the first."""
    uses: list[LineUse] = []
    async with far_end({"/models": models}) as far, endpoint(far) as lines:
        await lines.pool.until_warm()
        for _ in range(2):
            async with lines.request(MODELS, on_line=uses.append) as response:
                assert (response.status, await response.read()) == (200, b'{"data": []}')
    assert uses[0].line_id == uses[1].line_id
    assert all(use.reused and use.waited_s < 0.005 for use in uses)
    assert uses[0].cost.tls_s > 0
    assert uses[0].cost.total_s >= uses[0].cost.tls_s + uses[0].cost.tcp_s


async def test_after_a_hundred_cancelled_streams_a_request_is_as_fast_as_ever():
    """Each cancel costs a connection, and another stands ready behind it."""

    async def ask(lines) -> float:
        began_s = CLOCK.now_s()
        async with lines.request(MODELS) as response:
            await response.read()
        return CLOCK.now_s() - began_s

    async with far_end({"/models": models, "/stream": stream}) as far, endpoint(far) as lines:
        await lines.pool.until_warm()
        before_s = median([await ask(lines) for _ in range(20)])
        for _ in range(100):
            async with lines.request(HttpRequest("POST", "/stream")) as response:
                async for _piece in response.chunks():
                    break
        uses: list[LineUse] = []
        async with lines.request(MODELS, on_line=uses.append) as response:
            await response.read()
        after_s = median([await ask(lines) for _ in range(20)])
        await settled(lambda: ", 0 leased, 0 draining" in repr(lines) and lines.pool.idle_count > 0)
    assert uses[0].waited_s < 0.1
    assert after_s < 10 * before_s + 0.01
    assert len(far.connections) >= 100


async def test_a_slow_reader_makes_the_far_end_wait_and_loses_nothing():
    """What is unread is bounded."""
    async with far_end({"/stream": stream}) as far, endpoint(far) as lines:
        async with lines.request(HttpRequest("GET", "/stream?pieces=500")) as response:
            await anyio.sleep(0.3)
            size = sum([len(piece) async for piece in response.chunks()])
    assert size == 500 * 16_000


async def test_a_stream_that_is_cut_gives_what_came_and_then_the_loss():
    """And the line is not lent again."""

    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"begun")
        await anyio.sleep(0.05)
        drop(request)
        return response

    async with far_end({"/cut": cut, "/models": models}) as far, endpoint(far) as lines:
        got = []
        async with lines.request(HttpRequest("GET", "/cut")) as response:
            with pytest.raises(LineLost, match="dropped"):  # noqa: PT012
                async for piece in response.chunks():
                    got.append(piece)  # noqa: PERF401
        assert got == [b"begun"]
        async with lines.request(MODELS) as response:
            assert response.status == 200


@pytest.mark.parametrize(
    "answer",
    [
        b"this is not HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x-long: " + b"y" * 100_000,
    ],
)
async def test_garbage_in_place_of_an_answer_is_a_lost_line(answer):
    """Whatever the far end sends, the caller gets an error that it knows."""

    async def garbage(client) -> None:
        await client.receive()
        await client.send(answer)

    async with raw_server(garbage) as url:
        dialler = Dialler(Resolver(CLOCK), CLOCK)
        async with HttpEndpoint("far", [url], dialler, ONE, CLOCK) as lines:
            with pytest.raises(LineLost, match="not HTTP"):
                async with lines.request(HttpRequest("GET", "/")):
                    pass


@pytest.mark.parametrize("size", [1, 3, 50])
async def test_an_answer_split_anywhere_is_read_whole(size):
    """Interim answers, split headers, and a body that ends with the connection."""
    answer = b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\nx-a: 1\r\nx-a: 2\r\n\r\nhello"

    async def dribble(client) -> None:
        await client.receive()
        for start in range(0, len(answer), size):
            await client.send(answer[start : start + size])
            await anyio.lowlevel.checkpoint()

    async with raw_server(dribble) as url:
        dialler = Dialler(Resolver(CLOCK), CLOCK)
        async with HttpEndpoint("far", [url], dialler, ONE, CLOCK) as lines:
            async with lines.request(HttpRequest("GET", "/")) as response:
                assert (response.status, response.headers["x-a"]) == (200, "1, 2")
                assert await response.read() == b"hello"


async def test_an_overloaded_far_end_is_asked_again_as_it_asks_for():
    """Retry-After is kept; a request that may not be repeated is not."""
    tries = []

    async def busy(request: web.Request) -> web.StreamResponse:
        tries.append(request.method)
        if len(tries) < 3:
            return web.json_response({}, status=503, headers={"retry-after": "0.05"})
        return web.json_response({})

    async with far_end({"/busy": busy}) as far, endpoint(far, retry=RetryPolicy(backoff_s=0.01)) as lines:
        async with lines.request(HttpRequest("GET", "/busy", is_idempotent=True)) as response:
            assert (response.status, len(tries)) == (200, 3)
        tries.clear()
        async with lines.request(HttpRequest("POST", "/busy")) as response:
            assert (response.status, len(tries)) == (503, 1)


async def test_a_far_end_that_never_answers_is_given_up_at_the_deadline():
    """It is not asked again: that would double the silence."""

    released = anyio.Event()

    async def mute(request: web.Request) -> web.StreamResponse:
        await released.wait()
        return await models(request)

    async with far_end({"/models": mute}) as far, endpoint(far) as lines:
        with pytest.raises(NoAnswer, match=r"no answer within 0\.1 s"):
            async with lines.request(MODELS, first_result_s=0.1):
                pass
        released.set()


async def test_a_nearer_region_is_moved_to_once_it_has_been_measured():
    """Each base URL is measured by a request that costs nothing."""

    async def slow(request: web.Request) -> web.StreamResponse:
        await anyio.sleep(0.1)
        return await models(request)

    async with far_end({"/models": slow}) as far, far_end({"/models": models}) as near:
        far.dialler.tls = near.dialler.tls = _both(far, near)
        lines = HttpEndpoint("far", [far.url, near.url], far.dialler, WARM, CLOCK, probe=MODELS)
        async with lines:
            assert lines.base_url == far.url
            await settled(lambda: lines.base_url == near.url)
            assert lines.round_trip_s is not None
            assert lines.round_trip_s < 0.1
            async with lines.request(MODELS) as response:
                assert response.status == 200


def _both(one, other):
    """Return a context that trusts both far ends."""
    for certificate in other.dialler.tls.get_ca_certs(binary_form=True):
        one.dialler.tls.load_verify_locations(cadata=certificate)
    return one.dialler.tls


async def test_a_certificate_that_nobody_vouches_for_is_an_opening_that_failed():
    """The machine's own authorities don't know it."""
    async with far_end({"/models": models}) as far:
        dialler = Dialler(Resolver(CLOCK), CLOCK)
        async with HttpEndpoint(
            "far", [far.url], dialler, WARM, CLOCK, retry=RetryPolicy(retries=0)
        ) as lines:
            with pytest.raises(OpenFailed, match="encrypting"):
                async with lines.request(MODELS):
                    pass


async def echo(request: web.Request) -> web.StreamResponse:
    """Echo text; close as told; refuse as told."""
    if "refuse" in request.query:
        return web.json_response({"err_code": "INVALID_AUTH"}, status=401, headers={"DG-Error": "bad key"})
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.send_str("a greeting that nobody asked for")
    async for message in socket:
        if message.data == "close":
            await socket.close(code=1008, message=b"too many")
        elif message.data == "abort":
            drop(request)
        else:
            await socket.send_str(f"echo {message.data}")
    return socket


def sockets(far, query: str = "", **settings) -> SocketEndpoint:
    url = far.url.replace("https", "wss") + "/socket" + query
    return SocketEndpoint("far", url, far.dialler, ShelfPolicy(**settings), CLOCK, keep_alive=KeepAlive())


async def test_what_comes_on_a_free_socket_never_reaches_a_conversation():
    """The socket is reused, and only its holder hears it."""
    async with far_end({"/socket": echo}) as far, sockets(far, keep_alive_s=0.05) as lines:
        await lines.pool.until_warm()
        await anyio.sleep(0.2)  # the greeting comes now, and pings go
        heard: list[tuple[bytes, bool]] = []
        used: list[LineUse] = []
        done = anyio.Event()

        def on_message(payload: bytes, is_text: bool) -> None:
            heard.append((payload, is_text))
            done.set()

        async with lines.lease(on_line=used.append) as line:
            line.attach(on_message, lambda loss: None)
            line.send_text("hello")
            with anyio.fail_after(5):
                await done.wait()
        assert heard == [(b"echo hello", True)]
        assert used[0].reused
        assert used[0].cost.upgrade_s > 0
        assert used[0].cost.tls_s > 0


@pytest.mark.parametrize(("order", "code", "reason"), [("close", 1008, "too many"), ("abort", 1006, "")])
async def test_a_socket_that_is_dropped_tells_its_holder_why_and_is_replaced(order, code, reason):
    """Once, with the far end's code."""
    async with far_end({"/socket": echo}) as far, sockets(far) as lines:
        losses: list[LineLost] = []
        lost = anyio.Event()

        def on_lost(loss: LineLost) -> None:
            losses.append(loss)
            lost.set()

        async with lines.lease() as line:
            line.attach(lambda payload, is_text: None, on_lost)
            line.send_text(order)
            with anyio.fail_after(5):
                await lost.wait()
            with pytest.raises(LineLost):
                line.send_text("anybody there?")
        assert [(loss.code, loss.reason) for loss in losses] == [(code, reason)]
        await settled(lambda: lines.pool.idle_count > 0)


async def test_a_refused_upgrade_carries_what_the_far_end_said():
    """Its status, headers and body say what the operator should do."""
    async with far_end({"/socket": echo}) as far, sockets(far, "?refuse") as lines:
        with pytest.raises(HandshakeRefused) as caught:
            async with lines.lease():
                pass
    assert (caught.value.status, caught.value.headers["dg-error"]) == (401, "bad key")
    assert b"INVALID_AUTH" in caught.value.body


@pytest.mark.parametrize("is_refused", [False, True])
async def test_an_opening_that_is_cancelled_or_refused_leaves_no_connection_behind(is_refused):
    """Whatever it was waiting for. A socket closed under its transport gives the next one its number."""

    async def answer_late(request: web.Request) -> web.StreamResponse:
        await anyio.sleep(0.05)
        if is_refused or request.transport is None:
            return web.Response(status=503)
        upgraded = web.WebSocketResponse()
        await upgraded.prepare(request)
        async for _ in upgraded:
            pass
        return upgraded

    async with far_end({"/socket": answer_late}) as far:
        url = far.url.replace("https://", "wss://") + "/socket"
        for wait_s in (0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.1):
            async with SocketEndpoint("test", url, far.dialler, ShelfPolicy(), SystemClock()):
                await anyio.sleep(wait_s)
            # What is left open says so when it is collected, and fails the test.
            gc.collect()
