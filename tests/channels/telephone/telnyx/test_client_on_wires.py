"""Commands over real connections, which break."""

import json

import anyio
import pytest
from aiohttp import web

from tests.pool.far_end import far_end
from warmline.channels.telephone.telnyx.client import TelnyxClient
from warmline.channels.telephone.telnyx.commands import answer
from warmline.core.clock import SystemClock
from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.shelf import ShelfPolicy

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

COMMAND = answer("v3:AbC/_-", command_id="leg-answer")


class Telnyx:
    """Cuts the first connection, says nothing on the second, and takes the third command."""

    def __init__(self):
        self.requests = []
        self.is_over = anyio.Event()

    async def take(self, request):
        body = await request.read()
        self.requests.append((request.raw_path, request.headers["authorization"], body))
        if len(self.requests) == 1:
            request.transport.abort()
        if len(self.requests) == 2:
            await self.is_over.wait()
        return web.json_response({"data": {"result": "ok"}})


async def test_a_command_arrives_whatever_happens_to_connections():
    """The same each time: Telnyx does it once."""
    telnyx = Telnyx()
    async with far_end({"/v2/calls/{call}/actions/answer": telnyx.take}) as far:
        async with HttpEndpoint(
            "telnyx",
            [f"{far.url}/v2"],
            far.dialler,
            ShelfPolicy(warm_target=2),
            SystemClock(),
            headers={"authorization": "Bearer KEY"},
        ) as lines:
            with anyio.fail_after(4):
                found = await TelnyxClient(lines, resend_s=0.1).send(COMMAND)
            telnyx.is_over.set()

    assert found.data == {"result": "ok"}
    assert len(telnyx.requests) == 3
    assert len(set(telnyx.requests)) == 1
    path, key, body = telnyx.requests[0]
    assert (path, key) == ("/v2/calls/v3%3AAbC%2F_-/actions/answer", "Bearer KEY")
    assert json.loads(body) == {"command_id": "leg-answer"}
