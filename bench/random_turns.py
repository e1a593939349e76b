"""Very many turns of random people with random far ends, on a clock that jumps; says what broke.

    python bench/random_turns.py [--turns 100000] [--from SEED] [--processes N] [--json]
    python bench/random_turns.py --seed N

Each conversation is a function of its seed alone. What must always hold is checked in each: see
`tests/journeys/random_turns/`. With `--seed`, one conversation is held and printed event by event.
The exit code is 1 if anything broke.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import multiprocessing
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.journeys.random_turns.running import Outcome, run

TURNS: Final = 100_000
BATCH: Final = 50
"""Conversations between two lines of progress."""

PROGRESS_S: Final = 5.0
SHOWN: Final = 20
"""Broken conversations whose problems are printed; all are counted."""


def batch(first_seed: int) -> tuple[Counter[str], list[Outcome]]:
    """Hold the conversations of so many seeds; return what happened, and those that broke."""
    counts: Counter[str] = Counter()
    broken = []
    for seed in range(first_seed, first_seed + BATCH):
        outcome = run(seed)
        counts += outcome.counts
        if outcome.problems:
            broken.append(Outcome(seed, Counter(), outcome.problems, ()))
    return counts, broken


def quiet() -> None:
    """Keep what the engine logs of scripted failures out of the way."""
    logging.disable(logging.CRITICAL)


def run_many(
    turns: int, first_seed: int, processes: int, console: Console
) -> tuple[Counter[str], list[Outcome]]:
    """Hold conversations until there were so many turns."""
    counts: Counter[str] = Counter()
    broken: list[Outcome] = []
    began_s = shown_s = time.monotonic()
    with multiprocessing.Pool(processes, initializer=quiet) as pool:
        for more, broke in pool.imap_unordered(batch, itertools.count(first_seed, BATCH)):
            counts += more
            for outcome in broke:
                broken.append(outcome)
                if len(broken) <= SHOWN:
                    console.print(str(outcome), markup=False, highlight=False)
            now_s = time.monotonic()
            if now_s - shown_s >= PROGRESS_S or counts["turns"] >= turns:
                shown_s = now_s
                rate = counts["turns"] / (now_s - began_s)
                console.print(f"{counts['turns']:>9,} turns, {rate:.0f} a second, {len(broken)} broken")
            if counts["turns"] >= turns:
                pool.terminate()
                break
    counts["turns a second"] = round(counts["turns"] / (time.monotonic() - began_s))
    return counts, broken


def replay(seed: int, console: Console) -> int:
    """Print one conversation, event by event; return the exit code."""
    quiet()
    outcome = run(seed)
    for at_s, event in outcome.trace:
        console.print(f"{at_s:10.3f} {event}", markup=False, highlight=False, soft_wrap=True)
    console.print(str(outcome), markup=False, highlight=False)
    return int(bool(outcome.problems))


def main() -> int:
    """Return the exit code: 0 if everything held that must."""
    parser = argparse.ArgumentParser(
        description="Hold random conversations, and check what must always hold."
    )
    parser.add_argument("--turns", type=int, default=TURNS, help="how many turns")
    parser.add_argument(
        "--from", dest="first_seed", type=int, default=0, help="the first conversation's seed"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, help="hold this one conversation, and print it")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    console = Console(stderr=arguments.json)
    if arguments.seed is not None:
        return replay(arguments.seed, console)
    counts, broken = run_many(arguments.turns, arguments.first_seed, arguments.processes, console)
    if arguments.json:
        print(json.dumps({"counts": counts, "broken": [outcome.seed for outcome in broken]}))
    else:
        table = Table("what happened", "times")
        for name, count in sorted(counts.items()):
            table.add_row(name, f"{count:,}")
        console.print(table)
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
