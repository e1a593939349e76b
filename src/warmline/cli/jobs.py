"""`warmline jobs`: the messages that were received, and what became of them; whether a server runs or not."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text
from sqlalchemy.exc import SQLAlchemyError

from warmline.cli.config import ConfigOption, SetOption, load_for_command
from warmline.cli.jobs_view import (
    Overview,
    job_to_json,
    overview_to_json,
    print_job,
    print_overview,
    short_id,
)
from warmline.core.clock import unix_now_s
from warmline.errors import ConfigError
from warmline.server.logs import configure_log
from warmline.server.whatsapp.policy import DEAD_S, PAUSE
from warmline.store.database import Database, database_url
from warmline.store.messages import Job, JobState, Messages
from warmline.store.outbox import Outbox
from warmline.store.workers import Workers

__all__ = ["jobs_app"]

_STATES: Final = [state.name.lower() for state in JobState]
_FEWEST: Final = 4
"""Characters by which a job is looked for: with fewer, what is found says more about luck."""

jobs_app = typer.Typer(
    help="Messages and what became of them: list, show, replay, resume, forget.",
    invoke_without_command=True,
)

JobsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="JOB…", help="As `warmline jobs` shows them; a beginning will do."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
FullOption = Annotated[bool, typer.Option("--full", help="Whole ids and numbers, which are personal data.")]


@dataclass
class _Given:
    """The options before a subcommand's name: they hold for it, too."""

    config: Path | None = None
    assignments: list[str] = field(default_factory=list)


@jobs_app.callback()
def jobs_command(
    context: typer.Context,
    states: Annotated[
        list[str] | None,
        typer.Option("--state", metavar="STATE", help=f"Only {', '.join(_STATES)}; repeatable."),
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", metavar="KEY", help="Only theirs: a number, or a user id.")
    ] = None,
    most: Annotated[int, typer.Option("-n", min=1, help="How many, the newest first.")] = 20,
    is_full: FullOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Show the messages that were received, and what became of them."""
    context.obj = _Given(config, assignments or [])
    if context.invoked_subcommand is not None:
        return
    wanted = [_state(name) for name in states or ()]
    with _store(context.obj) as database:
        messages, now_s = Messages(database), unix_now_s()
        overview = Overview(
            messages.counts(),
            messages.listed(states=wanted, user_key=_user_key(user or ""), most=most),
            messages.pause_reason(PAUSE),
            Workers(database).living(now_s - DEAD_S),
            now_s,
        )
    if not sum(overview.counts.values()):
        raise ConfigError(f"there are no messages in {database.shown} (store.url)")
    if as_json:
        _print_json(overview_to_json(overview, is_full=is_full))
    else:
        print_overview(overview, is_full=is_full)


@jobs_app.command("show")
def show_command(
    context: typer.Context,
    job: Annotated[
        str, typer.Argument(metavar="JOB", help="As `warmline jobs` shows it; a beginning will do.")
    ],
    has_texts: Annotated[
        bool,
        typer.Option("--texts", help="With what was said and answered: personal data, so mind who looks on."),
    ] = False,
    is_full: FullOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Show the life of a message: when what was done, and what became of each part of its answer."""
    with _store(context.obj, config, assignments) as database:
        found = _job(Messages(database), job)
        outbox = Outbox(database)
        parts, statuses = outbox.of(found.id), outbox.statuses(found.id)
    if as_json:
        _print_json(job_to_json(found, parts, statuses, is_full=is_full, has_texts=has_texts))
    else:
        print_job(found, parts, statuses, is_full=is_full, has_texts=has_texts)


@jobs_app.command("replay")
def replay_command(
    context: typer.Context,
    jobs: JobsArgument = None,
    all_failed: Annotated[
        bool, typer.Option("--failed", help="Every message that could not be answered, wholly or in part.")
    ] = False,
    anew: Annotated[
        bool,
        typer.Option(
            "--anew", help="Forget what was understood and answered: listen, answer and speak again."
        ),
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Have messages answered once more; exit status 1 if one that is named can't be.

    What has arrived of an answer is not sent again, unless it is made anew.
    """
    if not jobs and not all_failed:
        raise ConfigError("replaying: name the jobs, or give --failed")
    with _store(context.obj, config, assignments) as database:
        messages = Messages(database)
        chosen = [_job(messages, each) for each in jobs or ()]
        if all_failed:
            failed = messages.listed(states=[JobState.FAILED, JobState.PARTLY], most=None)
            # The oldest first, as they came.
            chosen += [job for job in reversed(failed) if not job.is_forgotten]
        # Here, because the job engine takes most of a second to import.
        from warmline.server.whatsapp.replaying import Replaying

        with Replaying(database) as replaying:
            problems = {job.id: replaying.replay(job, anew=anew) for job in chosen}
        paused = messages.pause_reason(PAUSE)
        is_served = bool(Workers(database).living(unix_now_s() - DEAD_S))
    if as_json:
        _print_json([{"id": each, "queued": not why, "reason": why} for each, why in problems.items()])
    else:
        _tell_replayed(problems, paused, is_served=is_served)
    if any(problems.values()) and jobs:
        raise typer.Exit(1)


@jobs_app.command("resume")
def resume_command(
    context: typer.Context, config: ConfigOption = None, assignments: SetOption = None
) -> None:
    """Go on with everything that stands still, as it does while the token is refused."""
    with _store(context.obj, config, assignments) as database:
        messages = Messages(database)
        reason = messages.pause_reason(PAUSE)
        messages.resume(PAUSE)
    told = "Nothing stood still." if reason is None else f"Goes on. It stood still because {reason}."
    Console().print(Text(told), soft_wrap=True)


@jobs_app.command("forget")
def forget_command(
    context: typer.Context,
    user: Annotated[
        str,
        typer.Argument(metavar="USER_KEY", help="A number, or a user id; `warmline jobs --full` shows them."),
    ],
    is_sure: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Delete what is kept of a person: what they said, what was answered, and who they are."""
    with _store(context.obj, config, assignments) as database:
        messages, key = Messages(database), _user_key(user)
        count = len(messages.listed(user_key=key, most=None))
        if not count:
            raise ConfigError(f"forgetting {user}: nothing is kept of them in {database.shown} (store.url)")
        noun = "message" if count == 1 else "messages"
        if not is_sure:
            typer.confirm(f"Delete {count} {noun} and what was answered? It can't be undone", abort=True)
        forgotten = messages.forget(key)
    Console().print(f"Deleted: {forgotten} {noun}, with their answers.", highlight=False)


@contextmanager
def _store(
    given: _Given, config: Path | None = None, assignments: list[str] | None = None
) -> Iterator[Database]:
    """Open the store of the settings.

    Raises:
        ConfigError: it can't be had, or fails.
    """
    settings = load_for_command(config or given.config, [*given.assignments, *(assignments or ())]).settings
    configure_log(settings.log)
    database = Database(database_url(settings.store.url))
    if not database.is_there:
        raise ConfigError(f"there is no {database.shown} (store.url): no server has kept messages there yet")
    try:
        with database:
            yield database
    except SQLAlchemyError as error:
        problem = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise ConfigError(f"using {database.shown} (store.url): {problem}") from error


def _job(messages: Messages, prefix: str) -> Job:
    """Return the job whose id begins so.

    Raises:
        ConfigError: there is none, or several.
    """
    if len(prefix) < _FEWEST:
        raise ConfigError(f"job {prefix!r}: give at least {_FEWEST} characters of its id")
    found = messages.found(prefix)
    if not found:
        raise ConfigError(f"job {prefix!r}: there is none whose id begins so; `warmline jobs` shows them")
    exact = [job for job in found if job.id == prefix]
    if len(found) > 1 and not exact:
        ids = ", ".join(job.id for job in found)
        raise ConfigError(f"job {prefix!r}: several begin so: {ids}")
    return (exact or found)[0]


def _state(name: str) -> JobState:
    """Return a state by its name.

    Raises:
        ConfigError: there is none such.
    """
    if name.lower() not in _STATES:
        raise ConfigError(f"--state {name}: there is none such; there are {', '.join(_STATES)}")
    return JobState[name.upper()]


def _user_key(written: str) -> str:
    """Return a person's key: of a number, its digits, however it is written."""
    digits = "".join(letter for letter in written if letter.isdecimal())
    return digits if digits and not any(letter.isalpha() for letter in written) else written.strip()


def _tell_replayed(problems: dict[str, str], paused: str | None, *, is_served: bool) -> None:
    console = Console()
    for job_id, why in problems.items():
        told = Text(f"{short_id(job_id)}  ")
        told.append(f"not replayed: {why}" if why else "queued again", "yellow" if why else "green")
        console.print(told, soft_wrap=True)
    if not problems:
        console.print("No message has failed.")
    elif not all(problems.values()):
        if paused is not None:
            console.print(Text(f"Everything stands still: {paused}. Go on: warmline jobs resume", "yellow"))
        elif not is_served:
            console.print("No server answers messages now: they wait for one.")


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
