"""The Graph API, as far as a number of a business's needs it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, Final

import aiohttp
import anyio.to_thread
import msgspec
from aiohttp import web

from warmline.core.clock import unix_time_s
from warmline.simulators.faults import Fault, FaultKind
from warmline.simulators.outgoing import HttpOutgoing
from warmline.simulators.simulator import Handler, fault_of, json_response
from warmline.simulators.whatsapp.bodies import Receipt, read_body
from warmline.simulators.whatsapp.business import Business
from warmline.simulators.whatsapp.errors import Refused, no_object, problem, required
from warmline.simulators.whatsapp.files import StoredFile, check_upload
from warmline.simulators.whatsapp.notes import sound_facts
from warmline.simulators.whatsapp.telling import Reaching
from warmline.simulators.whatsapp.webhooks import DISPLAY_NUMBER, PHONE_NUMBER_ID

__all__ = ["Graph"]

_VERSION: Final = r"/{version:v\d+\.\d+}"
_ATTACHMENTS: Final = "/whatsapp_business/attachments/"
_PIECE_BYTES: Final = 16_384
_HANDSHAKE_S: Final = 10.0

_NUMBER: Final = {
    "verified_name": "Warmline",
    "display_phone_number": f"+{DISPLAY_NUMBER}",
    "quality_rating": "GREEN",
    "id": PHONE_NUMBER_ID,
}

_OUTGOING: Final = frozenset({
    FaultKind.CUT,
    FaultKind.HALF_CLOSE,
    FaultKind.SLOW_FIRST_BYTE,
    FaultKind.SPLIT,
    FaultKind.STALL,
})
"""What can go wrong with an answer that is on its way."""


class _Override(msgspec.Struct, kw_only=True):
    override_callback_uri: str = ""
    verify_token: str = ""


class _NumberSettings(msgspec.Struct, kw_only=True):
    webhook_configuration: _Override


class Graph:
    """Answers requests.

    What changes here: how many were answered with the same token.
    """

    def __init__(self, network: Reaching, business: Business) -> None:
        self._network = network
        self._business = business
        self._answered = 0

    def routes(self) -> Sequence[web.RouteDef]:
        """Return what is served, with full paths."""
        node = f"{_VERSION}/{{node}}"
        return [
            web.post(f"{node}/messages", self._served(self._send)),
            web.post(f"{node}/media", self._served(self._upload)),
            web.post(f"{node}/subscribed_apps", self._served(self._subscribe_account)),
            web.post(f"{node}/subscriptions", self._served(self._subscribe_app)),
            web.post(f"{node}{{end:/?}}", self._served(self._set_number)),
            web.get(node, self._served(self._show)),
            web.delete(node, self._served(self._delete)),
            web.get(_ATTACHMENTS, self._served(self._download)),
            web.route("*", f"{_VERSION}/{{rest:.*}}", self._served(self._unknown)),
        ]

    def renew_token(self) -> None:
        """Count requests with a new token."""
        self._answered = 0

    async def subscribe(self, url: str, verify_token: str) -> None:
        """Have a server told of everybody, if it can show that it wants to be.

        Raises:
            Refused: it can't.
        """
        challenge = str(secrets.randbelow(10**10))
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": verify_token}
        timeout = aiohttp.ClientTimeout(total=_HANDSHAKE_S)
        try:
            async with self._network.client.get(
                url, params=query, timeout=timeout, allow_redirects=False
            ) as response:
                told = await response.text(errors="replace")
                found = f"HTTP Status Code = {response.status}; HTTP Message = {response.reason}"
                is_verified = response.status == 200 and told == challenge
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as failed:
            is_verified, found = False, str(failed) or type(failed).__name__
        if not is_verified:
            raise Refused(
                2200,
                message=f"(#2200) Callback verification failed with the following errors: {found}",
            )
        self._business.urls = (url,)

    def _served(self, handler: Handler) -> Handler:
        """Return a handler that answers what the given one refuses, and does what is to go wrong."""

        async def handle(request: web.Request) -> web.StreamResponse:
            fault = fault_of(request)
            try:
                self._check_token()
                if fault is not None and fault.kind is FaultKind.REFUSED:
                    raise Refused(fault.code)
                answer = await handler(request)
            except Refused as refused:
                answer = problem(refused)
            self._answered += 1
            if fault is None or not isinstance(answer, web.Response):
                return answer
            body = bytes(answer.body) if isinstance(answer.body, bytes) else b""
            if fault.kind is FaultKind.GARBAGE:
                return web.Response(body=body[: len(body) // 2], content_type=answer.content_type)
            return await _sent(request, answer, body, fault) if fault.kind in _OUTGOING else answer

        return handle

    def _check_token(self) -> None:
        most = self._network.script.token_requests
        if most and self._answered >= most:
            raise Refused(190, message="Error validating access token: Session has expired.", subcode=463)

    async def _send(self, request: web.Request) -> web.Response:
        self._check_number(request)
        wanted = read_body(await request.read())
        if isinstance(wanted, Receipt):
            self._business.receive_receipt(wanted)
            return json_response({"success": True})
        fault = fault_of(request)
        fails_with = fault.code if fault is not None and fault.kind is FaultKind.FAILED else 0
        accepted = await self._business.accept(wanted, fails_with=fails_with)
        contact = {"input": wanted.addressed}
        contact |= {"wa_id": wanted.to} if wanted.to else {"user_id": wanted.user_id}
        message = {"id": accepted.id}
        if wanted.type == "template":
            message["message_status"] = "accepted"
        return json_response({"messaging_product": "whatsapp", "contacts": [contact], "messages": [message]})

    async def _upload(self, request: web.Request) -> web.Response:
        self._check_number(request)
        if request.content_type != "multipart/form-data":
            raise required("file")
        form = await request.post()
        if form.get("messaging_product") != "whatsapp":
            raise required("messaging_product")
        file = form.get("file")
        if not isinstance(file, web.FileField):
            raise required("file")
        if not form.get("type"):
            raise required("type")
        data = file.file.read()
        check_upload(file.content_type, data)
        facts = None
        if file.content_type.startswith("audio/"):
            facts = await anyio.to_thread.run_sync(sound_facts, data)
        stored = self._business.files.add(file.content_type, data, self._business.now_s, facts=facts)
        return json_response({"id": stored.id})

    async def _show(self, request: web.Request) -> web.Response:
        name = request.match_info["node"]
        if name == PHONE_NUMBER_ID:
            fields = request.query.get("fields", "")
            wanted = {*fields.split(","), "id"} if fields else _NUMBER.keys()
            return json_response({field: value for field, value in _NUMBER.items() if field in wanted})
        file = self._file(request, name)
        if request.query.get("phone_number_id", PHONE_NUMBER_ID) != PHONE_NUMBER_ID:
            raise no_object(name)
        good_for_s = self._network.script.media_url_s
        address = self._business.files.address(file, self._business.now_s, good_for_s)
        url = (
            request.url
            .origin()
            .with_path(_ATTACHMENTS)
            .with_query(
                mid=file.id, source="getMedia", ext=str(unix_time_s() + int(good_for_s)), hash=address
            )
        )
        return json_response({
            "messaging_product": "whatsapp",
            "url": str(url),
            "mime_type": file.mime_type,
            "sha256": file.sha256.hex(),
            "file_size": len(file.data),
            "id": file.id,
        })

    async def _download(self, request: web.Request) -> web.Response:
        if not request.headers.get("user-agent"):
            # By some reports not every host of Meta's is so strict.
            raise web.HTTPForbidden
        file = self._business.files.at(request.query.get("hash", ""), self._business.now_s)
        fault = fault_of(request)
        if file is None or (fault is not None and fault.kind is FaultKind.MEDIA_EXPIRED):
            raise web.HTTPNotFound
        return web.Response(body=file.data, headers={"content-type": file.mime_type})

    async def _delete(self, request: web.Request) -> web.Response:
        self._business.files.delete(request.match_info["node"], self._business.now_s)
        return json_response({"success": True})

    async def _subscribe_app(self, request: web.Request) -> web.Response:
        """Take an app's webhook address; WhatsApp's is told of all numbers."""
        given = request.query if "callback_url" in request.query else await request.post()
        if given.get("object") != "whatsapp_business_account":
            raise Refused(100, message="(#100) Param object must be one of {WHATSAPP_BUSINESS_ACCOUNT}.")
        await self.subscribe(str(given.get("callback_url", "")), str(given.get("verify_token", "")))
        return json_response({"success": True})

    async def _subscribe_account(self, request: web.Request) -> web.Response:
        body = await request.read()
        override = _read(body, _Override) if body else _Override()
        if override.override_callback_uri:
            await self.subscribe(override.override_callback_uri, override.verify_token)
        return json_response({"success": True})

    async def _set_number(self, request: web.Request) -> web.Response:
        self._check_number(request)
        override = _read(await request.read(), _NumberSettings).webhook_configuration
        await self.subscribe(override.override_callback_uri, override.verify_token)
        return json_response({"success": True})

    async def _unknown(self, request: web.Request) -> web.Response:
        raise Refused(2500, message=f"Unknown path components: /{request.match_info['rest']}")

    def _check_number(self, request: web.Request) -> None:
        name = request.match_info["node"]
        if name != PHONE_NUMBER_ID:
            raise no_object(name, "post")

    def _file(self, request: web.Request, name: str) -> StoredFile:
        fault = fault_of(request)
        file = self._business.files.find(name, self._business.now_s)
        if file is None or (fault is not None and fault.kind is FaultKind.MEDIA_EXPIRED):
            raise no_object(name)
        return file


def _read(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise Refused(100, str(error)) from error


async def _sent(request: web.Request, answer: web.Response, body: bytes, fault: Fault) -> web.StreamResponse:
    """Send an answer piece by piece, with what goes wrong on the way."""
    stream = web.StreamResponse(
        status=answer.status, headers={"content-type": answer.headers["content-type"]}
    )
    stream.content_length = len(body)
    outgoing = HttpOutgoing(request, stream, fault)
    await outgoing.begin()
    await stream.prepare(request)
    for start in range(0, len(body), _PIECE_BYTES):
        await outgoing.send(body[start : start + _PIECE_BYTES])
    await stream.write_eof()
    return stream
