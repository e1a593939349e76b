"""`warmline simulate` runs on uvloop, whose transports are no instances of asyncio's classes."""

import ssl

import aiohttp
import anyio
import pytest

from warmline.core.event_loop import new_event_loop
from warmline.simulators.faults import HEADER
from warmline.simulators.running import simulators_running

pytestmark = pytest.mark.wire


@pytest.mark.parametrize("fault", ["drop", "cut;after=1"])
def test_a_connection_that_is_to_be_reset_is(fault):
    async def ask():
        async with simulators_running(only=["openai"]) as running:
            trusted = ssl.create_default_context(cafile=running.certificate)
            asked = {"model": "gpt-5.4-mini", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
            headers = {"authorization": "Bearer any", HEADER: fault}
            url = f"{running.base_urls['openai']}/chat/completions"
            connector = aiohttp.TCPConnector(ssl=trusted)
            async with aiohttp.ClientSession(connector=connector) as client:
                with pytest.raises(aiohttp.ClientError):
                    async with client.post(url, json=asked, headers=headers) as response:
                        await response.read()

    anyio.run(ask, backend_options={"loop_factory": new_event_loop})
