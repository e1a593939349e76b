"""To whom the token is shown, and whether a file is what was promised."""

import base64
import hashlib

import hypothesis.strategies as st
import pytest
from hypothesis import given

from warmline.channels.whatsapp.media import (
    MediaPlace,
    Receiving,
    Source,
    read_place,
    recording_name,
    redirected,
    source_of,
)
from warmline.errors import InputError, RemoteProtocolError
from warmline.pool.dialling import Address

pytestmark = pytest.mark.unit

GRAPH = ("https://graph.facebook.com/v26.0",)
SIMULATED = ("https://localhost:4443/v26.0",)
OGG = b"OggS and so on"


@pytest.mark.parametrize(
    ("url", "graph", "source"),
    [
        (
            "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1&ext=2&hash=AT-x_y%3D",
            GRAPH,
            Source(
                "https://lookaside.fbsbx.com",
                "/whatsapp_business/attachments/?mid=1&ext=2&hash=AT-x_y%3D",
            ),
        ),
        ("https://mmg.whatsapp.net/v/a", GRAPH, Source("https://mmg.whatsapp.net", "/v/a")),
        ("https://lookaside.facebook.com", GRAPH, Source("https://lookaside.facebook.com", "/")),
        ("HTTPS://LOOKASIDE.FBSBX.COM/a", GRAPH, Source("https://lookaside.fbsbx.com", "/a")),
        ("https://localhost:4443/media/7", SIMULATED, Source("https://localhost:4443", "/media/7")),
    ],
)
def test_metas_hosts_are_shown_the_token(url, graph, source):
    """And the Graph API's, which a simulator is."""
    assert source_of(url, graph) == source


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/a",
        "http://lookaside.fbsbx.com/a",
        "https://lookaside.fbsbx.com:8443/a",
        "https://fbsbx.com.evil.example/a",
        "https://evilfbsbx.com/a",
        "https://lookaside.fbsbx.com@evil.example/a",
        "https://evil.example\\.fbsbx.com/a",
        "https://evil.example .fbsbx.com/a",
        "https://evil.example%2f.fbsbx.com/a",
        "https://évil.fbsbx.com/a",
        "http://localhost:4443/media/7",
        "https://localhost:4444/media/7",
        "https://127.0.0.1:4443/media/7",
        "ftp://lookaside.fbsbx.com/a",
        "https://lookaside.fbsbx.com:port/a",
        "https://[::1/a",
        "//lookaside.fbsbx.com/a",
        "",
    ],
)
def test_nobody_else_is(url):
    """A token must not go to wherever a forged answer says."""
    with pytest.raises(RemoteProtocolError):
        source_of(url, (*GRAPH, *SIMULATED))


@given(st.text(max_size=30), st.text(max_size=30))
def test_whatever_an_address_holds_the_request_stays_one_request(host, rest):
    """No line break of it reaches the wire."""
    for url in (f"https://{host}.fbsbx.com/{rest}", f"https://lookaside.fbsbx.com/{rest}", host + rest):
        try:
            source = source_of(url, GRAPH)
        except RemoteProtocolError:
            continue
        assert source.target.startswith("/")
        assert source.target.isascii()
        assert source.target.isprintable()
        assert " " not in source.target
        assert Address.of(source.base_url).host.endswith(("fbsbx.com", "whatsapp.net", "facebook.com"))


def test_a_redirection_is_read_from_where_it_came():
    """It may be a path alone."""
    assert redirected("https://lookaside.fbsbx.com/a/b?c", "/d") == "https://lookaside.fbsbx.com/d"
    assert redirected("https://lookaside.fbsbx.com/a", "https://evil.example/") == "https://evil.example/"


def test_a_place_is_read_from_what_the_graph_api_says():
    """Sizes are written as numbers or as texts."""
    url = "https://lookaside.fbsbx.com/a"
    assert read_place(f'{{"url":"{url}","file_size":"12","x":1}}'.encode()) == MediaPlace(url, size_bytes=12)
    whole = f'{{"url":"{url}","mime_type":"audio/ogg","sha256":"ab","file_size":12,"id":"7"}}'.encode()
    assert read_place(whole) == MediaPlace(url, "audio/ogg", "ab", 12)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"url":7}', b'{"url":"u","file_size":{}}', b"\xff"])
def test_what_is_no_place_is_told(body):
    """It would be asked for nothing."""
    with pytest.raises(RemoteProtocolError):
        read_place(body)


@pytest.mark.parametrize(
    ("mime_type", "name"),
    [
        ("audio/ogg; codecs=opus", "recording.ogg"),
        ("Audio/MP4", "recording.m4a"),
        ("audio/x-unheard-of", "recording"),
        ("", "recording"),
    ],
)
def test_a_recording_is_called_as_its_type_is(mime_type, name):
    """Services tell the format by the ending."""
    assert recording_name(mime_type) == name


def received(place, pieces, *, content_type="audio/ogg", length="", at_most=100):
    receiving = Receiving(place, at_most)
    receiving.begin(content_type, length)
    for piece in pieces:
        receiving.add(piece)
    return receiving.finish()


@pytest.mark.parametrize(
    "digest",
    ["", hashlib.sha256(OGG).hexdigest(), base64.b64encode(hashlib.sha256(OGG).digest()).decode(), "?"],
)
@pytest.mark.parametrize(
    "content_type", ["audio/ogg", "audio/ogg; codecs=opus", "Audio/OGG", "application/octet-stream", ""]
)
def test_a_file_that_is_what_was_promised_is_taken(digest, content_type):
    """However its digest is written, and if it has none."""
    place = MediaPlace("u", "audio/ogg; codecs=opus", digest, len(OGG))
    assert received(place, [OGG[:5], OGG[5:]], content_type=content_type) == OGG


def test_another_file_than_was_promised_is_refused():
    """It may have been exchanged, or cut."""
    place = MediaPlace("u", "audio/ogg", hashlib.sha256(OGG).hexdigest())
    with pytest.raises(InputError, match="SHA-256"):
        received(place, [OGG + b"!"])
    with pytest.raises(InputError, match="text/html"):
        received(place, [OGG], content_type="text/html")
    with pytest.raises(InputError, match="empty"):
        received(MediaPlace("u"), [])


def test_a_file_that_is_too_large_is_refused_as_soon_as_that_is_known():
    """Before anything is asked for, by its header, or while it comes."""
    with pytest.raises(InputError, match=r"40\.0 MiB"):
        Receiving(MediaPlace("u", size_bytes=40 * 1_048_576), 16 * 1_048_576)
    with pytest.raises(InputError):
        received(MediaPlace("u"), [], length="101")
    receiving = Receiving(MediaPlace("u"), 100)
    receiving.begin("", "not a number")
    receiving.add(b"x" * 100)
    with pytest.raises(InputError):
        receiving.add(b"x")
