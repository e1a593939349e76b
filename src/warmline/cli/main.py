"""`warmline`: the commands."""

from __future__ import annotations

import os
import sys

# Read by numpy when it is imported, which the commands below do. On a shared machine the threads of a
# matrix product wait for each other: an embedding takes 7 ms on one and up to 276 ms on several.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import typer
from rich.console import Console
from rich.text import Text

from warmline.cli.call import call_command
from warmline.cli.config import config_command
from warmline.cli.doctor import doctor_command
from warmline.cli.jobs import jobs_app
from warmline.cli.message import message_command
from warmline.cli.report import report_command
from warmline.cli.serve import serve_command
from warmline.cli.simulate import simulate_command
from warmline.cli.talk import talk_command
from warmline.errors import ConfigError, WarmlineError, leaves

__all__ = ["app", "main"]

app = typer.Typer(
    name="warmline",
    help="A voice agent that answers before the silence feels long.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("serve")(serve_command)
app.command("talk")(talk_command)
app.command("call")(call_command)
app.command("message")(message_command)
app.command("simulate")(simulate_command)
app.add_typer(jobs_app, name="jobs")
app.command("doctor")(doctor_command)
app.command("report")(report_command)
app.command("config")(config_command)


def main() -> None:
    """Run a command; what goes wrong is said in one message, without a traceback.

    Exit status: 2 if a setting or an option is wrong, 1 if something else failed.
    """
    try:
        app()
    except* WarmlineError as problems:
        errors = list(leaves(problems))
        for error in errors:
            text = Text.assemble(("warmline: ", "bold red"), str(error))
            Console(stderr=True).print(text, soft_wrap=True)
        sys.exit(2 if any(isinstance(error, ConfigError) for error in errors) else 1)


if __name__ == "__main__":
    main()
