"""Checks of the lines themselves: what opening one costs, and what is saved by one that is open."""

from __future__ import annotations

from statistics import median
from typing import Any, Final

from warmline.core.line_use import LineUse
from warmline.server.doctor.findings import Outcome
from warmline.server.doctor.subjects import CLOCK, Subject, since_ms
from warmline.server.services.opened import Check

__all__ = ["connect", "pooling", "warm_up"]

_WAIT_MS: Final = 5.0
"""A line that is open is had without waiting; more than this is not explained by a busy machine."""

_WARM_TRIES: Final = 3


async def connect(subject: Subject[Any]) -> Outcome:
    """Open the first line, with nothing found or opened before, and a socket where calls use one.

    The key is tried on both; nothing is billed.
    """
    async with subject.opened() as service:
        cost = (await _used(service.check_key)).cost
        figures = {"dns_ms": cost.dns_s * 1000, "tcp_ms": cost.tcp_s * 1000, "tls_ms": cost.tls_s * 1000}
        if cost.upgrade_s:
            figures["http2_ms"] = cost.upgrade_s * 1000
        if service.check_socket is not None and not subject.is_free:
            cost = (await _used(service.check_socket)).cost
            figures |= {
                "socket_ms": cost.total_s * 1000,
                "socket_upgrade_ms": cost.upgrade_s * 1000,
            }
    return Outcome(figures)


async def pooling(subject: Subject[Any]) -> Outcome:
    """Ask twice: the second request has to find the first one's line, open and free."""
    async with subject.opened() as service:
        first = await _used(service.check_key)
        second = await _used(service.check_key)
    figures = {"first_wait_ms": first.waited_s * 1000, "second_wait_ms": second.waited_s * 1000}
    if second.line_id != first.line_id or not second.reused:
        return Outcome(
            figures,
            "the second request needed another line: the far end, or a proxy between, closes lines after "
            f"each answer; see {subject.table}.base_urls and lines.proxy",
        )
    if figures["second_wait_ms"] > _WAIT_MS:
        return Outcome(
            figures,
            f"an open line was had after {figures['second_wait_ms']:.0f} ms instead of at once: "
            "this machine is too busy",
        )
    return Outcome(figures)


async def warm_up(subject: Subject[Any]) -> Outcome:
    """Compare the same free request on a line that has to be opened, and on one that is open."""
    async with subject.opened() as service:
        cold_ms = await _took_ms(service.check_key)
        warm_ms = median([await _took_ms(service.check_key) for _ in range(_WARM_TRIES)])
    saved_ms = cold_ms - warm_ms
    figures = {
        "cold_ms": cold_ms,
        "warm_ms": warm_ms,
        "saved_ms": saved_ms,
        "saved_percent": 100 * saved_ms / cold_ms,
    }
    note = "" if saved_ms > 0 else "the open line was no faster this time: run it again"
    return Outcome(figures, note=note)


async def _used(ask: Check) -> LineUse:
    """Ask, and return the line that the answer came on: the last one, where it was asked again."""
    uses: list[LineUse] = []
    await ask(uses.append)
    return uses[-1]


async def _took_ms(ask: Check) -> float:
    began_s = CLOCK.now_s()
    await ask(None)
    return since_ms(began_s)
