"""What is kept of turns, held against what the people on the telephone heard.

Calls at once ask question after question of `warmline serve`, a process of its own; the telephone network and
the providers are simulated in another. Then every turn is read back from the dashboard's JSON. Its
contributions have to add up to its response time, to the microsecond; and that time is held against what the
telephones' sockets carried: from the last sample of a question to the first of the answer, each louder than
26 dB below the loudest, found in the samples by this program. `python bench/seeing.py [--json] [--quick]`.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import io
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import numpy as np
import soundfile
from phone import prepare, settings
from phone_house import House, house
from phone_load import ASK, many_calls
from rich.console import Console
from rich.table import Table

from warmline.core.event_loop import new_event_loop
from warmline.simulators.recordings import pcm16
from warmline.simulators.telephone.codec import RATE_HZ
from warmline.simulators.telephone.report import CallReport
from warmline.simulators.telephone.sound import speech_span_s

CALLS, QUESTIONS = 20, 50
QUICK_CALLS, QUICK_QUESTIONS = 6, 3
KEPT_S = 10.0
"""Within which a turn is in the store; a second is promised."""

BELOW_LOUDEST = 0.05
SEARCHED_S = 0.03
"""Around where the telephone's own meter, which counts in 5 ms, puts a sound's beginning."""

MOST_APART_MS = 5.0


def last_loud(samples: np.ndarray) -> int:
    """Return the index past the last sample that is loud."""
    return int(np.flatnonzero(np.abs(samples) >= np.abs(samples).max() * BELOW_LOUDEST)[-1]) + 1


def first_loud(samples: np.ndarray, loudest: float) -> int:
    """Return the index of the first sample that is loud."""
    return int(np.argmax(np.abs(samples) >= loudest * BELOW_LOUDEST))


def question_ends_earlier_s() -> float:
    """Return how much earlier the question ends than the telephone's meter, which counts in 5 ms, says."""
    pcm = pcm16(Path(ASK.recording).read_bytes(), RATE_HZ)
    question = np.frombuffer(pcm, np.int16).astype(np.float64)
    return speech_span_s(pcm)[1] - last_loud(question) / RATE_HZ


async def heard_ms(there: House, report: CallReport) -> list[float]:
    """Return how long the person waited for each answer, by the samples of both sides."""
    ends_earlier_s = question_ends_earlier_s()
    samples, _ = soundfile.read(io.BytesIO(await there.heard(report.id)), dtype="float64")
    waited_ms = []
    for turn in report.turns[1:]:
        if turn.reply_began_s is None or turn.reply_ended_s is None:
            continue
        reply = samples[int(turn.reply_began_s * RATE_HZ) : int(turn.reply_ended_s * RATE_HZ)]
        from_sample = int((turn.reply_began_s - SEARCHED_S) * RATE_HZ)
        until_sample = int((turn.reply_began_s + SEARCHED_S) * RATE_HZ)
        began = from_sample + first_loud(samples[from_sample:until_sample], np.abs(reply).max())
        waited_ms.append((began / RATE_HZ - (turn.speech_ended_s - ends_earlier_s)) * 1000)
    return waited_ms


async def kept_turns(there: House, expected: int) -> list[dict[str, Any]]:
    """Return every turn of a person's that the dashboard has, whole, in the order of calls and turns."""
    api = f"{there.url}/dashboard/api"
    lines: list[dict[str, Any]] = []
    with anyio.move_on_after(KEPT_S):
        while len(lines) < expected:
            lines, query = [], "window=1h&limit=500"
            while query:
                page = await there.asked("GET", f"{api}/turns?{query}")
                lines += page["turns"]
                after = page["next"]
                query = (
                    "window=1h&limit=500&" + "&".join(f"{name}={value}" for name, value in after.items())
                    if after
                    else ""
                )
            await anyio.sleep(0.2)
    turns = [
        await there.asked("GET", f"{api}/turns/{quote(line['call'])}/{line['number']}") for line in lines
    ]
    return sorted(turns, key=lambda turn: (turn["call"], turn["number"]))


def sums_up(turn: Mapping[str, Any]) -> bool:
    """Return whether a turn's contributions are its response time, to the microsecond."""
    return bool(sum(part["duration_us"] for part in turn["contributions"]) == turn["response_us"])


def percentile(values: Sequence[float], share: float) -> float:
    """Return a quantile of values, between two of them in proportion, as the dashboard does."""
    return float(np.quantile(values, share))


async def measure(calls: int, questions: int, progress: Console) -> list[dict[str, Any]]:
    """Return the rows."""
    async with house(settings(calls, is_quick=False)) as there:
        await prepare(there, is_quick=False)
        progress.print(f"[dim]{calls} calls of {questions} questions each")
        load = await many_calls(there, calls, questions)
        progress.print("[dim]reading the turns back")
        # Each call's greeting is a turn as well.
        kept = await kept_turns(there, calls * (questions + 1))
        ids = {
            each["network_id"]: each["id"]
            for each in (await there.asked("GET", f"{there.url}/v1/calls"))["over"]
        }
        asked = [turn for turn in kept if "speech_ended" in turn["marks_us"]]
        apart_ms, all_heard_ms = [], []
        for report in load.reports:
            own = [turn["response_us"] / 1000 for turn in asked if turn["call"] == ids[report.network_id]]
            waited_ms = await heard_ms(there, report)
            all_heard_ms += waited_ms
            apart_ms += [mine - theirs for mine, theirs in zip(own, waited_ms, strict=True)]
        whole = (await there.asked("GET", f"{there.url}/dashboard/api/overview?window=1h"))["groups"][0]
    shown = whole["whole"]["measures"]["response"]
    return [
        {
            "calls": calls,
            "turns": len(kept),
            "of_people": len(asked),
            "kept_of_those_asked": round(len(asked) / (calls * questions), 4),
            "sums_exact": sum(map(sums_up, kept)),
            "dashboard_p50_ms": round(shown["p50_ms"], 1),
            "telephones_p50_ms": round(percentile(all_heard_ms, 0.5), 1),
            "dashboard_p95_ms": round(shown["p95_ms"], 1),
            "telephones_p95_ms": round(percentile(all_heard_ms, 0.95), 1),
            "apart_median_ms": round(statistics.median(apart_ms), 2),
            "apart_p95_ms": round(percentile([abs(each) for each in apart_ms], 0.95), 2),
            "apart_worst_ms": round(max(map(abs, apart_ms)), 2),
            "met": len(asked) == calls * questions
            and all(map(sums_up, kept))
            and abs(shown["p50_ms"] - percentile(all_heard_ms, 0.5)) < MOST_APART_MS,
        }
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print rows for programs")
    parser.add_argument("--quick", action="store_true", help="fewer calls and questions")
    options = parser.parse_args()
    if sys.platform != "linux":
        sys.exit("bench/seeing.py reads /proc, which Linux alone has")
    calls, questions = (QUICK_CALLS, QUICK_QUESTIONS) if options.quick else (CALLS, QUESTIONS)
    progress = Console(stderr=True)
    rows = anyio.run(measure, calls, questions, progress, backend_options={"loop_factory": new_event_loop})
    if options.json:
        print(json.dumps(rows))
        return
    table = Table(title="Kept turns, and what was heard", title_justify="left", show_header=False)
    for name, value in rows[0].items():
        table.add_row(name.replace("_", " "), str(value))
    Console().print(table)


if __name__ == "__main__":
    main()
