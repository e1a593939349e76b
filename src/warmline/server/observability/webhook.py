"""Telling a webhook what has become of a goal: the message, its signature, and its delivery.

Messages are signed as https://www.standardwebhooks.com says: HMAC with SHA-256 over the id, the instant and
the body, joined by dots.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import anyio
import msgspec

from warmline.core.clock import utc_now
from warmline.core.ids import new_id
from warmline.core.loggable import loggable
from warmline.errors import PoolError
from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.http import HttpRequest
from warmline.pool.lines import Lines
from warmline.pool.retrying import RetryPolicy, retry_after_s
from warmline.reporting.words import ms_words, percent
from warmline.server.observability.alerts import GoalChange

__all__ = ["RETRY", "Webhook", "message", "opened_webhook", "signature_headers"]

_log = logging.getLogger(__name__)

RETRY: Final = RetryPolicy(
    retries=4, backoff_s=1.0, statuses=frozenset({408, 425, 429, 500, 502, 503, 504}), longest_wait_s=60.0
)
"""Of one message: five tries within about 15 s."""

_ANSWER_S: Final = 10.0
_LINE_S: Final = 15.0
"""How long a connection to it may take."""

_WAITING: Final = 100
"""Messages that may wait; of more, the oldest is given up."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of one try."""

    problem: Mapping[str, str | int] = field(default_factory=dict)
    """What may be logged of what went wrong; empty if nothing did."""

    may_repeat: bool = True
    asked_s: float | None = None
    """The pause that the far end asked for."""


_TITLES: Final = {
    "goal.broken": "is broken",
    "goal.kept_again": "is kept again",
    "goal.not_measured": "is not measured any more: it was broken, and there are no turns now",
}


def message(change: GoalChange, window_s: float) -> bytes:
    """Return what is posted: `text` for people, as Slack reads it, and `alert` for programs."""
    row = change.row
    value = percent(row.measured) if row.is_rate else ms_words(row.measured)
    told_figures = f": {value} ({row.limit}), {row.samples} samples in {window_s / 60:g} min"
    text = f"warmline: {row.words} {_TITLES[change.event]}{told_figures if row.samples else ''}."
    if change.event == "goal.broken" and change.advice:
        text += f" {change.advice}"
    fields = row.fields() | {"event": change.event, "at_unix_s": change.at_unix_s, "window_s": window_s}
    return msgspec.json.encode({"text": text, "alert": fields})


def signature_headers(
    secret: bytes, message_id: str, at_unix_s: int, body: bytes
) -> tuple[tuple[str, str], ...]:
    """Return the headers that say whom a message is from, and which one it is."""
    signed = f"{message_id}.{at_unix_s}.".encode() + body
    digest = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    return (
        ("webhook-id", message_id),
        ("webhook-timestamp", str(at_unix_s)),
        ("webhook-signature", f"v1,{digest}"),
    )


class Webhook:
    """Delivers messages, one after another; whoever sends one waits for nothing.

    What changes here: `_waiting`, with each message; `_is_failing`, when a delivery ends.
    """

    def __init__(
        self,
        endpoint: HttpEndpoint,
        path: str,
        secret: str,
        unix_now_s: Callable[[], float],
        *,
        window_s: float,
    ) -> None:
        """Prepare.

        Args:
            endpoint: The far end's lines.
            path: From its base URL on, with the query.
            secret: What messages are signed with; empty for not at all.
            unix_now_s: The wall clock, in seconds since 1970.
            window_s: How long turns count, to be told.
        """
        self._endpoint = endpoint
        self._path = path
        self._secret = secret.encode()
        self._unix_now_s = unix_now_s
        self._window_s = window_s
        self._sender, self._waiting = anyio.create_memory_object_stream[GoalChange](_WAITING)
        self._draw = random.Random()
        self._is_failing = False

    def send(self, change: GoalChange) -> None:
        """Have it delivered."""
        try:
            self._sender.send_nowait(change)
        except anyio.WouldBlock:
            self._waiting.receive_nowait()
            self._sender.send_nowait(change)

    async def run(self) -> None:
        """Deliver until cancelled."""
        with self._sender, self._waiting:
            async for change in self._waiting:
                await self._deliver(change)

    async def _deliver(self, change: GoalChange) -> None:
        body = message(change, self._window_s)
        message_id = new_id("msg")
        attempt = 0
        while True:
            attempt += 1
            outcome = await self._post(message_id, body)
            if not outcome.problem:
                if self._is_failing:
                    _log.info("webhook.delivers_again")
                self._is_failing = False
                return
            pause_s = RETRY.delay_s(attempt, outcome.asked_s, self._draw) if outcome.may_repeat else None
            if pause_s is None:
                if not self._is_failing:
                    _log.warning("webhook.failed", extra={"goal": change.row.name, **outcome.problem})
                self._is_failing = True
                return
            await anyio.sleep(pause_s)

    async def _post(self, message_id: str, body: bytes) -> _Outcome:
        headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
        if self._secret:
            headers += signature_headers(self._secret, message_id, int(self._unix_now_s()), body)
        request = HttpRequest("POST", self._path, headers, body)
        try:
            async with self._endpoint.request(request, first_result_s=_ANSWER_S, wait_s=_LINE_S) as response:
                if 200 <= response.status < 300:
                    await response.read(at_most_bytes=65_536)
                    return _Outcome()
                return _Outcome(
                    {"status": response.status},
                    may_repeat=response.status in RETRY.statuses,
                    asked_s=retry_after_s(response.headers, utc_now()),
                )
        except PoolError as error:
            return _Outcome(loggable(error))


@asynccontextmanager
async def opened_webhook(
    url: str, secret: str, lines: Lines, unix_now_s: Callable[[], float], *, window_s: float
) -> AsyncIterator[Webhook]:
    """Return a webhook that delivers while this is entered; no connection stands ready for it.

    Args:
        url: Its address.
        secret: What messages are signed with; empty for not at all.
        lines: Not entered yet.
        unix_now_s: The wall clock, in seconds since 1970.
        window_s: How long turns count, to be told.
    """
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    async with lines, anyio.create_task_group() as tasks:
        endpoint = await lines.endpoint(
            "alerts",
            f"{parts.scheme}://{parts.netloc}",
            warm=0,
            max_lines=2,
            retry=RetryPolicy(retries=0),
            wait_s=_LINE_S,
        )
        webhook = Webhook(endpoint, path, secret, unix_now_s, window_s=window_s)
        tasks.start_soon(webhook.run)
        try:
            yield webhook
        finally:
            tasks.cancel_scope.cancel()
