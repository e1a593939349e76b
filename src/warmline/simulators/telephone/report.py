"""What a call's log tells, all of it fit for JSON. Instants are seconds since the call was placed."""

from __future__ import annotations

from typing import Any

import msgspec

from warmline.simulators.attempt import Attempt
from warmline.simulators.telephone.line import Stretch
from warmline.simulators.telephone.measuring import MeasuredTurn

__all__ = ["CallReport", "LoggedCommand", "LoggedMark", "LoggedStream", "SentWebhook"]


class SentWebhook(msgspec.Struct, kw_only=True):
    """Something that a server was told, or is to be."""

    event: str
    id: str
    at_s: float
    """When it happened."""

    body: dict[str, Any]
    attempts: list[Attempt] = []


class LoggedCommand(msgspec.Struct, kw_only=True):
    """Something that a server asked for."""

    name: str
    at_s: float
    status: int
    body: dict[str, Any]
    was_repeated: bool = False
    """Its `command_id` had been seen, so nothing came of it."""


class LoggedMark(msgspec.Struct, kw_only=True):
    """A mark in the agent's audio."""

    name: str
    at_s: float
    """When it came."""

    returned_at_s: float | None = None
    """When it was sent back: played, or dropped by a clear."""


class LoggedStream(msgspec.Struct, kw_only=True):
    """One media stream."""

    id: str
    url: str
    opened_at_s: float | None = None
    closed_at_s: float | None = None
    frames_sent: int = 0
    """Of 20 ms."""

    frames_received: int = 0
    """As the server cut them."""

    received_s: float = 0.0
    """How much audio that was."""

    marks: list[LoggedMark] = []
    clears: int = 0
    errors: list[str] = []
    """What was refused, or went wrong."""


class CallReport(msgspec.Struct, kw_only=True):
    """How a call went, or has gone so far."""

    id: str
    network_id: str
    """What the network calls it: a call control id, or a SID."""

    direction: str
    state: str
    from_: str = msgspec.field(name="from")
    to: str
    answered_at_s: float | None
    ended_at_s: float | None
    cause: str
    """Why it ended, in the network's words; empty while it goes on."""

    ended_by: str
    """`person` or `server`; empty while it goes on, or where it was neither."""

    problem: str
    """What the network could not do."""

    webhooks: list[SentWebhook]
    commands: list[LoggedCommand]
    streams: list[LoggedStream]
    digits_heard: str
    """Keys that the server pressed."""

    turns: list[MeasuredTurn]
    stretches: list[Stretch]
    underruns: int
    longest_lead_s: float
    """The most that the server was ever ahead of what was played."""
