"""People who speak to a server on WhatsApp, and where the time of their messages went, for `whatsapp.py`."""

from __future__ import annotations

import base64
import json
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio
import msgspec
from phone_house import House

from warmline.audio.voice_notes import encode
from warmline.simulators.whatsapp.report import ConversationReport

__all__ = ["QUESTION", "Answered", "answered", "converse", "note", "percentile", "speak", "wait"]

_RECORDING: Final = Path(__file__).parents[1] / "examples" / "when-are-you-open.wav"
QUESTION: Final = "when are you open"
BESIDE: Final = "mark read"
"""What is done beside the rest, and delays nothing."""

_WEBHOOK: Final = "/whatsapp/webhook"
_LOOK_S: Final = 0.2
_LOGGED_S: Final = 10.0
"""A job is over a moment after its note was taken."""


@dataclass(frozen=True)
class Answered:
    """A message and its answer."""

    whole_ms: float
    """From the webhook's sending to the note that WhatsApp took."""

    acknowledged_ms: float
    """From the webhook's sending to the server's answer to it."""

    answers: int
    parts_ms: dict[str, float]
    """By name; sum to the whole, `transit` being what is left over."""

    steps: int
    """Of the job's engine."""


def note() -> bytes:
    """Return a question as a voice note."""
    with wave.open(str(_RECORDING)) as recording:
        return encode(recording.readframes(recording.getnframes()), recording.getframerate())


def speak(audio: bytes) -> dict[str, Any]:
    """Return the step of sending a voice note."""
    return {"step": "speak", "audio": base64.b64encode(audio).decode()}


def wait(messages: int = 1, within_s: float = 60.0) -> dict[str, Any]:
    """Return the step of waiting for so many answers to what was sent since the last such step."""
    return {"step": "wait_for_answer", "messages": messages, "quiet_s": 0.0, "within_s": within_s}


async def converse(
    there: House, steps: Sequence[Sequence[dict[str, Any]]], *, first_number: int = 0
) -> list[ConversationReport]:
    """Have people do steps, all at once; return how it went with each.

    Args:
        there: Whom they write to, and who carries it.
        steps: Each person's.
        first_number: Of the people; others are others.
    """
    control = f"{there.found.control_urls['whatsapp']}/conversations"
    names = []
    for number, each in enumerate(steps, first_number):
        person = {"phone": f"+1555{number:07}", "user_id": f"US.{10**12 + number}"}
        placed = {"person": person, "webhook_urls": [there.url + _WEBHOOK], "steps": each}
        names.append((await there.asked("POST", control, placed))["id"])
    reports = []
    for name in names:
        while True:
            report = await there.asked("GET", f"{control}/{name}")
            if report["state"] == "over":
                break
            await anyio.sleep(_LOOK_S)
        reports.append(msgspec.convert(report, ConversationReport))
    return reports


async def answered(there: House, reports: Sequence[ConversationReport]) -> list[Answered]:
    """Return what became of every message, in the order in which people sent them."""
    wanted = {message.callback_data.partition("/")[0] for report in reports for message in report.received}
    timings = await _timings(there, wanted)
    return [_answered(report, index, timings) for report in reports for index in range(len(report.sent))]


async def _timings(there: House, wanted: set[str]) -> dict[str, list[dict[str, Any]]]:
    """Return what the server's log tells of jobs."""
    found: dict[str, list[dict[str, Any]]] = {}
    with anyio.move_on_after(_LOGGED_S):
        while not wanted <= found.keys():
            for line in (await anyio.Path(there.log).read_text("utf-8", "replace")).splitlines():
                if '"whatsapp.job_timed"' in line:
                    event = json.loads(line)
                    found[event["job"]] = event["spans"]
            await anyio.sleep(0.05)
    return found


def _answered(report: ConversationReport, index: int, timings: dict[str, list[dict[str, Any]]]) -> Answered:
    sent, turn = report.sent[index], report.turns[index]
    webhook = next(each for each in report.webhooks if sent.id in each.ids)
    received = {each.id: each for each in report.received}
    answers = [received[each] for each in turn.answers]
    if not answers:
        return Answered(float("inf"), webhook.attempts[0].took_ms, 0, {}, 0)
    whole_ms = (answers[0].at_s - webhook.at_s) * 1000
    spans = timings.get(answers[0].callback_data.partition("/")[0], [])
    parts_ms: dict[str, float] = {}
    sending_ms = 0.0
    for span in spans:
        if not span["name"].startswith("step ") and span["name"] != BESIDE:
            parts_ms[span["name"]] = parts_ms.get(span["name"], 0.0) + span["took_ms"]
        if span["name"] == "send message" and not sending_ms:
            sending_ms = span["at_ms"] + span["took_ms"]
    parts_ms["engine and store"] = sending_ms - sum(parts_ms.values())
    parts_ms["transit"] = whole_ms - sending_ms
    steps = sum(span["name"].startswith("step ") for span in spans)
    return Answered(whole_ms, webhook.attempts[0].took_ms, len(answers), parts_ms, steps)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which so many are; of few values the highest."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0
