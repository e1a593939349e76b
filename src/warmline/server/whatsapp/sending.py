"""Sending one message of an answer, so that it arrives once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from warmline.channels.whatsapp.failure_kinds import GraphFailureKind
from warmline.channels.whatsapp.failures import GraphFailure, GraphUnavailable, status_failure
from warmline.server.whatsapp.agent import MessageAgent
from warmline.server.whatsapp.engine import JobEngine
from warmline.server.whatsapp.tries import LOOK_S, Tries
from warmline.store.messages import Job
from warmline.store.outbox import Outbox, SendState

__all__ = ["Body", "Sending"]

Body = Callable[[str, str], dict[str, Any]]
"""Returns what is sent, given the message's callback data and the id of its file, if it has one."""


class Sending:
    """Sends for jobs, on the engine's threads; keeps nothing between messages."""

    def __init__(
        self,
        engine: JobEngine,
        tries: Tries,
        agent: MessageAgent,
        outbox: Outbox,
        now_s: Callable[[], float],
        *,
        confirm_scale: float = 1.0,
    ) -> None:
        """Prepare; arguments as `MessageWork`'s."""
        self._engine = engine
        self._tries = tries
        self._agent = agent
        self._outbox = outbox
        self._now_s = now_s
        self._confirm_scale = confirm_scale

    def send(self, job: Job, part: int, body: Body, *, has_note: bool = False) -> None:
        """Send a message.

        Args:
            job: Whose it is.
            part: Which of the job's.
            body: What.
            has_note: Whether the voice note that is kept for this part is uploaded first.

        Raises:
            Undone: it could not be sent.
        """
        if has_note:
            self._tries.step(f"upload {part}", lambda: self._upload(job, part))

        def confirming(within_s: float) -> bool:
            return self._is_told_of(job.id, part, within_s * self._confirm_scale)

        self._tries.step(f"send {part}", lambda: self._send(job, part, body), confirming)

    def _upload(self, job: Job, part: int) -> None:
        send = self._outbox.intend(job.id, part)
        note = self._outbox.note(job.id, part)
        if send.state is SendState.READY and not send.media_id and note is not None:
            media_id = self._tries.on_loop(self._agent.upload, job.phone_number_id, note)
            self._outbox.uploaded(send.id, media_id)

    def _send(self, job: Job, part: int, body: Body) -> None:
        send = self._outbox.intend(job.id, part)
        if send.state is SendState.ACCEPTED:
            return
        if send.state is SendState.FAILED:
            raise status_failure(send.error_code, send.error_title)
        if send.state is SendState.CALLING or not self._outbox.begin_call(send.id, self._now_s()):
            raise GraphUnavailable(
                "sending a message at WhatsApp: an earlier try was cut short",
                kind=GraphFailureKind.UNKNOWN_OUTCOME,
                phase="first_result",
            )
        try:
            written = body(send.id, send.media_id)
            message_id = self._tries.on_loop(self._agent.send, job.phone_number_id, written)
        except GraphFailure as failure:
            if failure.kind is not GraphFailureKind.UNKNOWN_OUTCOME:
                self._outbox.take_back(send.id)
            raise
        self._outbox.accepted(send.id, message_id, self._now_s())

    def _is_told_of(self, job_id: str, part: int, within_s: float) -> bool:
        """Wait for a status of a message that may have been sent; if none comes, let it be sent again."""
        deadline_s = self._now_s() + within_s
        while True:
            send = self._outbox.intend(job_id, part)
            if send.state is not SendState.CALLING:
                return True
            if self._now_s() >= deadline_s:
                self._outbox.take_back(send.id)
                return False
            self._engine.pause(LOOK_S)
