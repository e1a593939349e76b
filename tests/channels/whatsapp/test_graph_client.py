"""The Graph API over real connections, with answers that are wrong in every way that was thought of."""

import hashlib
import json
from contextlib import asynccontextmanager
from types import SimpleNamespace

import anyio
import anyio.lowlevel
import pytest
from aiohttp import web

from tests.pool.far_end import far_end
from warmline.audio.voice_notes import NOTE_NAME, NOTE_TYPE
from warmline.channels.whatsapp import client as graph_client
from warmline.channels.whatsapp.addressee import Addressee
from warmline.channels.whatsapp.client import GraphClient, number_request
from warmline.channels.whatsapp.failure_kinds import GraphFailureKind
from warmline.channels.whatsapp.failures import GraphFailure
from warmline.channels.whatsapp.media import MediaPlace
from warmline.channels.whatsapp.media_lines import MediaLines
from warmline.channels.whatsapp.messages import text_message, voice_note_message
from warmline.errors import InputError
from warmline.pool.lines import Lines
from warmline.pool.retrying import RetryPolicy

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

TOKEN = "s3cret-t0ken"
K = GraphFailureKind
ANN = Addressee("48600100200")
HELLO = text_message(ANN, "Hello", callback_data="job/1")
OGG = b"OggS" + bytes(200_000)


class Graph:
    """Answers as it is told, and notes what it was asked."""

    def __init__(self):
        self.asked = []
        self.answers = []
        self.file = SimpleNamespace(content=OGG, type="audio/ogg", status=200, location="", length=None)
        self.files_sent_bytes = 0
        self.is_over = anyio.Event()

    async def answer(self, request):
        body = await request.read()
        self.asked.append((request.method, request.raw_path, request.headers.copy(), body))
        answer = self.answers.pop(0)
        if answer == "drop":
            request.transport.abort()
            return web.Response()
        if answer == "hang":
            await self.is_over.wait()
            return web.Response()
        status, content = answer
        return web.json_response(content, status=status)

    async def download(self, request):
        self.asked.append((request.method, request.raw_path, request.headers.copy(), b""))
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return web.Response(status=401)
        if self.file.location:
            return web.Response(status=302, headers={"location": self.file.location})
        response = web.StreamResponse(status=self.file.status, headers={"content-type": self.file.type})
        response.content_length = self.file.length
        await response.prepare(request)
        for begin in range(0, len(self.file.content), 16_384):
            if request.transport is None or request.transport.is_closing():
                break
            piece = self.file.content[begin : begin + 16_384]
            await response.write(piece)
            await anyio.lowlevel.checkpoint()  # so that the end of the connection is noticed
            self.files_sent_bytes += len(piece)
        return response


def error(code, message="Failed"):
    return {"error": {"message": f"(#{code}) {message}", "code": code, "fbtrace_id": "T"}}


def sent(name="wamid.S"):
    return 200, {"messaging_product": "whatsapp", "messages": [{"id": name}]}


@asynccontextmanager
async def running(tmp_path):
    graph = Graph()
    routes = {"/v26.0/{rest:.*}": graph.answer, "/files/{rest:.*}": graph.download}
    async with far_end(routes) as far:
        certificate = tmp_path / "ca.pem"
        certificate.write_bytes(far.certificate)
        url = f"{far.url}/v26.0"
        async with Lines(certificate=certificate) as lines:
            endpoint = await lines.endpoint(
                "whatsapp",
                url,
                headers={"authorization": f"Bearer {TOKEN}"},
                retry=RetryPolicy(retries=2, backoff_s=0.01),
            )
            try:
                yield GraphClient(endpoint, MediaLines(lines, TOKEN, [url])), graph, far.url
            finally:
                graph.is_over.set()


async def failed(doing) -> GraphFailure:
    with pytest.raises(GraphFailure) as caught:
        await doing
    assert TOKEN not in str(caught.value)
    return caught.value


async def test_a_message_is_sent_once_and_named(tmp_path):
    async with running(tmp_path) as (client, graph, _):
        graph.answers = [sent()]
        assert await client.send("111", HELLO) == "wamid.S"
    [(method, path, headers, body)] = graph.asked
    assert (method, path, headers["authorization"]) == ("POST", "/v26.0/111/messages", f"Bearer {TOKEN}")
    assert json.loads(body) == HELLO


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("drop", K.UNKNOWN_OUTCOME),
        ((502, "Bad Gateway"), K.UNKNOWN_OUTCOME),
        ((200, {"messages": []}), K.UNKNOWN_OUTCOME),
        ((200, {}), K.UNKNOWN_OUTCOME),
        ((500, error(131000)), K.TRANSIENT),
        ((400, error(131056)), K.PAIR_RATE),
        ((401, error(190)), K.TOKEN),
    ],
)
async def test_a_message_is_never_sent_again_by_the_client(tmp_path, answer, kind):
    """Whoever calls decides; it may have been accepted."""
    async with running(tmp_path) as (client, graph, _):
        graph.answers = [answer, sent()]
        told = await failed(client.send("111", HELLO))
    assert told.kind is kind
    assert len(graph.asked) == 1


async def test_a_message_without_an_answer_may_have_been_accepted(tmp_path, monkeypatch):
    """Nobody waits for it for ever."""
    monkeypatch.setattr(graph_client, "_FIRST_RESULT_S", 0.2)
    async with running(tmp_path) as (client, graph, _):
        graph.answers = ["hang"]
        told = await failed(client.send("111", HELLO))
    assert told.kind is K.UNKNOWN_OUTCOME


async def test_a_message_that_no_line_was_there_for_was_not_sent():
    async with Lines() as lines:
        endpoint = await lines.endpoint("whatsapp", "https://localhost:9/v26.0", warm=0)
        client = GraphClient(endpoint, MediaLines(lines, TOKEN, []))
        assert (await failed(client.send("111", HELLO))).kind is K.TRANSIENT


async def test_what_may_be_asked_twice_is(tmp_path):
    """A receipt that comes twice is one."""
    async with running(tmp_path) as (client, graph, _):
        graph.answers = ["drop", (503, error(131016)), (200, {"success": True})]
        await client.mark_read("111", "wamid.A", typing=True)
    bodies = {body for *_, body in graph.asked}
    assert len(graph.asked) == 3
    assert [json.loads(body)["typing_indicator"] for body in bodies] == [{"type": "text"}]


async def test_a_voice_note_is_uploaded_as_a_form_and_sent_by_its_id(tmp_path):
    """WhatsApp tells a voice note by its type and its file's name."""
    async with running(tmp_path) as (client, graph, _):
        graph.answers = [(200, {"id": "77"}), sent()]
        media_id = await client.upload("111", OGG, NOTE_TYPE, NOTE_NAME)
        await client.send("111", voice_note_message(ANN, media_id))
    (_, path, headers, form), (*_, body) = graph.asked
    assert path == "/v26.0/111/media"
    boundary = headers["Content-Type"].removeprefix("multipart/form-data; boundary=").encode()
    *parts, last = form.split(b"--" + boundary)
    assert last == b"--\r\n"
    assert b'name="messaging_product"\r\n\r\nwhatsapp\r\n' in parts[1]
    assert b'name="type"\r\n\r\naudio/ogg\r\n' in parts[2]
    head, _, content = parts[3].partition(b"\r\n\r\n")
    assert b'name="file"; filename="voice-note.ogg"' in head
    assert b"content-type: audio/ogg" in head
    assert content == OGG + b"\r\n"
    assert json.loads(body)["audio"] == {"id": "77", "voice": True}


async def test_a_file_is_found_and_downloaded_with_the_token(tmp_path):
    """From another address than the Graph API's."""
    async with running(tmp_path) as (client, graph, url):
        digest = hashlib.sha256(OGG).hexdigest()
        place = {"url": f"{url}/files/a?mid=1&hash=x%3D", "mime_type": "audio/ogg", "sha256": digest}
        graph.answers = [(200, {**place, "file_size": len(OGG), "id": "77"})]
        found = await client.media("77", "111")
        assert found == MediaPlace(place["url"], "audio/ogg", digest, len(OGG))
        assert await client.download(found, 300_000) == OGG
        assert await client.download(found, 300_000) == OGG
    (_, path, *_), (_, target, headers, _), _ = graph.asked
    assert path == "/v26.0/77?phone_number_id=111"
    assert target == "/files/a?mid=1&hash=x%3D"
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["user-agent"] == "warmline"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((400, {"error": {"code": 100, "error_subcode": 33, "message": "Unsupported"}}), K.MEDIA_GONE),
        ((400, error(131052)), K.MEDIA_GONE),
        ((200, {"id": "77"}), K.TRANSIENT),
        ((401, error(190)), K.TOKEN),
    ],
)
async def test_a_file_that_is_not_found_says_why(tmp_path, answer, kind):
    async with running(tmp_path) as (client, graph, _):
        graph.answers = [answer]
        assert (await failed(client.media("77", "111"))).kind is kind


@pytest.mark.parametrize(("status", "kind"), [(404, K.MEDIA_GONE), (401, K.TOKEN), (429, K.THROUGHPUT)])
async def test_a_download_that_is_refused_says_why(tmp_path, status, kind):
    """An address is good for five minutes."""
    async with running(tmp_path) as (client, graph, url):
        graph.file.status = status
        assert (await failed(client.download(MediaPlace(f"{url}/files/a"), 300_000))).kind is kind


async def test_a_file_that_is_too_large_is_not_read_to_its_end(tmp_path):
    """40 MB would be kept in memory, by everybody who likes."""
    async with running(tmp_path) as (client, graph, url):
        graph.file.content = bytes(40_000_000)
        with pytest.raises(InputError):
            await client.download(MediaPlace(f"{url}/files/a", size_bytes=40_000_000), 16_000_000)
        assert graph.asked == []
        graph.file.length = 40_000_000
        with pytest.raises(InputError):
            await client.download(MediaPlace(f"{url}/files/a"), 1_000_000)
        graph.file.length = None
        with pytest.raises(InputError):
            await client.download(MediaPlace(f"{url}/files/a"), 1_000_000)
        assert graph.files_sent_bytes < 20_000_000


async def test_a_file_that_is_another_one_is_refused(tmp_path):
    async with running(tmp_path) as (client, graph, url):
        graph.file.content = b"another one"
        place = MediaPlace(f"{url}/files/a", "audio/ogg", hashlib.sha256(OGG).hexdigest())
        with pytest.raises(InputError, match="SHA-256"):
            await client.download(place, 300_000)
        graph.file.type = "text/html"
        with pytest.raises(InputError, match="text/html"):
            await client.download(place, 300_000)


async def test_a_redirection_is_followed_among_those_who_may_see_the_token(tmp_path):
    """And no further."""
    async with running(tmp_path) as (client, graph, url):
        graph.file.location = "https://evil.example/files/a"
        told = await failed(client.download(MediaPlace(f"{url}/files/a"), 300_000))
        assert (told.kind, len(graph.asked)) == (K.REFUSED, 1)
        graph.file.location = "/files/b"
        told = await failed(client.download(MediaPlace(f"{url}/files/a"), 300_000))
        assert (told.kind, len(graph.asked)) == (K.REFUSED, 4)


async def test_a_foreign_address_is_not_even_connected_to(tmp_path):
    """The token would be gone."""
    async with running(tmp_path) as (client, graph, _):
        told = await failed(client.download(MediaPlace("https://evil.example/a"), 300_000))
        assert told.kind is K.REFUSED
        assert "evil.example" in str(told)
        assert graph.asked == []


async def test_a_token_is_proved_by_asking_for_the_number(tmp_path):
    """Before anybody writes."""
    async with running(tmp_path) as (client, graph, _):
        graph.answers = [(200, {"id": "111"}), (401, error(190, "Error validating access token"))]
        await client.check("111")
        assert graph.asked[0][1] == f"/v26.0{number_request('111').path}" == "/v26.0/111?fields=id"
        assert (await failed(client.check("111"))).kind is K.TOKEN
