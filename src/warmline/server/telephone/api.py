"""Calls for programs: make one, look at them, and do something about one. `docs/guides/telephone.md`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from warmline.errors import ConfigError, ProviderError, ToolError
from warmline.server.access import Access, Refusal
from warmline.server.telephone.calls import Calls, NoRoom, NoSuchCall
from warmline.server.telephone.records import CallRecord

__all__ = ["CALLS_PATH", "NewCall", "api_routes"]

CALLS_PATH: Final = "/v1/calls"
_BODY_BYTES: Final = 65_536
_NUMBER: Final = r"^\+[1-9][0-9]{6,14}$"

_BodyT = TypeVar("_BodyT", bound=msgspec.Struct)

Number = Annotated[str, msgspec.Meta(pattern=_NUMBER)]


class NewCall(msgspec.Struct, forbid_unknown_fields=True):
    """What is asked for with `POST /v1/calls`."""

    to: Number
    network: str = ""
    """Empty: the first that can make calls."""

    greeting: Annotated[str, msgspec.Meta(max_length=2_000)] | None = None
    """In place of `agent.greeting`."""

    instructions: Annotated[str, msgspec.Meta(max_length=100_000)] | None = None
    """In place of `agent.instructions`."""

    metadata: Annotated[str, msgspec.Meta(max_length=1_000)] = ""
    """Given back in the call's record."""


class _To(msgspec.Struct, forbid_unknown_fields=True):
    to: Number


class _Digits(msgspec.Struct, forbid_unknown_fields=True):
    digits: Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Da-d*#wW]{1,64}$")]


class _Switch(msgspec.Struct, forbid_unknown_fields=True):
    on: bool


class _Listed(msgspec.Struct):
    live: list[CallRecord]
    over: list[CallRecord]
    """The last thousand, newest first."""


def api_routes(calls: Calls, access: Access) -> list[Route]:
    """Return what is served to programs that have the key."""

    async def make(request: Request) -> Response:
        wanted = await _body(request, NewCall)
        return _json(
            await calls.dial(
                wanted.to,
                network=wanted.network,
                greeting=wanted.greeting,
                instructions=wanted.instructions,
                metadata=wanted.metadata,
            ),
            HTTPStatus.CREATED,
        )

    async def show_all(_: Request) -> Response:
        return _json(_Listed(list(calls.live), list(reversed(calls.over))))

    async def show(request: Request) -> Response:
        return _json(calls.record(request.path_params["id"]))

    async def hang_up(request: Request) -> Response:
        calls.find(request.path_params["id"]).hang_up("operator")
        return _json(calls.record(request.path_params["id"]), HTTPStatus.ACCEPTED)

    async def transfer(request: Request) -> Response:
        call = calls.find(request.path_params["id"])
        await call.transfer((await _body(request, _To)).to)
        return _json(call.record, HTTPStatus.ACCEPTED)

    async def dtmf(request: Request) -> Response:
        call = calls.find(request.path_params["id"])
        await call.send_dtmf((await _body(request, _Digits)).digits)
        return _json(call.record, HTTPStatus.ACCEPTED)

    async def record(request: Request) -> Response:
        call = calls.find(request.path_params["id"])
        await call.set_recording(is_on=(await _body(request, _Switch)).on)
        return _json(call.record, HTTPStatus.ACCEPTED)

    async def hold(request: Request) -> Response:
        call = calls.find(request.path_params["id"])
        call.hold(is_on=(await _body(request, _Switch)).on)
        return _json(call.record, HTTPStatus.ACCEPTED)

    def route(path: str, handler: Callable[[Request], Awaitable[Response]], method: str) -> Route:
        async def guarded(request: Request) -> Response:
            refusal = access.check_key(request.headers)
            if refusal is not None:
                return _refused(refusal)
            try:
                return await handler(request)
            except Exception as problem:
                refusal = _refusal(problem)
                if refusal is None:
                    raise
                return _refused(refusal)

        return Route(CALLS_PATH + path, guarded, methods=[method])

    return [
        route("", make, "POST"),
        route("", show_all, "GET"),
        route("/{id}", show, "GET"),
        route("/{id}/hangup", hang_up, "POST"),
        route("/{id}/transfer", transfer, "POST"),
        route("/{id}/dtmf", dtmf, "POST"),
        route("/{id}/record", record, "POST"),
        route("/{id}/hold", hold, "POST"),
    ]


async def _body(request: Request, kind: type[_BodyT]) -> _BodyT:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_BYTES:
            raise _BadBody(f"the body is over {_BODY_BYTES} bytes")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as problem:
        raise _BadBody(str(problem)) from problem


class _BadBody(Exception):
    """What was sent is not what is asked for."""


def _refusal(problem: Exception) -> Refusal | None:
    match problem:
        case NoSuchCall():
            return Refusal(HTTPStatus.NOT_FOUND, "no_such_call", str(problem))
        case NoRoom():
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too_many_calls", str(problem))
        case _BadBody():
            return Refusal(HTTPStatus.BAD_REQUEST, "invalid_request", str(problem))
        case ConfigError():
            return Refusal(HTTPStatus.CONFLICT, "not_configured", str(problem))
        case ProviderError() | ToolError():
            return Refusal(HTTPStatus.BAD_GATEWAY, "network_refused", str(problem))
    return None


def _refused(refusal: Refusal) -> Response:
    return _json({"error": {"code": refusal.code, "message": refusal.message}}, refusal.status)


def _json(body: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
