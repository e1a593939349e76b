"""The Graph API, on warm lines: files in both directions, and messages out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import anyio
import msgspec

from warmline.channels.whatsapp.failure_kinds import GraphFailureKind
from warmline.channels.whatsapp.failures import (
    GraphRejected,
    failure,
    media_failure,
    pool_failure,
    unreadable_answer,
)
from warmline.channels.whatsapp.media import MediaPlace, Receiving, read_place, redirected, source_of
from warmline.channels.whatsapp.media_lines import MediaLines
from warmline.channels.whatsapp.messages import read_receipt
from warmline.core.ids import new_id
from warmline.core.line_use import OnLine
from warmline.errors import PoolError, RemoteProtocolError
from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.forms import FormFile, form, form_type
from warmline.pool.http import HttpRequest

__all__ = ["GraphClient", "number_request"]

_FIRST_RESULT_S: Final = 15.0
"""A message is taken within half a second as a rule."""

_ANSWER_S: Final = 40.0
"""For a request with all its tries."""

_FILE_S: Final = 60.0
"""For a file of 16 MB, the largest of sound, at 2 Mbit/s."""

_ANSWER_BYTES: Final = 1_048_576
_HOPS: Final = 3
"""Addresses that are asked for one file, where each sends on to the next."""

_JSON: Final = (("content-type", "application/json"),)


@dataclass(frozen=True, slots=True)
class _Answer:
    headers: Mapping[str, str]
    body: bytes


class _Sent(msgspec.Struct):
    id: str


class _Messages(msgspec.Struct):
    messages: list[_Sent]


def number_request(phone_number_id: str) -> HttpRequest:
    """Return a request that costs nothing, and needs a token that is valid for this number."""
    return HttpRequest("GET", f"/{quote(phone_number_id, safe='')}?fields=id", is_idempotent=True)


class GraphClient:
    """Asks the Graph API; keeps nothing between requests.

    Every method raises `GraphFailure`, whose `kind` says whether to try again. What may be asked twice is
    asked again by the endpoint itself after a failure of the connection; a message never is.
    """

    def __init__(self, endpoint: HttpEndpoint, media_lines: MediaLines) -> None:
        """Prepare.

        Args:
            endpoint: Lines to the Graph API, whose headers carry the token; the base URL ends with the
                version, such as `/v26.0`.
            media_lines: Lines to where files come from.
        """
        self._endpoint = endpoint
        self._media_lines = media_lines

    async def check(self, phone_number_id: str, on_line: OnLine | None = None) -> None:
        """Ask for a number: it costs nothing, and a wrong token shows before anybody writes.

        Args:
            phone_number_id: Ours.
            on_line: Told of the line.
        """
        await self._asked(number_request(phone_number_id), what="asking for the number", on_line=on_line)

    async def send(self, phone_number_id: str, body: Mapping[str, Any]) -> str:
        """Send a message, once; return its id, by which its statuses are told.

        A failure of the kind `UNKNOWN_OUTCOME` leaves open whether it was sent, and so does cancelling.

        Args:
            phone_number_id: Ours that it comes from.
            body: From `warmline.channels.whatsapp.messages`.
        """
        what = "sending a message"
        answer = await self._asked(self._post(phone_number_id, body), what=what, is_sending=True)
        try:
            return msgspec.json.decode(answer.body, type=_Messages).messages[0].id
        except (msgspec.DecodeError, UnicodeDecodeError, IndexError) as error:
            raise unreadable_answer(answer.headers, what=what, is_sending=True) from error

    async def mark_read(self, phone_number_id: str, message_id: str, *, typing: bool = False) -> None:
        """Show somebody that their message was read.

        Args:
            phone_number_id: Ours that it came to.
            message_id: Theirs.
            typing: Whether they are also shown that an answer is being written.
        """
        request = self._post(phone_number_id, read_receipt(message_id, typing=typing), is_idempotent=True)
        await self._asked(request, what="marking a message as read")

    async def media(self, media_id: str, phone_number_id: str) -> MediaPlace:
        """Return where a file lies; the place is good for five minutes.

        Args:
            media_id: From a message.
            phone_number_id: Ours that it came to.
        """
        what = "asking for a file"
        path = f"/{quote(media_id, safe='')}?phone_number_id={quote(phone_number_id, safe='')}"
        answer = await self._asked(HttpRequest("GET", path, is_idempotent=True), what=what, is_media=True)
        try:
            return read_place(answer.body)
        except RemoteProtocolError as error:
            raise unreadable_answer(answer.headers, what=what) from error

    async def download(self, place: MediaPlace, at_most_bytes: int) -> bytes:
        """Return a file's content.

        The token is shown to Meta's hosts and to the Graph API's, and to nobody else.

        Args:
            place: From `media`.
            at_most_bytes: What is taken; no more than that is read.

        Raises:
            InputError: it is larger, empty, or not what the place promised.
            GraphFailure: it could not be had.
        """
        what = "downloading a file"
        receiving = Receiving(place, at_most_bytes)
        url = place.url
        try:
            with anyio.fail_after(_FILE_S):
                for _ in range(_HOPS):
                    onward = await self._received(url, receiving, what)
                    if not onward:
                        return receiving.finish()
                    url = redirected(url, onward)
        except RemoteProtocolError as error:
            raise GraphRejected(
                f"{what} at WhatsApp: {error}", kind=GraphFailureKind.REFUSED, phase="connect"
            ) from error
        except (PoolError, TimeoutError) as error:
            raise pool_failure(error, what=what) from error
        raise GraphRejected(
            f"{what} at WhatsApp: it is sent on and on", kind=GraphFailureKind.REFUSED, phase="first_result"
        )

    async def upload(self, phone_number_id: str, content: bytes, mime_type: str, name: str) -> str:
        """Upload a file and return its id, which is good for 30 days.

        Args:
            phone_number_id: Ours that it will be sent from.
            content: The file's.
            mime_type: Such as `audio/ogg`, without parameters.
            name: The file's; its ending has to fit the type.
        """
        what = "uploading a file"
        boundary = new_id("warmline")
        fields = {"messaging_product": "whatsapp", "type": mime_type}
        request = HttpRequest(
            "POST",
            f"/{quote(phone_number_id, safe='')}/media",
            (form_type(boundary),),
            form(fields, FormFile(content, name, mime_type), boundary=boundary),
            # Uploaded twice, one of the two is never sent, and goes by itself.
            is_idempotent=True,
        )
        answer = await self._asked(request, what=what)
        try:
            return msgspec.json.decode(answer.body, type=_Sent).id
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise unreadable_answer(answer.headers, what=what) from error

    async def _received(self, url: str, receiving: Receiving, what: str) -> str:
        """Receive a file; return where the answer sends on to instead, or nothing."""
        source = source_of(url, self._media_lines.graph_urls)
        endpoint = await self._media_lines.to(source.base_url)
        request = HttpRequest("GET", source.target, is_idempotent=True)
        async with endpoint.request(request, first_result_s=_FIRST_RESULT_S) as response:
            if response.status in (301, 302, 303, 307, 308):
                return response.headers.get("location", "/")
            if response.status != 200:
                raise media_failure(response.status, response.headers, what=what)
            headers = response.headers
            receiving.begin(headers.get("content-type", ""), headers.get("content-length", ""))
            async for piece in response.chunks():
                receiving.add(piece)
        return ""

    def _post(
        self, phone_number_id: str, body: Mapping[str, Any], *, is_idempotent: bool = False
    ) -> HttpRequest:
        path = f"/{quote(phone_number_id, safe='')}/messages"
        return HttpRequest("POST", path, _JSON, msgspec.json.encode(body), is_idempotent=is_idempotent)

    async def _asked(
        self,
        request: HttpRequest,
        *,
        what: str,
        is_sending: bool = False,
        is_media: bool = False,
        on_line: OnLine | None = None,
    ) -> _Answer:
        """Return the answer to a request, if it says success.

        Raises:
            GraphFailure: it does not, or there is none.
        """
        try:
            with anyio.fail_after(_ANSWER_S):
                asking = self._endpoint.request(request, first_result_s=_FIRST_RESULT_S, on_line=on_line)
                async with asking as response:
                    body = await response.read(at_most_bytes=_ANSWER_BYTES)
        except (PoolError, TimeoutError) as error:
            raise pool_failure(error, what=what, is_sending=is_sending) from error
        if response.status not in (200, 201):
            raise failure(
                response.status,
                response.headers,
                body,
                what=what,
                is_sending=is_sending,
                is_media=is_media,
            )
        return _Answer(response.headers, body)
