"""Real HTTP/2 lines over TLS, to a far end that misbehaves in every way that was thought of."""

from statistics import median

import anyio
import pytest
from anyio.abc import SocketAttribute
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from tests.pool.http2_far_end import http2_far_end
from warmline.core.clock import SystemClock
from warmline.core.line_use import LineUse
from warmline.errors import LeaseTimeout, LineLost, NoAnswer, OpenFailed
from warmline.pool.dialling import Address, Dialler
from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.http import HttpRequest
from warmline.pool.http2 import Http2Line
from warmline.pool.resolver import Resolver
from warmline.pool.shelf import ShelfPolicy

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

CLOCK = SystemClock()
ONE = ShelfPolicy(warm_target=1, max_lines=1)
MODELS = HttpRequest("GET", "/models", is_idempotent=True)
STREAM = HttpRequest("POST", "/stream")
PIECE = b"x" * 16_000


def endpoint(far, policy=ONE, **settings) -> HttpEndpoint:
    return HttpEndpoint("far", [far.url], far.dialler, policy, CLOCK, http2=True, **settings)


async def models(stream):
    await stream.answer(b'{"data": []}', [("x-a", "1"), ("x-a", "2")])


async def stream_1600_kb(stream):
    await stream.begin()
    for _ in range(100):
        await stream.send(PIECE)
    await stream.send(b"", end=True)


async def never(stream):
    await anyio.sleep_forever()


async def begin_and_wait(stream):
    await stream.begin()
    await stream.send(b"begun")
    await anyio.sleep_forever()


ROUTES = {"/models": models, "/stream": stream_1600_kb, "/never": never, "/begun": begin_and_wait}


async def ask(lines: HttpEndpoint, request=MODELS, **options) -> bytes:
    async with lines.request(request, **options) as response:
        assert response.status == 200
        return await response.read()


async def test_many_requests_share_one_line():
    """Fifty at once are answered side by side."""
    arrived = 0
    all_there = anyio.Event()

    async def together(stream):
        nonlocal arrived
        arrived += 1
        if arrived == 50:
            all_there.set()
        await all_there.wait()
        await models(stream)

    uses: list[LineUse] = []
    async with http2_far_end({"/models": together}) as far, endpoint(far) as lines:
        await lines.pool.until_warm()
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                for _ in range(50):
                    tasks.start_soon(lambda: ask(lines, on_line=uses.append))
        assert len(far.connections) == 1
    assert len({use.line_id for use in uses}) == 1
    assert all(use.reused for use in uses)
    assert median(use.waited_s for use in uses) < 0.005
    assert min(uses[0].cost.tls_s, uses[0].cost.upgrade_s) > 0


async def test_an_answer_carries_its_status_and_joined_headers():
    """As on HTTP/1.1; interim answers and trailers are passed over."""

    async def everything(stream):
        await stream.begin([("link", "a")], status="103")
        await stream.begin([("x-a", "1"), ("x-a", "2")], status="404")
        await stream.send(b"hello")
        await stream.begin([("x-trailer", "t")], status="", end=True)

    async with http2_far_end({"/models": everything}) as far, endpoint(far, headers={"x-key": "k"}) as lines:
        async with lines.request(
            HttpRequest("POST", "/models", (("x-key", "own"),), b"question")
        ) as response:
            assert response.status == 404
            assert response.headers == {"x-a": "1, 2"}
            assert await response.read() == b"hello"
        asked = far.connections[0].streams[1]
        assert asked.body == b"question"
        assert asked.headers["x-key"] == "own"
        assert asked.headers["content-length"] == "8"
        assert asked.headers[":authority"] == far.url.removeprefix("https://")


async def test_after_a_hundred_cancelled_streams_a_request_is_as_fast_as_ever():
    """All on one line: no connection is lost, and no window either."""

    async def time_s(lines) -> float:
        began_s = CLOCK.now_s()
        await ask(lines)
        return CLOCK.now_s() - began_s

    async with http2_far_end(ROUTES) as far, endpoint(far) as lines:
        await lines.pool.until_warm()
        before_s = median([await time_s(lines) for _ in range(20)])
        for _ in range(100):
            async with lines.request(STREAM) as response:
                async for _piece in response.chunks():
                    break
        after_s = median([await time_s(lines) for _ in range(20)])
        assert len(await ask(lines, STREAM)) == 1_600_000
        connection = far.connections[0]
        resets = [stream.resets for stream in connection.streams.values() if stream.resets]
        assert len(far.connections) == lines.pool.opened_count == 1
    assert resets == [[ErrorCodes.CANCEL]] * 100
    assert after_s < 10 * before_s + 0.01


async def test_a_caller_that_is_cancelled_cancels_its_stream():
    """Before the answer has begun, and in the middle of it."""
    async with http2_far_end(ROUTES) as far, endpoint(far) as lines:
        await lines.pool.until_warm()
        for path in ("/never", "/begun"):
            with anyio.move_on_after(0.05):
                await ask(lines, HttpRequest("GET", path))
        await ask(lines)
        assert len(far.connections) == 1
        resets = [stream.resets for stream in far.connections[0].streams.values()]
    assert resets == [[ErrorCodes.CANCEL], [ErrorCodes.CANCEL], []]


async def test_beyond_its_capacity_a_line_takes_no_request():
    """One more opens a second line, or waits where there may be none."""
    two_at_once = {SettingCodes.MAX_CONCURRENT_STREAMS: 2}
    async with http2_far_end(ROUTES, settings=two_at_once) as far:
        for max_lines in (1, 2):
            policy = ShelfPolicy(warm_target=0, max_lines=max_lines)
            async with endpoint(far, policy, wait_s=0.5) as lines, anyio.create_task_group() as tasks:
                await ask(lines)
                for _ in range(2):
                    tasks.start_soon(ask, lines, HttpRequest("GET", "/never"))
                await anyio.sleep(0.05)
                if max_lines == 1:
                    with pytest.raises(LeaseTimeout):
                        await ask(lines)
                else:
                    await ask(lines)
                assert lines.pool.opened_count == max_lines
                tasks.cancel_scope.cancel()


async def test_after_a_goodbye_answers_go_on_and_the_next_request_has_another_line():
    """What the far end did not take is lost at once."""
    released = anyio.Event()

    async def leave(stream):
        await stream.begin()
        await stream.connection.say_goodbye(last_stream_id=stream.id)
        await released.wait()
        await stream.send(PIECE, end=True)

    routes = {**ROUTES, "/leave": leave}
    async with http2_far_end(routes) as far, endpoint(far, ShelfPolicy(warm_target=0, max_lines=2)) as lines:
        async with lines.request(HttpRequest("GET", "/leave")) as going_on:
            await anyio.sleep(0.05)
            await ask(lines)
            assert len(far.connections) == 2
            released.set()
            assert await going_on.read() == PIECE
        with anyio.fail_after(5):
            while lines.pool.open_count != 1:  # noqa: ASYNC110 - nothing tells
                await anyio.sleep(0.01)


async def test_a_request_that_a_goodbye_excludes_is_lost():
    """Those after the last stream that it names."""

    async def refuse(stream):
        await stream.connection.say_goodbye(last_stream_id=0)
        await anyio.sleep_forever()

    async with http2_far_end({"/refuse": refuse}) as far, endpoint(far) as lines:
        with pytest.raises(LineLost, match=r"goodbye \(NO_ERROR\)"):
            await ask(lines, HttpRequest("POST", "/refuse"))


async def test_a_goodbye_to_a_free_line_has_it_replaced():
    """The next caller is not to meet it."""
    async with http2_far_end(ROUTES) as far, endpoint(far) as lines:
        await lines.pool.until_warm()
        await far.connections[0].say_goodbye(last_stream_id=0)
        with anyio.fail_after(5):
            while lines.pool.opened_count < 2:  # noqa: ASYNC110 - nothing tells
                await anyio.sleep(0.01)
        await ask(lines)


async def test_a_stream_that_the_far_end_resets_is_lost_by_itself():
    """Its neighbours and the line go on."""

    async def break_off(stream):
        await stream.begin()
        await stream.send(b"begun")
        await stream.reset(ErrorCodes.INTERNAL_ERROR)

    async with http2_far_end({**ROUTES, "/broken": break_off}) as far, endpoint(far) as lines:
        async with lines.request(HttpRequest("GET", "/begun")) as neighbour:
            async with lines.request(HttpRequest("GET", "/broken")) as response:
                pieces = response.chunks()
                assert await anext(pieces) == b"begun"
                with pytest.raises(LineLost, match="INTERNAL_ERROR"):
                    await anext(pieces)
            assert await anext(neighbour.chunks()) == b"begun"
        await ask(lines)
        assert len(far.connections) == 1


async def test_a_dropped_connection_loses_every_answer_and_is_replaced():
    """In the middle of it."""
    async with http2_far_end(ROUTES) as far, endpoint(far) as lines:
        async with (
            lines.request(HttpRequest("GET", "/begun")) as one,
            lines.request(HttpRequest("GET", "/begun")) as other,
        ):
            for response in (one, other):
                assert await anext(response.chunks()) == b"begun"
            await far.connections[0].transport.aclose()
            for response in (one, other):
                with pytest.raises(LineLost, match="dropped"):
                    await response.read()
        await ask(lines)
        assert len(far.connections) == 2


async def test_what_is_not_http2_loses_the_line():
    """Here, a body that belongs to no request."""

    async def garbage(stream):
        await stream.connection.transport.send(b"\0\0\1\0\0\0\0\0\0x")

    async with http2_far_end({"/garbage": garbage}) as far, endpoint(far) as lines:
        with pytest.raises(LineLost, match="not HTTP/2"):
            await ask(lines, HttpRequest("POST", "/garbage"))


@pytest.mark.parametrize("length", ["4", "6"])
@pytest.mark.parametrize("ending", ["data", "trailers"])
async def test_an_answer_of_another_length_than_it_says_is_lost(length, ending):
    """Half an answer must not pass for a whole one."""

    async def lie(stream):
        await stream.begin([("content-length", length)])
        await stream.send(b"hello", end=ending == "data")
        await stream.begin([("x-trailer", "t")], status="", end=True)

    async with http2_far_end({"/lie": lie}) as far, endpoint(far) as lines:
        with pytest.raises(LineLost):
            await ask(lines, HttpRequest("POST", "/lie"))


async def test_headers_without_end_are_refused():
    """Sixty-four kilobytes are enough."""

    async def long(stream):
        await stream.answer(headers=[("x-long", "y" * 100_000)])

    async with http2_far_end({"/long": long}) as far, endpoint(far) as lines:
        with pytest.raises(LineLost, match="not HTTP/2"):
            await ask(lines, HttpRequest("POST", "/long"))


async def test_free_lines_are_kept_alive_by_pings():
    """And the pings measure the round trip."""
    policy = ShelfPolicy(warm_target=1, max_lines=1, keep_alive_s=0.05)
    async with http2_far_end(ROUTES) as far, endpoint(far, policy) as lines:
        await lines.pool.until_warm()
        await anyio.sleep(0.3)
        assert far.connections[0].pings >= 2
        assert lines.round_trip_s is not None
        assert 0 < lines.round_trip_s < 0.05
        assert len(far.connections) == 1


async def test_a_slow_reader_makes_the_far_end_wait_with_its_own_answer_alone():
    """What lies unread is bounded, and others pass by it."""
    sent = 0

    async def flood(stream):
        nonlocal sent
        await stream.begin()
        for _ in range(300):
            await stream.send(PIECE)
            sent += len(PIECE)
        await stream.send(b"", end=True)

    async with http2_far_end({**ROUTES, "/flood": flood}) as far, endpoint(far) as lines:
        async with lines.request(HttpRequest("GET", "/flood")) as slow:
            await anyio.sleep(0.3)
            assert sent <= 1_048_576
            with anyio.fail_after(5):
                assert len(await ask(lines, STREAM)) == 1_600_000
            assert sent <= 1_048_576
            assert len(await slow.read()) == 300 * len(PIECE)
        assert len(far.connections) == 1


async def test_a_large_upload_waits_for_room():
    """It is sent as the far end takes it, while another request is answered."""
    body = bytes(range(256)) * 8_000

    async def upload(stream):
        await stream.is_asked.wait()
        await stream.answer(str(stream.body == body).encode())

    async with http2_far_end({**ROUTES, "/upload": upload}) as far, endpoint(far) as lines:
        assert await ask(lines, HttpRequest("POST", "/upload", body=body)) == b"True"


async def test_an_upload_that_the_far_end_does_not_take_can_be_cancelled():
    """And one that is answered early is broken off."""
    body = b"x" * 200_000
    async with http2_far_end(ROUTES, takes_uploads=False) as far, endpoint(far) as lines:
        with anyio.move_on_after(0.05):
            await ask(lines, HttpRequest("POST", "/never", body=body))
        assert await ask(lines, HttpRequest("POST", "/models", body=body)) == b'{"data": []}'
        await ask(lines)
        streams = far.connections[0].streams
    assert [stream.resets for stream in streams.values()] == [[ErrorCodes.CANCEL], [ErrorCodes.CANCEL], []]
    assert sum(len(stream.body) for stream in streams.values()) == 65_535


async def test_a_far_end_that_is_silent_is_given_up_and_not_asked_again():
    """A dead connection would otherwise swallow one request after another."""
    async with http2_far_end(ROUTES) as far, endpoint(far) as lines:
        await lines.pool.until_warm()
        await anyio.sleep(0.05)  # both ends acknowledge their settings
        with pytest.raises(NoAnswer, match=r"no answer within 0\.1 s"):
            await ask(lines, HttpRequest("GET", "/never"), first_result_s=0.1)
        await ask(lines)
        assert len(far.connections) == 2


async def test_a_far_end_without_http2_is_an_opening_that_failed():
    """The message says what to do, whether the far end passes over what we offer or refuses it."""
    async with http2_far_end(ROUTES, offers="http/1.1") as far, endpoint(far) as lines:
        with pytest.raises(OpenFailed, match=r"set the endpoint to HTTP/1\.1"):
            await ask(lines, STREAM)

    async def refuse(client) -> None:
        async with client:
            await client.send(b"\x15\x03\x03\x00\x02\x02\x78")  # the alert no_application_protocol

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, refuse)
        address = Address("localhost", listener.extra(SocketAttribute.local_port), is_tls=True, path="")
        with pytest.raises(OpenFailed, match=r"set the endpoint to HTTP/1\.1"):
            await Http2Line.open(far.dialler, address, {}, CLOCK, lambda: None)
        tasks.cancel_scope.cancel()


async def test_http2_needs_a_context_of_its_own_and_https():
    """Each is said before anything is asked."""
    far = Dialler(Resolver(CLOCK), CLOCK)
    with pytest.raises(ValueError, match="no TLS context"):
        HttpEndpoint("far", ["https://localhost"], far, ONE, CLOCK, http2=True)
    far.http2_tls = far.tls
    async with HttpEndpoint("far", ["http://localhost"], far, ONE, CLOCK, http2=True) as lines:
        with pytest.raises(OpenFailed, match="needs https"):
            await ask(lines, STREAM)
