"""Deepgram: Nova and Flux over sockets, and recordings over HTTP."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from typing import Any, ClassVar

import anyio.to_thread
import soundfile
from aiohttp import web

from warmline.core.clock import utc_now
from warmline.core.formats import PCM_16K
from warmline.simulators.deepgram.errors import bad_request, refusal
from warmline.simulators.deepgram.flux import FluxStream
from warmline.simulators.deepgram.nova import NovaStream, model_info, word_list
from warmline.simulators.deepgram.query import Unfit, flux_query, nova_query
from warmline.simulators.faults import FaultKind
from warmline.simulators.outgoing import Gone, SocketOutgoing
from warmline.simulators.recordings import pcm16k
from warmline.simulators.simulator import Simulator, fault_of, json_response

__all__ = ["DeepgramSimulator"]


class DeepgramSimulator(Simulator):
    """Deepgram, on one port; base URL `https://host:port`."""

    name: ClassVar[str] = "deepgram"

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths of Deepgram's API."""
        return [
            web.get("/v1/listen", self._nova),
            web.get("/v2/listen", self._flux),
            web.post("/v1/listen", self._recording),
            web.get("/v1/projects", self._projects),
        ]

    def key(self, request: web.Request) -> str:
        """Return the key after the word Token, or a short-lived one after Bearer."""
        kind, _, key = request.headers.get("authorization", "").partition(" ")
        if kind.lower() in ("token", "bearer"):
            return key.strip()
        protocols = [part.strip() for part in request.headers.get("sec-websocket-protocol", "").split(",")]
        return protocols[1] if len(protocols) == 2 and protocols[0] == "token" else ""

    def refusal(self, kind: FaultKind, retry_after: str = "") -> web.Response:
        """Return Deepgram's error for a kind of failure."""
        return refusal(kind, retry_after)

    async def _nova(self, request: web.Request) -> web.StreamResponse:
        try:
            wanted = nova_query(request.query.items())
        except Unfit as problem:
            return bad_request(str(problem))
        name = str(uuid.uuid4())
        socket = await self._accept(request, name)
        outgoing = SocketOutgoing(
            request,
            socket,
            fault_of(request),
            '{"type":"Error","variant":"InternalError","description":"internal error"}',
        )
        try:
            await NovaStream(self, request.path, wanted, socket, outgoing, name).run()
        except* Gone:
            pass
        return socket

    async def _flux(self, request: web.Request) -> web.StreamResponse:
        try:
            wanted = flux_query(request.query.items())
        except Unfit as problem:
            return bad_request(str(problem))
        name = str(uuid.uuid4())
        socket = await self._accept(request, name)
        failure = (
            '{"type":"Error","sequence_id":99,"code":"INTERNAL_SERVER_ERROR","description":"internal error"}'
        )
        outgoing = SocketOutgoing(request, socket, fault_of(request), failure)
        try:
            await FluxStream(self, request.path, wanted, socket, outgoing, name).run()
        except* Gone:
            pass
        return socket

    async def _accept(self, request: web.Request, name: str) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=0, compress=False, protocols=("token",))
        socket.headers["dg-request-id"] = name
        await socket.prepare(request)
        return socket

    async def _recording(self, request: web.Request) -> web.Response:
        try:
            wanted = nova_query(request.query.items(), is_streaming=False)
        except Unfit as problem:
            return bad_request(str(problem))
        if request.content_type == "application/json":
            return bad_request("A url is not fetched here; send the recording itself.")
        recording = await request.read()
        if not recording:
            return bad_request("The request has no audio.")
        try:
            pcm = await anyio.to_thread.run_sync(pcm16k, recording)
        except soundfile.LibsndfileError:
            return bad_request("failed to process audio: corrupt or unsupported data")
        text = self.script.transcript or await self.speech.transcribed(pcm)
        length_s = PCM_16K.duration_s(len(pcm))
        words = word_list(text, 0.0, length_s)
        alternative = {"transcript": text, "confidence": 0.98 if text else 0.0, "words": words}
        channel: dict[str, Any] = {"alternatives": [alternative]}
        if request.query.get("detect_language") == "true":
            channel |= {"detected_language": "en", "language_confidence": 0.99}
        name = str(uuid.uuid4())
        model = str(uuid.uuid4())
        body: dict[str, Any] = {
            "metadata": {
                "transaction_key": "deprecated",
                "request_id": name,
                "sha256": hashlib.sha256(recording).hexdigest(),
                "created": utc_now().isoformat(),
                "duration": length_s,
                "channels": 1,
                "models": [model],
                "model_info": {model: model_info(wanted.model)},
            },
            "results": {"channels": [channel]},
        }
        if request.query.get("utterances") == "true":
            body["results"]["utterances"] = [
                {"start": 0.0, "end": length_s, "transcript": text, "confidence": 0.98, "words": words}
            ]
        return json_response(body, headers={"dg-request-id": name})

    async def _projects(self, _: web.Request) -> web.Response:
        return json_response({"projects": [{"project_id": str(uuid.uuid4()), "name": "Simulated"}]})
