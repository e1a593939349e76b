"""A person who writes and speaks to a business, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import msgspec

from warmline.core.ids import new_id
from warmline.simulators.whatsapp.business import Business
from warmline.simulators.whatsapp.chat import Chat
from warmline.simulators.whatsapp.measuring import measured_turns
from warmline.simulators.whatsapp.people import Person
from warmline.simulators.whatsapp.rehearsal import Prepared
from warmline.simulators.whatsapp.report import ConversationReport, ReceivedMessage, SentMessage
from warmline.simulators.whatsapp.steps import (
    Forward,
    React,
    SendImage,
    SendOther,
    SendStep,
    Speak,
    Step,
    Wait,
    WaitForAnswer,
    Write,
)

__all__ = ["Conversation", "PlacedConversation"]


class PlacedConversation(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is asked of somebody."""

    person: Person = Person(phone="+15550001111", user_id="US.13491208655302741918")
    webhook_urls: tuple[str, ...] = ()
    """Where the business's server is told of this person, from now on; several for several processes of it.
    Empty: where it is told of everybody."""

    steps: tuple[Step, ...]


class Conversation:
    """Goes through the steps.

    What changes here: how far it has come, in `run`; what was sent and came since it began is the chat's.
    """

    def __init__(
        self,
        business: Business,
        placed: PlacedConversation,
        prepared: Sequence[Prepared | None],
    ) -> None:
        """Prepare.

        Args:
            business: Whom it is with.
            placed: Who does what.
            prepared: The files of the steps, in their order.
        """
        self.id = new_id("conversation")
        self.chat: Chat = business.chat_with(placed.person)
        if placed.webhook_urls:
            self.chat.urls = placed.webhook_urls
        self._business = business
        self._steps = list(zip(placed.steps, prepared, strict=True))
        self._began_at_s = business.now_s
        self._ended_at_s: float | None = None
        self._sent_before = len(self.chat.sent)
        self._received_before = len(self.chat.received)
        self._asked_from: int | None = None
        """How many messages had come when the first was sent that no wait was for yet."""

        self._is_over = anyio.Event()

    @property
    def is_over(self) -> bool:
        """Whether all steps were done."""
        return self._is_over.is_set()

    @property
    def sent(self) -> list[SentMessage]:
        """What the person sent since it began."""
        return self.chat.sent[self._sent_before :]

    @property
    def received(self) -> list[ReceivedMessage]:
        """What came since it began."""
        return self.chat.received[self._received_before :]

    async def run(self) -> None:
        """Do all steps."""
        try:
            for step, prepared in self._steps:
                await self._do(step, prepared)
        finally:
            self._ended_at_s = self._business.now_s
            self._is_over.set()

    async def over(self) -> ConversationReport:
        """Return how it went, when it is over."""
        await self._is_over.wait()
        return self.report()

    def report(self) -> ConversationReport:
        """Return what is known so far."""
        ids = {message.id for message in self.sent} | {message.id for message in self.received}
        return ConversationReport(
            id=self.id,
            person=self.chat.person.key,
            state="over" if self.is_over else "going_on",
            began_at_s=self._began_at_s,
            ended_at_s=self._ended_at_s,
            sent=self.sent,
            received=self.received,
            turns=measured_turns(self.sent, self.received),
            webhooks=[each for each in self._business.telling.log if not ids.isdisjoint(each.ids)],
        )

    async def _do(self, step: Step, prepared: Prepared | None) -> None:
        match step:
            case Wait():
                await anyio.sleep(step.wait_s)
            case WaitForAnswer():
                await self._wait(step)
            case _:
                if self._asked_from is None:
                    self._asked_from = len(self.chat.received)
                self._send(step, prepared)

    def _send(self, step: SendStep, prepared: Prepared | None) -> None:
        last = self.chat.received[-1].id if self.chat.received else ""
        match step:
            case Write():
                message: dict[str, Any] = {"type": "text", "text": {"body": step.text}}
                reply_to = last if step.replies else ""
                self._business.write(self.chat, message, text=step.text, reply_to=reply_to)
            case Speak():
                assert prepared is not None
                audio = {**self._stored(prepared), "voice": not isinstance(step, Forward)}
                seconds = prepared.facts.seconds if prepared.facts is not None else None
                message = {"type": "audio", "audio": audio}
                self._business.write(self.chat, message, text=step.text, seconds=seconds)
            case SendImage():
                assert prepared is not None
                image = {**self._stored(prepared), **({"caption": step.caption} if step.caption else {})}
                self._business.write(self.chat, {"type": "image", "image": image}, text=step.caption)
            case React():
                about = last or (self.chat.sent[-1].id if self.chat.sent else "")
                reaction = {"message_id": about, **({"emoji": step.emoji} if step.emoji else {})}
                self._business.write(self.chat, {"type": "reaction", "reaction": reaction}, text=step.emoji)
            case SendOther():
                self._business.write(self.chat, step.message)

    def _stored(self, prepared: Prepared) -> dict[str, str]:
        """Upload a file, as a phone does before it sends; return what the message says of it."""
        file = self._business.files.add(
            prepared.mime_type,
            prepared.data,
            self._business.now_s,
            kept_s=self._business.received_media_s,
            facts=prepared.facts,
        )
        return file.in_webhook

    async def _wait(self, step: WaitForAnswer) -> None:
        asked_from = self._received_before if self._asked_from is None else self._asked_from
        self._asked_from = None
        with anyio.move_on_after(step.within_s):
            while len(self.chat.received) - asked_from < step.messages:
                await self.chat.changed.wait()
            while (rest_s := self._until_quiet_s(step.quiet_s)) > 0:
                changed = self.chat.changed
                with anyio.move_on_after(rest_s):
                    await changed.wait()

    def _until_quiet_s(self, quiet_s: float) -> float:
        """Return how much longer nothing has to come; it is not quiet while somebody is writing."""
        quiet_from_s = max(self.chat.changed_at_s, self.chat.typing_until_s)
        return quiet_from_s + quiet_s - self._business.now_s
