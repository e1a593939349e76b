"""A process that keeps turns until it is killed.

    python -m tests.server.observability.keeping_process URL

Writes a line `NUMBER` to standard output after each turn that it was told of, a hundred a second.
"""

import sys

import anyio

from tests.store.turns import turn
from warmline.core.clock import unix_now_s
from warmline.server.observability.history import History
from warmline.server.observability.observer import KeptTurn
from warmline.server.settings import HistoryTable, StoreTable


async def main(url):
    history = History(StoreTable(url, "killed"), HistoryTable(transcripts=True), port=0)
    async with history.running():
        for number in range(1, 100_000):
            history.take(KeptTurn(turn(number, at_s=unix_now_s()), "a question", "an answer", "an"))
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
            await anyio.sleep(0.01)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1])
