"""A process that does jobs, for tests that need two of them, or that kill one.

    python -m tests.server.whatsapp.engine_process URL WORKER RECORD

Each line on standard input is a command: `enqueue JOB USER PRIORITY`, `take_over WORKER`, `stop`. Each thing
that is done is a line `WORKER JOB STEP` of the file RECORD; a job whose name begins with `slow` waits in its
second step until the file `RECORD.go` is there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from warmline.server.logs import configure_log
from warmline.server.settings.tables import LogTable
from warmline.server.whatsapp.engine import JobEngine, Queued
from warmline.store.database import Database


def main(url: str, worker: str, record: str) -> None:
    """Run until `stop`."""
    configure_log(LogTable())
    go = Path(f"{record}.go")
    written = os.open(record, os.O_APPEND | os.O_CREAT | os.O_WRONLY)

    def note(job: str, step: str) -> None:
        os.write(written, f"{worker} {job} {step}\n".encode())

    def work(job: str) -> None:
        engine.step("first", lambda: note(job, "first"))
        if job.startswith("slow"):
            note(job, "waits")
            while not go.exists():
                engine.pause(0.01)
        engine.step("second", lambda: note(job, "second"))

    with Database(url) as database:
        engine = JobEngine(database, work, worker=worker, at_once=20, look_s=0.02)
        engine.start()
        _say("ready")
        for line in sys.stdin:
            match line.split():
                case ["enqueue", job, user, priority]:
                    engine.enqueue(Queued(job, 1, user, int(priority), 1.0))
                case ["take_over", dead]:
                    _say(str(engine.take_over(dead)))
                case _:
                    break
        engine.stop()


def _say(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
