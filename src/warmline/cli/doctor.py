"""`warmline doctor`: whether the services that are configured work, and how fast."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from warmline.cli.config import ConfigOption, SetOption
from warmline.cli.running import run
from warmline.cli.simulated import ProfileOption, SettingsWith, SimulateOption, settings_with, simulated
from warmline.server.doctor.findings import Finding, Status, verdict
from warmline.server.doctor.subjects import SENTENCE
from warmline.server.doctor.suite import PlannedCheck, examine, planned
from warmline.server.logs import configure_log

__all__ = ["doctor_command"]

_STYLES: Final = {Status.PASS: "bold green", Status.FAIL: "bold red", Status.SKIP: "yellow"}
_SPELLED: Final = {"dns": "DNS", "tcp": "TCP", "tls": "TLS", "http2": "HTTP/2", "percent": "%"}
_UNITS: Final = ("ms", "bytes", "%")
_INTERRUPTED: Final = 130
"""What a shell calls the exit status of a command that Ctrl+C has ended."""

_NOTHING: Final = (
    "No service is configured: listening, answering and speaking are done on this machine, and there is "
    "nothing to be checked.\n"
    "See how it looks with simulated services:  warmline doctor --simulate\n"
    "For real ones, set any of OPENAI_API_KEY, ANTHROPIC_API_KEY, ELEVENLABS_API_KEY, DEEPGRAM_API_KEY."
)


def doctor_command(
    is_free: Annotated[
        bool, typer.Option("--free", help="Leave out what is billed: replies, speech, recognition.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    simulate: SimulateOption = False,
    profile: ProfileOption = "us-local",
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Check the services that are configured; exit status 1 if a check failed."""
    load = settings_with(config, assignments, {})
    configure_log(load(None).log)
    examination = _Examination(Console(stderr=True))
    run(examination.run, load, profile if simulate else None, is_free)
    findings = examination.findings
    if as_json:
        print(json.dumps(_to_json(findings), indent=2))  # noqa: T201 - it is the output
    elif any(finding.service != "none" for finding in findings):
        _print_table(findings, Console())
    elif examination.is_over:
        Console().print(_NOTHING, highlight=False, soft_wrap=True)
    if not examination.is_over:
        raise typer.Exit(_INTERRUPTED)
    if any(finding.status is Status.FAIL for finding in findings):
        raise typer.Exit(1)


class _Examination:
    """One run of the checks; keeps what was found, should somebody end it in the middle."""

    def __init__(self, console: Console) -> None:
        self.findings: list[Finding] = []
        self.is_over = False
        self._console = console

    async def run(self, load: SettingsWith, profile: str | None, is_free: bool) -> None:
        """Make all checks, on simulated services if a profile is given."""
        async with AsyncExitStack() as held:
            status = held.enter_context(self._console.status("Starting"))
            settings = load(None)
            if profile is not None:
                settings = load(await held.enter_async_context(simulated(profile, sentences=[SENTENCE])))
            plan = await planned(settings, is_free=is_free)

            def tell(each: PlannedCheck) -> None:
                place = f"{plan.index(each) + 1} of {len(plan)}"
                status.update(f"{each.check}: {each.service} [dim]({place})")

            async for finding in examine(plan, tell):
                self.findings.append(finding)
        self.is_over = True


def _to_json(findings: Sequence[Finding]) -> dict[str, object]:
    rows = [
        asdict(finding)
        | {
            "status": finding.status.value,
            "figures": {name: round(value, 3) for name, value in finding.figures.items()},
        }
        for finding in findings
    ]
    return {"verdict": verdict(findings), "rows": rows}


def _print_table(findings: Sequence[Finding], console: Console) -> None:
    table = Table("Check", "Service", "", "Figures", box=None, pad_edge=False, header_style="bold")
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    before = ""
    for finding in findings:
        if before not in ("", finding.check):
            table.add_row()
        table.add_row(
            finding.check if finding.check != before else "",
            f"{finding.role} {finding.service}",
            Text(finding.status.name, _STYLES[finding.status]),
            _figures_and_advice(finding),
        )
        before = finding.check
    console.print(table)
    failed = any(finding.status is Status.FAIL for finding in findings)
    console.print(Text(f"\n{verdict(findings)}", _STYLES[Status.FAIL if failed else Status.PASS]))


def _figures_and_advice(finding: Finding) -> Text:
    text = Text(_in_words(finding.figures))
    if finding.advice:
        text.append("\n" if text else "").append(finding.advice, _STYLES[finding.status])
    return text


def _in_words(figures: Mapping[str, float]) -> str:
    """Return `dns_ms` and the like as people read them: `dns 100 ms`."""
    return ", ".join(_figure(name, value) for name, value in figures.items())


def _figure(name: str, value: float) -> str:
    shown = f"{value:,.1f}" if isinstance(value, float) and abs(value) < 10 else f"{value:,.0f}"
    words = [_SPELLED.get(word, word) for word in name.split("_")]
    unit = f" {words.pop()}" if words[-1] in _UNITS else ""
    return f"{' '.join(words)} {shown}{unit}"
