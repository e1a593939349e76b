"""What WhatsApp tells: checked, kept, and only then acknowledged. What is done about it comes later."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

import anyio
import anyio.to_thread

from warmline.channels.whatsapp.incoming import IncomingMessage
from warmline.channels.whatsapp.signature import WhatsAppSignatures
from warmline.channels.whatsapp.statuses import MessageStatus
from warmline.channels.whatsapp.webhooks import Delivery, read
from warmline.errors import RemoteProtocolError
from warmline.server.whatsapp.engine import JobEngine, queued
from warmline.server.whatsapp.policy import job_id_of
from warmline.server.whatsapp.settling import settle
from warmline.store.messages import Job, JobState, Messages
from warmline.store.outbox import Outbox, Status

__all__ = ["Receiving"]

_log = logging.getLogger(__name__)

_SIGNATURE: Final = "x-hub-signature-256"
_AT_ONCE: Final = 1
"""Webhooks that are kept at a time: the database takes one after another, and whoever finds it busy waits
longer than its turn would have been."""

_MOST_QUEUED: Final = 10_000

_APART_S: Final = 0.002
"""Messages that one person sent within a second are answered in the order of these milliseconds."""


class Receiving:
    """Takes webhooks; keeps nothing itself."""

    def __init__(
        self,
        signatures: WhatsAppSignatures,
        messages: Messages,
        outbox: Outbox,
        engine: JobEngine,
        now_s: Callable[[], float],
        *,
        phone_number_id: str = "",
    ) -> None:
        """Prepare.

        Args:
            signatures: By the app's secret.
            messages: Where messages go.
            outbox: Where statuses go.
            engine: Who answers.
            now_s: The wall clock, in seconds since 1970.
            phone_number_id: Ours; what others are sent is left alone. Empty: every number is ours.
        """
        self._signatures = signatures
        self._messages = messages
        self._outbox = outbox
        self._engine = engine
        self._now_s = now_s
        self._phone_number_id = phone_number_id
        self._places = anyio.CapacityLimiter(_AT_ONCE)

    async def receive(self, body: bytes, headers: Mapping[str, str]) -> tuple[HTTPStatus, str]:
        """Take a webhook; return how it is answered, and why it is refused.

        What is answered with OK is on disk; nothing of what is refused is. It may come again, at the same
        time or days later, here or to another process.
        """
        try:
            self._signatures.verify(body, headers.get(_SIGNATURE))
        except RemoteProtocolError as problem:
            return HTTPStatus.UNAUTHORIZED, str(problem)
        try:
            delivery = read(body)
        except RemoteProtocolError as problem:
            return HTTPStatus.BAD_REQUEST, str(problem)
        await anyio.to_thread.run_sync(self._keep, delivery, limiter=self._places)
        return HTTPStatus.OK, ""

    def queue_again(self) -> None:
        """Queue what is kept and was not begun: a process may have died between the two.

        Blocks; being queued twice does nothing.
        """
        for job in reversed(self._messages.listed(states=[JobState.QUEUED], most=_MOST_QUEUED)):
            self._enqueue(job)

    def _keep(self, delivery: Delivery) -> None:
        senders: set[str] = set()
        for message in delivery.messages:
            if self._phone_number_id not in ("", message.phone_number_id):
                _log.info("whatsapp.not_ours", extra={"number_id": message.phone_number_id})
                continue
            if message.user_key in senders:
                time.sleep(_APART_S)
            senders.add(message.user_key)
            self._queue(message)
        for status in delivery.statuses:
            self._told(status)

    def _queue(self, message: IncomingMessage) -> None:
        now_s = self._now_s()
        job = Job(
            id=job_id_of(message),
            user_key=message.user_key,
            phone_number_id=message.phone_number_id,
            kind=message.kind.value,
            message=message.to_json().decode(),
            sent_s=message.timestamp_s or int(now_s),
            received_s=now_s,
            state=JobState.QUEUED,
        )
        if not self._messages.add(job):
            known = self._messages.get(job.id)
            if known is None or known.state is not JobState.QUEUED:
                return
            # Whoever kept it may have died before it was queued; being queued twice does nothing.
            job = known
        self._enqueue(job)

    def _enqueue(self, job: Job) -> None:
        self._engine.enqueue(queued(job))

    def _told(self, status: MessageStatus) -> None:
        told = Status(
            message_id=status.id,
            state=status.state.value,
            at_s=status.timestamp_s,
            callback_data=status.callback_data,
            error_code=status.error_code,
            error_title=status.error_title,
            proves_acceptance=status.proves_acceptance,
        )
        job_id = self._outbox.told(told, self._now_s())
        if job_id is not None:
            settle(job_id, self._messages, self._outbox)
