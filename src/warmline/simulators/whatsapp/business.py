"""A business's number: the messages that pass through it, and what its server is told of them."""

from __future__ import annotations

import base64
import secrets
from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import anyio
import anyio.to_thread

from warmline.core.clock import unix_time_s
from warmline.simulators.whatsapp.bodies import FILE_TYPES, Receipt, Sending
from warmline.simulators.whatsapp.chat import Chat
from warmline.simulators.whatsapp.errors import Refused, failure
from warmline.simulators.whatsapp.files import Files, StoredFile
from warmline.simulators.whatsapp.limits import PairRate, Throughput
from warmline.simulators.whatsapp.notes import AUTOMATIC_BYTES, sound_facts
from warmline.simulators.whatsapp.people import Person
from warmline.simulators.whatsapp.report import AcceptedMessage, ReceivedMessage, SentMessage, ToldStatus
from warmline.simulators.whatsapp.telling import Reaching, Telling
from warmline.simulators.whatsapp.webhooks import DISPLAY_NUMBER, Event

__all__ = ["Business"]

_KEPT: Final = 10_000
"""Chats, and messages of the business's; the oldest are forgotten."""

_FETCH_S: Final = 10.0

_UNDELIVERABLE: Final = 131026
_WINDOW_CLOSED: Final = 131047
_UNUSABLE_FILE: Final = 131053


class Business:
    """A number of a business's.

    What changes here: the chats and the files; `accepted`, in `accept`; `urls`, from outside.
    """

    def __init__(self, network: Reaching, secret: str) -> None:
        """Prepare.

        Args:
            network: What it goes through.
            secret: The app's, which webhooks are signed with.
        """
        self.urls: tuple[str, ...] = ()
        """The server that is told of everybody who has none of their own."""

        self.files = Files()
        self.telling = Telling(network, secret)
        self.accepted: deque[AcceptedMessage] = deque(maxlen=_KEPT)
        self._network = network
        self._chats: OrderedDict[str, Chat] = OrderedDict()
        """By the person's key."""

        self._senders: OrderedDict[str, tuple[Chat, SentMessage]] = OrderedDict()
        """Of people's messages, by their ids."""

        self._pairs = PairRate()
        self._throughput = Throughput()

    @property
    def now_s(self) -> float:
        """The simulator's instant."""
        return self._network.clock.now_s()

    @property
    def received_media_s(self) -> float:
        """For how long a file that a person sends can be had."""
        return self._network.script.received_media_s

    @property
    def chats(self) -> list[Chat]:
        """All that are remembered."""
        return list(self._chats.values())

    def chat_with(self, person: Person) -> Chat:
        """Return somebody's chat; it begins where there is none."""
        chat = self._chats.get(person.key) or self._find(person.wa_id, person.user_id)
        if chat is None:
            chat = Chat(person)
        elif chat.person.key != person.key:
            self._chats.pop(chat.person.key, None)
        chat.person = person
        self._chats[person.key] = chat
        while len(self._chats) > _KEPT:
            self._chats.popitem(last=False)
        return chat

    def write(
        self,
        chat: Chat,
        message: Mapping[str, Any],
        *,
        reply_to: str = "",
        text: str = "",
        seconds: float | None = None,
    ) -> SentMessage:
        """Have a person send something.

        Args:
            chat: The person's.
            message: Its `type`, and what belongs to that.
            reply_to: The message that it quotes.
            text: Its words, as the log keeps them.
            seconds: How long a recording is.
        """
        sent = SentMessage(
            id=_new_wamid(chat.person.key),
            type=str(message["type"]),
            text=text,
            seconds=seconds,
            at_s=self.now_s,
        )
        chat.sent.append(sent)
        self._senders[sent.id] = (chat, sent)
        while len(self._senders) > _KEPT:
            self._senders.popitem(last=False)
        item: dict[str, Any] = {
            **chat.person.named("from", "from_user_id"),
            "id": sent.id,
            "timestamp": str(unix_time_s()),
            **message,
        }
        if reply_to:
            item["context"] = {"from": DISPLAY_NUMBER, "id": reply_to}

        def told(at_s: float) -> None:
            sent.told_at_s = at_s

        self.telling.tell(Event("messages", item, chat.person), chat.urls or self.urls, told)
        return sent

    def receive_receipt(self, receipt: Receipt) -> None:
        """Show a person that a message of theirs was read.

        Raises:
            Refused: nobody sent it.
        """
        if receipt.message_id not in self._senders:
            raise Refused(131009, f"There is no message {receipt.message_id}.")
        chat, message = self._senders[receipt.message_id]
        chat.mark_read(message, self.now_s, shows_typing=receipt.shows_typing)

    async def accept(self, sending: Sending, *, fails_with: int = 0) -> AcceptedMessage:
        """Take a message, and have it reach somebody; or not, of which a status tells later.

        Args:
            sending: The message.
            fails_with: A code that it is to fail with, whatever it is.

        Raises:
            Refused: it is not taken.
        """
        script = self._network.script
        if sending.to == DISPLAY_NUMBER:
            raise Refused(131021)
        file = self._file_of(sending)
        chat = self._find(sending.to, sending.user_id)
        if chat is None:
            chat = self.chat_with(Person(phone=sending.to, user_id=sending.user_id))
        key = chat.person.key
        if not self._throughput.take(self.now_s, per_s=script.messages_per_s):
            raise Refused(130429)
        if not self._pairs.take(key, self.now_s, burst=script.pair_burst, each_s=script.pair_s):
            raise Refused(131056)
        if file is None and sending.type in FILE_TYPES:
            file = await self._fetched(sending.content["link"])
        accepted = AcceptedMessage(
            id=_new_wamid(sending.addressed),
            to=key,
            type=sending.type,
            at_s=self.now_s,
            callback_data=sending.callback_data,
            failed_code=fails_with or self._failure_of(sending, chat, file),
        )
        self.accepted.append(accepted)
        if not accepted.failed_code:
            chat.receive(_received(sending, accepted, file))
        self._network.start(self._tell_statuses, accepted, chat, sending.is_voice)
        return accepted

    def _find(self, wa_id: str, user_id: str) -> Chat | None:
        known = self._chats.get(user_id) or self._chats.get(wa_id)
        if known is not None or not wa_id:
            return known
        return next((chat for chat in self._chats.values() if chat.person.wa_id == wa_id), None)

    def _file_of(self, sending: Sending) -> StoredFile | None:
        name = sending.content.get("id") if sending.type in FILE_TYPES else None
        if name is None:
            return None
        file = self.files.find(str(name), self.now_s)
        if file is None:
            raise Refused(131009, f"There is no media with the id {name}.")
        return file

    async def _fetched(self, link: str) -> StoredFile | None:
        """Return the file that a message links to; None if it can't be had."""
        timeout = aiohttp.ClientTimeout(total=_FETCH_S)
        try:
            async with self._network.client.get(link, timeout=timeout) as response:
                response.raise_for_status()
                data = await response.read()
                mime_type = response.content_type
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return None
        facts = await anyio.to_thread.run_sync(sound_facts, data) if mime_type[:6] == "audio/" else None
        return self.files.add(mime_type, data, self.now_s, facts=facts)

    def _failure_of(self, sending: Sending, chat: Chat, file: StoredFile | None) -> int:
        """Return the code that a message fails with; 0 if it reaches the person."""
        if sending.to and chat.person.wa_id != sending.to:
            return _UNDELIVERABLE
        if sending.type != "template" and not self._is_window_open(chat):
            return _WINDOW_CLOSED
        if sending.type in FILE_TYPES and not _is_usable(sending, file):
            return _UNUSABLE_FILE
        return 0

    def _is_window_open(self, chat: Chat) -> bool:
        window_s = self._network.script.window_s
        wrote_at_s = chat.last_wrote_at_s
        return not window_s or (wrote_at_s is not None and self.now_s - wrote_at_s <= window_s)

    async def _tell_statuses(self, accepted: AcceptedMessage, chat: Chat, is_voice: bool) -> None:
        script = self._network.script
        if accepted.failed_code:
            plan: list[tuple[float, str]] = [(script.failed_s, "failed")]
        else:
            plan = [
                (each.after_s, each.status) for each in script.statuses if is_voice or each.status != "played"
            ]
        for after_s, name in sorted(plan, key=lambda each: each[0]):
            await anyio.sleep(max(accepted.at_s + after_s - self.now_s, 0.0))
            self._tell_status(name, accepted, chat)

    def _tell_status(self, name: str, accepted: AcceptedMessage, chat: Chat) -> None:
        status = ToldStatus(status=name, at_s=self.now_s)
        accepted.statuses.append(status)
        item: dict[str, Any] = {
            "id": accepted.id,
            "status": name,
            "timestamp": str(unix_time_s()),
            **chat.person.named("recipient_id", "recipient_user_id"),
        }
        if accepted.callback_data:
            item["biz_opaque_callback_data"] = accepted.callback_data
        if name == "failed":
            status.code = accepted.failed_code
            item["errors"] = [failure(accepted.failed_code)]
        elif name != "played":
            item["pricing"] = {
                "billable": False,
                "pricing_model": "PMP",
                "category": "service",
                "type": "free_customer_service",
            }

        def told(at_s: float) -> None:
            status.told_at_s = at_s

        self.telling.tell(Event("statuses", item, chat.person), chat.urls or self.urls, told)


def _is_usable(sending: Sending, file: StoredFile | None) -> bool:
    """Whether a file can be shown as what it is sent as; OGG has one channel of Opus."""
    if file is None or file.mime_type.partition("/")[0] != (
        "image" if sending.type == "sticker" else sending.type
    ):
        return sending.type == "document" and file is not None
    if file.mime_type == "audio/ogg":
        return file.facts is not None and file.facts.is_opus and file.facts.channels == 1
    return not sending.is_voice


def _received(sending: Sending, accepted: AcceptedMessage, file: StoredFile | None) -> ReceivedMessage:
    message = ReceivedMessage(
        id=accepted.id,
        type=sending.type,
        text=sending.text,
        at_s=accepted.at_s,
        callback_data=sending.callback_data,
        reply_to=sending.reply_to,
        is_voice=sending.is_voice,
        content=sending.content,
    )
    if file is not None:
        message.media_id, message.mime_type = file.id, file.mime_type
        message.size_bytes = len(file.data)
        message.seconds = file.facts.seconds if file.facts is not None else None
        message.is_automatic = not sending.is_voice or len(file.data) <= AUTOMATIC_BYTES
    return message


def _new_wamid(key: str) -> str:
    """Return an id as WhatsApp's are: whose chat it is in can be read from it."""
    inside = b"\x1d\x06\x0b" + key.encode() + b"\x15\x02\x00\x11" + secrets.token_bytes(12)
    return f"wamid.{base64.b64encode(inside).decode()}"
