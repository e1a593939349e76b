"""WhatsApp: the Graph API, and control over the people who write to its number."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Final

import anyio
import msgspec
from aiohttp import web

from warmline.errors import InputError
from warmline.simulators.faults import FaultKind
from warmline.simulators.reaching import ReachingSimulator
from warmline.simulators.script import Script
from warmline.simulators.simulator import CONTROL, json_response
from warmline.simulators.speech import Speech
from warmline.simulators.whatsapp.business import Business
from warmline.simulators.whatsapp.chat import Chat
from warmline.simulators.whatsapp.conversation import Conversation, PlacedConversation
from warmline.simulators.whatsapp.errors import Refused, refusal
from warmline.simulators.whatsapp.graph import Graph
from warmline.simulators.whatsapp.rehearsal import rehearsed
from warmline.simulators.whatsapp.script import WhatsAppScript
from warmline.simulators.whatsapp.webhooks import PHONE_NUMBER_ID

__all__ = ["WhatsAppSimulator"]

_KEPT: Final = 2_000
"""Conversations that are over, and can still be asked about."""


class _Subscription(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    urls: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    is_verified: bool = True
    """Whether each has to answer the challenge first."""


class _Token(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    key: Annotated[str, msgspec.Meta(min_length=1)]


class WhatsAppSimulator(ReachingSimulator):
    """WhatsApp, on one port; base URL `https://host:port/v26.0`, or any other version.

    What changes here: the conversations, where they are placed.
    """

    name: ClassVar[str] = "whatsapp"
    base_path: ClassVar[str] = "/v26.0"
    script_type: ClassVar[type[Script]] = WhatsAppScript

    script: WhatsAppScript

    def __init__(self, script: Script, speech: Speech, *, seed: int = 0) -> None:
        super().__init__(msgspec.convert(msgspec.to_builtins(script), WhatsAppScript), speech, seed=seed)
        self.app_secret = secrets.token_hex(16)
        """What webhooks are signed with."""

        self.verify_token = secrets.token_hex(8)
        """What subscriptions are verified with."""

        self.business = Business(self, self.app_secret)
        self.conversations: OrderedDict[str, Conversation] = OrderedDict()
        """By id; the oldest that are over are forgotten."""

        self._graph = Graph(self, self.business)

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths of the Graph API."""
        return self._graph.routes()

    def key(self, request: web.Request) -> str:
        """Return the bearer token, or the one in the query, which the Graph API takes as well."""
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        return bearer or request.query.get("access_token", "")

    def refusal(self, kind: FaultKind, retry_after: str = "") -> web.Response:
        """Return the Graph API's error for a kind of failure."""
        return refusal(kind, retry_after)

    def environment(self, key: str) -> dict[str, str]:
        """Return the token, and what webhooks and subscriptions are checked with."""
        return {
            "WHATSAPP_TOKEN": key,
            "WHATSAPP_APP_SECRET": self.app_secret,
            "WHATSAPP_VERIFY_TOKEN": self.verify_token,
        }

    def settings(self, base_url: str) -> dict[str, object]:
        """Return the base URL and the number."""
        return {**super().settings(base_url), "whatsapp.phone_number_id": PHONE_NUMBER_ID}

    async def place(self, placed: PlacedConversation) -> Conversation:
        """Have somebody write and speak; return when they begin to.

        Raises:
            InputError: a recording can't be read.
        """
        conversation = Conversation(self.business, placed, await rehearsed(placed.steps, self.speech))
        over = [each.id for each in self.conversations.values() if each.is_over]
        for name in over[: max(len(over) - _KEPT, 0)]:
            del self.conversations[name]
        self.conversations[conversation.id] = conversation
        self.start(conversation.run)
        return conversation

    async def subscribe(self, url: str) -> None:
        """Have a server told of everybody, after it has answered the challenge.

        Raises:
            Refused: it has not.
        """
        await self._graph.subscribe(url, self.verify_token)

    def renew_token(self, key: str) -> None:
        """Accept this token alone, which has not expired."""
        self.script.key = key
        self._graph.renew_token()

    def control_routes(self) -> Sequence[web.RouteDef]:
        """Return what people are controlled with, and what is known of them."""
        conversations, chats = f"{CONTROL}/conversations", f"{CONTROL}/chats"
        return [
            web.post(conversations, self._place),
            web.get(conversations, self._list_conversations),
            web.get(f"{conversations}/{{conversation}}", self._show_conversation),
            web.get(chats, self._list_chats),
            web.get(f"{chats}/{{person}}", self._show_chat),
            web.get(f"{CONTROL}/accepted", self._list_accepted),
            web.get(f"{CONTROL}/webhooks", self._list_webhooks),
            web.get(f"{CONTROL}/files/{{file}}", self._show_file),
            web.put(f"{CONTROL}/subscription", self._subscribe),
            web.post(f"{CONTROL}/token", self._renew_token),
        ]

    async def _place(self, request: web.Request) -> web.Response:
        try:
            placed = msgspec.json.decode(await request.read(), type=PlacedConversation)
            conversation = await self.place(placed)
        except (msgspec.MsgspecError, InputError) as error:
            return _wrong(error)
        return await self._told(request, conversation, status=201)

    async def _list_conversations(self, _: web.Request) -> web.Response:
        return json_response([
            {"id": each.id, "person": each.chat.person.key, "state": "over" if each.is_over else "going_on"}
            for each in self.conversations.values()
        ])

    async def _show_conversation(self, request: web.Request) -> web.Response:
        conversation = self.conversations.get(request.match_info["conversation"])
        if conversation is None:
            raise _missing("conversation")
        return await self._told(request, conversation)

    async def _told(
        self, request: web.Request, conversation: Conversation, *, status: int = 200
    ) -> web.Response:
        """Answer with a conversation's report, when it is over, or when as long was waited as is wanted."""
        try:
            wait_s = float(request.query.get("wait_s", "0"))
        except ValueError as error:
            return _wrong(error)
        with anyio.move_on_after(wait_s):
            await conversation.over()
        return json_response(conversation.report(), status=status)

    async def _list_chats(self, _: web.Request) -> web.Response:
        return json_response([_chat(chat) for chat in self.business.chats])

    async def _show_chat(self, request: web.Request) -> web.Response:
        name = request.match_info["person"]
        for chat in self.business.chats:
            if name in (chat.person.key, chat.person.wa_id):
                return json_response(_chat(chat))
        raise _missing("chat")

    async def _list_accepted(self, _: web.Request) -> web.Response:
        return json_response(list(self.business.accepted))

    async def _list_webhooks(self, _: web.Request) -> web.Response:
        return json_response(list(self.business.telling.log))

    async def _show_file(self, request: web.Request) -> web.Response:
        file = self.business.files.find(request.match_info["file"], self.business.now_s)
        if file is None:
            raise _missing("file")
        return web.Response(body=file.data, headers={"content-type": file.mime_type})

    async def _subscribe(self, request: web.Request) -> web.Response:
        try:
            wanted = msgspec.json.decode(await request.read(), type=_Subscription)
            for url in wanted.urls if wanted.is_verified else ():
                await self.subscribe(url)
        except (msgspec.MsgspecError, Refused) as error:
            return _wrong(error)
        self.business.urls = wanted.urls
        return json_response({"urls": wanted.urls})

    async def _renew_token(self, request: web.Request) -> web.Response:
        try:
            token = msgspec.json.decode(await request.read(), type=_Token)
        except msgspec.MsgspecError as error:
            return _wrong(error)
        self.renew_token(token.key)
        return json_response({"key": token.key})


def _chat(chat: Chat) -> dict[str, Any]:
    return {"person": chat.person, "sent": chat.sent, "received": chat.received}


def _wrong(problem: Exception) -> web.Response:
    return json_response({"problem": str(problem)}, status=400)


def _missing(what: str) -> web.HTTPNotFound:
    return web.HTTPNotFound(text=f'{{"problem": "there is no such {what}"}}', content_type="application/json")
