"""Voice messages over WhatsApp: where the time of one goes, what makes it shorter, and fifty people at once.

The server is `warmline serve`, a process with a core of its own; WhatsApp, the people, the recogniser, the
model and the voice are simulated, in another process on the other core, behind a network of 12 ms there and
back. The model's first token comes after 250 ms and the others 12 ms apart, the voice's first sound after
120 ms. A message counts from the sending of its webhook until WhatsApp took the note that answers it.
`python bench/whatsapp.py [--json] [--quick] [--people N] [--store URL]`.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import statistics
import sys
from typing import Any

import anyio
from phone_house import House, house
from rich.console import Console
from rich.table import Table
from whatsapp_lines import connections
from whatsapp_load import crowd
from whatsapp_people import QUESTION, answered, converse, note, speak, wait
from whatsapp_voice import SPEECH_MS, presets

from warmline.core.event_loop import new_event_loop

NETWORK = "us-local"
STARTED_S = 0.5
"""After which a server has made its greeting."""

PEOPLE, QUICK_PEOPLE = 50, 6
QUESTIONS, QUICK_QUESTIONS = 9, 1
MESSAGES, QUICK_MESSAGES = 20, 3
AT_ONCE = 10
APART_S = 0.37
"""From an answer to the next message: no multiple of how often the queue is looked at."""

CAPTIONS = {
    "presets": "The voice is simulated: what differs is the two models' scripted time to the first audio, "
    f"{SPEECH_MS['quality']:g} and {SPEECH_MS['speed']:g} ms (bench/whatsapp_voice.py says where from). Both "
    "have in common the network, speech 20 times faster than it is spoken, and the encoding. What stability, "
    "similarity and the speaker boost do is not simulated. The earlier system: 15 to 30 % less.",
    "connections": "Medians. Unpooled: a TCP connection and TLS for every call, of a name that is known. The "
    "earlier system expected 20 to 50 ms a call from pooling, under load.",
    "crowd": "Of the call, where there are two figures: alone, and beside the people.",
}


async def one_person(there: House, messages: int) -> tuple[list[dict[str, Any]], str]:
    """Return where the time of messages goes that are sent one after another, and the id of one of them."""
    # The first message opens what is opened when it is needed. Each waits until the last one's job is over.
    audio, pause = note(), {"step": "wait", "wait_s": APART_S}
    steps = [each for _ in range(messages + 1) for each in (speak(audio), wait(), pause)]
    [report] = await converse(there, [steps])
    seen = (await answered(there, [report]))[1:]
    parts = {name: 0.0 for each in seen for name in each.parts_ms}
    whole_ms = statistics.mean(each.whole_ms for each in seen)
    rows = [_row(name, [each.parts_ms.get(name, 0.0) for each in seen], whole_ms) for name in parts]
    rows.append(_row("whole", [each.whole_ms for each in seen], whole_ms))
    rows.append(_row("acknowledgement", [each.acknowledged_ms for each in seen], whole_ms))
    rows[-1]["share_percent"] = None
    return rows, report.sent[0].id


def _row(name: str, took_ms: list[float], whole_ms: float) -> dict[str, Any]:
    mean_ms = statistics.mean(took_ms)
    return {
        "part": name,
        "mean_ms": round(mean_ms, 1),
        "median_ms": round(statistics.median(took_ms), 1),
        "worst_ms": round(max(took_ms), 1),
        "share_percent": round(mean_ms / whole_ms * 100, 1),
    }


async def measure(options: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of all tables."""
    progress = Console(stderr=True)
    is_quick = options.quick
    sets = ['agent.greeting="Hello."', 'deepgram.model="flux-general-en"', "log.json=true"]
    if options.store:
        sets.append(f"store.url={json.dumps(options.store)}")
    async with house(sets, NETWORK) as there:
        await there.script("openai", first_token_ms=250.0, token_ms=12.0, reply="We open at nine.")
        await there.script("elevenlabs", speech_ms=120.0)
        flux = {"transcript_ms": 0.0, "eager_end_ms": 200.0, "end_of_turn_ms": 600.0}
        await there.script("deepgram", transcript=QUESTION, **flux)
        await anyio.sleep(STARTED_S)
        progress.print("[dim]one person, one message after another")
        parts, message_id = await one_person(there, QUICK_MESSAGES if is_quick else MESSAGES)
        people = min(options.people, QUICK_PEOPLE) if is_quick else options.people
        progress.print(f"[dim]a telephone call, and then {people} people beside it")
        database = options.store.partition(":")[0] or "sqlite"
        load = await crowd(there, people, QUICK_QUESTIONS if is_quick else QUESTIONS, database)
        progress.print("[dim]warm lines and none")
        calls = await connections(there, message_id, 1 if is_quick else 7, 5 if is_quick else AT_ONCE)
        progress.print("[dim]presets of the voice")
        voices = await presets(there, 1 if is_quick else 9)
    return {"one_person": parts, "connections": calls, "presets": voices, "crowd": [load]}


def shown(rows: list[dict[str, Any]], title: str, caption: str = "") -> Table:
    """Return a table with a row for each."""
    table = Table(title=title, title_justify="left", caption=caption or None, caption_justify="left")
    for name, value in rows[0].items():
        is_text = isinstance(value, str)
        table.add_column(name.replace("_", " "), justify="left" if is_text else "right", no_wrap=is_text)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    return table


def shown_upright(rows: list[dict[str, Any]], title: str, caption: str) -> Table:
    """Return a table with a column for each."""
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    table.add_column("people")
    for row in rows:
        table.add_column(str(row["people"]), justify="right", style="" if row["goals_met"] else "red")
    for name in list(rows[0])[1:]:
        table.add_row(name.replace("_", " "), *(str(row[name]) for row in rows))
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print rows for programs")
    parser.add_argument("--quick", action="store_true", help="fewer messages, people and calls")
    parser.add_argument("--people", type=int, default=PEOPLE, metavar="N", help="how many at once")
    parser.add_argument("--store", default="", metavar="URL", help="a database that is not SQLite's file")
    options = parser.parse_args()
    if sys.platform != "linux":
        sys.exit("bench/whatsapp.py reads /proc, which Linux alone has")
    tables = anyio.run(measure, options, backend_options={"loop_factory": new_event_loop})
    if options.json:
        print(json.dumps(tables))
        return
    console = Console()
    console.print(shown(tables["one_person"], "One person: from the webhook to the note, part by part"))
    console.print(
        shown(
            tables["connections"],
            f"Calls on warm lines and on new ones, one and many at once: {NETWORK}",
            CAPTIONS["connections"],
        )
    )
    console.print(shown(tables["presets"], "Presets of the voice", CAPTIONS["presets"]))
    console.print(
        shown_upright(
            tables["crowd"], "Many people, two messages each, beside one telephone call", CAPTIONS["crowd"]
        )
    )


if __name__ == "__main__":
    main()
