"""Files that people send: where they lie, and whether what came is what was promised. No I/O.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

import msgspec

from warmline.errors import InputError, RemoteProtocolError
from warmline.pool.dialling import Address

__all__ = ["MediaPlace", "Receiving", "Source", "read_place", "recording_name", "redirected", "source_of"]

_DOMAINS: Final = (".fbsbx.com", ".whatsapp.net", ".facebook.com")
"""Meta's. Its files come from `lookaside.fbsbx.com` as a rule."""

_NAME: Final = re.compile(r"[a-z0-9.-]+", re.ASCII)

_TARGET: Final = "!$%&'()*+,/:;=?@-._~"
"""What an address may have beyond letters and digits without being quoted (RFC 3986)."""

_ANY_TYPE: Final = ("", "application/octet-stream", "binary/octet-stream")
_SOUND: Final = ("application/ogg",)

_ENDINGS: Final = {
    "audio/ogg": "ogg",
    "audio/opus": "ogg",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/aac": "aac",
    "audio/amr": "amr",
    "audio/wav": "wav",
}


@dataclass(frozen=True, slots=True)
class MediaPlace:
    """Where a file lies for five minutes, and what it is."""

    url: str
    mime_type: str = ""
    sha256: str = ""
    """In hexadecimal digits or base64; empty where it is not said."""

    size_bytes: int = 0
    """0 where it is not said."""


@dataclass(frozen=True, slots=True)
class Source:
    """An address in two parts: whom to ask, and for what."""

    base_url: str
    target: str
    """From the first slash on."""


def recording_name(mime_type: str) -> str:
    """Return what a recording is called, such as `recording.ogg`: services tell the format by the ending.

    Args:
        mime_type: As WhatsApp tells it, parameters and all.
    """
    ending = _ENDINGS.get(_essence(mime_type), "")
    return f"recording.{ending}" if ending else "recording"


class _Place(msgspec.Struct):
    url: str
    mime_type: str | None = None
    sha256: str | None = None
    file_size: int | None = None


def read_place(body: bytes) -> MediaPlace:
    """Return where a file lies, from what the Graph API says of it.

    Raises:
        RemoteProtocolError: it does not say that.
    """
    try:
        found = msgspec.json.decode(body, type=_Place, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RemoteProtocolError(f"what is no file's place: {error}", code="bad_media") from error
    return MediaPlace(found.url, found.mime_type or "", found.sha256 or "", max(found.file_size or 0, 0))


def source_of(url: str, graph_urls: Sequence[str]) -> Source:
    """Return an address's two parts, if the token may be shown there.

    Args:
        url: As it was told.
        graph_urls: The Graph API's base URLs: what it says of itself may be asked, too.

    Raises:
        RemoteProtocolError: it is no address, or neither Meta's nor the Graph API's.
    """
    try:
        address, parts = Address.of(url), urlsplit(url)
        graphs = {(each.host, each.port, each.is_tls) for each in map(Address.of, graph_urls)}
    except ValueError as error:
        raise RemoteProtocolError("a file's address is none", code="bad_media") from error
    host = address.host
    is_name = host.endswith(_DOMAINS) and _NAME.fullmatch(host) is not None
    is_metas = is_name and address.is_tls and address.port == 443
    if not is_metas and (host, address.port, address.is_tls) not in graphs:
        raise RemoteProtocolError(
            f"a file's address is at {quote(host[:100])}, which is not Meta's; the token is not shown there",
            code="foreign_media",
        )
    scheme = "https" if address.is_tls else "http"
    query = f"?{parts.query}" if parts.query else ""
    target = quote((parts.path or "/") + query, safe=_TARGET)
    return Source(f"{scheme}://{address.authority}", target)


def redirected(url: str, location: str) -> str:
    """Return where an answer sends on to; it is checked as any address."""
    return urljoin(url, location)


class Receiving:
    """A file as it arrives.

    What changes here: its content and the digest, in `add`.
    """

    def __init__(self, place: MediaPlace, at_most_bytes: int) -> None:
        """Prepare.

        Args:
            place: What was promised.
            at_most_bytes: What is taken.

        Raises:
            InputError: it is promised to be larger.
        """
        self._place = place
        self._at_most_bytes = at_most_bytes
        self._content = bytearray()
        self._digest = hashlib.sha256()
        self._check_size(place.size_bytes)

    def begin(self, content_type: str, content_length: str) -> None:
        """Take what is said of the file before it comes.

        Raises:
            InputError: it is too large, or of another type than was promised.
        """
        if content_length.isascii() and content_length.isdecimal():
            self._check_size(int(content_length[:20]))
        promised, found = (_essence(each) for each in (self._place.mime_type, content_type))
        if promised and found not in _ANY_TYPE and _family(found) != _family(promised):
            raise InputError(
                f"downloading a file: it is {found[:60]!r}, and was said to be {promised[:60]!r}"
            )

    def add(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            InputError: now it is too large.
        """
        self._check_size(len(self._content) + len(piece))
        self._content += piece
        self._digest.update(piece)

    def finish(self) -> bytes:
        """Return the whole.

        Raises:
            InputError: it is empty, or not the file that was promised.
        """
        expected = _digest_of(self._place.sha256)
        if not self._content:
            raise InputError("downloading a file: it is empty")
        if expected is not None and expected != self._digest.digest():
            raise InputError("downloading a file: it is not the one that was sent, by its SHA-256")
        return bytes(self._content)

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self._at_most_bytes:
            raise InputError(
                f"downloading a file: it has {size_bytes / 1_048_576:.1f} MiB or more, "
                f"and {self._at_most_bytes / 1_048_576:.1f} are taken"
            )


def _digest_of(sha256: str) -> bytes | None:
    """Return a digest that is written in digits or in base64; None if it is neither."""
    for decode in (bytes.fromhex, base64.b64decode):
        try:
            found = decode(sha256)
        except (ValueError, binascii.Error):
            continue
        if len(found) == hashlib.sha256().digest_size:
            return found
    return None


def _essence(mime_type: str) -> str:
    return mime_type.partition(";")[0].strip().lower()


def _family(essence: str) -> str:
    return "audio" if essence in _SOUND else essence.partition("/")[0]
