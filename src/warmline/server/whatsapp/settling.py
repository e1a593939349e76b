"""What an answer has come to once WhatsApp tells, later, that it did not arrive."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from warmline.channels.whatsapp.failure_kinds import GraphFailureKind, kind_of
from warmline.channels.whatsapp.failures import status_failure
from warmline.store.messages import JobState, Messages
from warmline.store.outbox import Outbox, Send, SendState

__all__ = ["WINDOW_CLOSED", "settle"]

_log = logging.getLogger(__name__)

WINDOW_CLOSED = "nothing may be sent 24 hours after their last message: it is sent when they write again"


def settle(job_id: str, messages: Messages, outbox: Outbox) -> None:
    """Say of a message that is over that its answer did not arrive, if WhatsApp has told so.

    To be called when a message is over and when a failure is told, since either may come first. Blocks.
    """
    job = messages.get(job_id)
    if job is None or job.state not in (JobState.ANSWERED, JobState.PARTLY):
        return
    found = _settled(outbox.of(job_id))
    if found is None:
        return
    state, reason = found
    if state is JobState.HELD:
        outbox.send_again(job_id)
    messages.change(job_id, state=state, reason=reason)
    _log.warning("whatsapp.not_delivered", extra={"job": job_id, "state": state.value})


def _settled(sends: Sequence[Send]) -> tuple[JobState, str] | None:
    """Return what the parts of an answer come to; None if all is well with them."""
    failed = [send for send in sends if send.state is SendState.FAILED]
    if not failed:
        return None
    if all(kind_of(send.error_code) is GraphFailureKind.WINDOW_CLOSED for send in failed):
        return JobState.HELD, WINDOW_CLOSED
    arrived = len(failed) < len(sends)
    reason = str(status_failure(failed[0].error_code, failed[0].error_title))
    return (JobState.PARTLY if arrived else JobState.FAILED), reason
