"""How long the Graph API is waited for."""

from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from tests.channels.telephone.answering import Answering
from warmline.channels.whatsapp.addressee import Addressee
from warmline.channels.whatsapp.client import GraphClient
from warmline.channels.whatsapp.failure_kinds import GraphFailureKind
from warmline.channels.whatsapp.failures import GraphFailure
from warmline.channels.whatsapp.media import MediaPlace
from warmline.channels.whatsapp.messages import text_message
from warmline.testing.virtual_time import LoopClock

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

K = GraphFailureKind
HELLO = text_message(Addressee("48600100200"), "Hello")
PLACE = MediaPlace("https://lookaside.fbsbx.com/a")
SENT = b'{"messages":[{"id":"wamid.S"}]}'


class Stalling:
    """A host of files: sends a piece, and then no more."""

    graph_urls = ("https://graph.facebook.com/v26.0",)
    status = 200

    def __init__(self):
        self.headers = {}
        self.is_left = False

    async def to(self, base_url):
        assert base_url == "https://lookaside.fbsbx.com"
        return self

    @asynccontextmanager
    async def request(self, request, *, first_result_s):
        try:
            yield self
        finally:
            self.is_left = True

    async def chunks(self):
        yield b"OggS"
        await anyio.sleep(3600)


def client(*script) -> tuple[GraphClient, Any, Any]:
    graph: Any = Answering(*script)
    files: Any = Stalling()
    return GraphClient(graph, files), graph, files


async def waited_s(doing) -> tuple[float, GraphFailure]:
    began_s = LoopClock().now_s()
    with pytest.raises(GraphFailure) as caught:
        await doing
    return LoopClock().now_s() - began_s, caught.value


async def test_a_message_that_takes_its_time_is_sent():
    """Meta is slow now and then."""
    graph_client, graph, _ = client((14.0, 200, SENT))
    assert await graph_client.send("111", HELLO) == "wamid.S"
    assert len(graph.requests) == 1


async def test_an_answer_that_never_ends_is_not_waited_for():
    """The message may have been accepted."""
    graph_client, _, _ = client((3600.0, 200, SENT))
    seconds, told = await waited_s(graph_client.send("111", HELLO))
    assert told.kind is K.UNKNOWN_OUTCOME
    assert seconds == pytest.approx(40)


async def test_a_file_that_stalls_is_not_waited_for():
    """Another try may have it whole; its line is not kept."""
    graph_client, _, files = client()
    seconds, told = await waited_s(graph_client.download(PLACE, 1_000))
    assert told.kind is K.TRANSIENT
    assert seconds == pytest.approx(60)
    assert files.is_left


async def test_whoever_stops_waiting_cancels_the_request():
    """Whether the message was accepted, a status will tell."""
    graph_client, graph, _ = client((20.0, 200, SENT))
    with anyio.move_on_after(1.0) as waiting:
        await graph_client.send("111", HELLO)
    assert waiting.cancelled_caught
    assert graph.cancelled == 1
