"""All checks, one after another: one that fails or hangs keeps no other from being made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

import anyio

from warmline.errors import WarmlineError
from warmline.server.doctor.answering import reply
from warmline.server.doctor.clean_up import clean_up
from warmline.server.doctor.connections import connect, pooling, warm_up
from warmline.server.doctor.findings import Finding, Outcome, Status
from warmline.server.doctor.listening import recognition
from warmline.server.doctor.speaking import speech_by_http, speech_by_socket
from warmline.server.doctor.subjects import Subject, subjects
from warmline.server.settings import Settings

__all__ = ["PlannedCheck", "examine", "planned"]

ProviderT = TypeVar("ProviderT")

_LIMIT_S: Final = 30.0
"""For a whole check; the providers' own limits are shorter as a rule, and say more."""

_HINTS: Final = {
    "llm": "set OPENAI_API_KEY or ANTHROPIC_API_KEY",
    "tts": "set ELEVENLABS_API_KEY",
    "stt": "set DEEPGRAM_API_KEY",
}


@dataclass(frozen=True, slots=True)
class PlannedCheck:
    """One check of one service, still to be made."""

    check: str
    role: str
    service: str
    run: Callable[[], Awaitable[Outcome]] | None = None
    """None where there is nothing to be checked."""

    advice: str = ""
    """Why there is not."""

    def found(self, status: Status, outcome: Outcome | None = None, advice: str = "") -> Finding:
        """Return what came of it."""
        figures = outcome.figures if outcome is not None else {}
        return Finding(self.check, self.role, self.service, status, figures, advice)


async def planned(settings: Settings, *, is_free: bool = False) -> list[PlannedCheck]:
    """Return the checks of all services that are configured, and a word about roles without one.

    Args:
        settings: As they are.
        is_free: Leave out what is billed.

    Raises:
        ConfigError: a key is missing, or settings do not go together.
    """
    llms, voices, recognisers = await subjects(settings, is_free=is_free)
    found: list[Subject[Any]] = [*llms, *voices, *recognisers]

    plan = [
        *_of_each("connect", found, connect),
        *_of_each("pooling", found, pooling),
        *_of_each("warm-up", found, warm_up),
    ]
    billed = [
        *_of_each("reply", llms, reply),
        *_of_each("speech by socket", voices, speech_by_socket),
        *_of_each("speech by HTTP", voices, speech_by_http),
        *_of_each("recognition", recognisers, recognition),
    ]
    if is_free:
        billed = [
            PlannedCheck(each.check, each.role, each.service, advice="it is billed; left out by --free")
            for each in billed
        ]
    plan += [*billed, *_of_each("clean-up", found, clean_up)]
    roles = {each.role for each in found}
    chosen = {"llm": settings.providers.llm, "tts": settings.providers.tts, "stt": settings.providers.stt}
    plan += [
        PlannedCheck("all", role, "none", advice=_why_not(role, name))
        for role, name in chosen.items()
        if role not in roles
    ]
    return plan


async def examine(
    plan: list[PlannedCheck], on_check: Callable[[PlannedCheck], None] = lambda _: None
) -> AsyncIterator[Finding]:
    """Make the checks; yield what each found.

    A service that can't be connected to, or refuses its key, is not asked anything else.

    Args:
        plan: What `planned` returned.
        on_check: Called before each one.
    """
    unreachable: set[tuple[str, str]] = set()
    for each in plan:
        if each.run is None:
            yield each.found(Status.SKIP, advice=each.advice)
        elif (each.role, each.service) in unreachable:
            yield each.found(Status.SKIP, advice="connect failed")
        else:
            on_check(each)
            finding = await _checked(each, each.run)
            if each.check == "connect" and finding.status is Status.FAIL:
                unreachable.add((each.role, each.service))
            yield finding


def _of_each(
    check: str,
    those: list[Subject[ProviderT]],
    run: Callable[[Subject[ProviderT]], Awaitable[Outcome]],
) -> list[PlannedCheck]:
    return [PlannedCheck(check, each.role, each.table, partial(run, each)) for each in those]


async def _checked(planned: PlannedCheck, run: Callable[[], Awaitable[Outcome]]) -> Finding:
    try:
        with anyio.fail_after(_LIMIT_S):
            outcome = await run()
    except WarmlineError as error:
        return planned.found(Status.FAIL, advice=str(error))
    except TimeoutError:
        return planned.found(
            Status.FAIL,
            advice=f"it was not over within {_LIMIT_S:g} s: see {planned.service}.base_urls and lines.proxy",
        )
    status = Status.FAIL if outcome.problem else Status.PASS
    return planned.found(status, outcome, outcome.problem or outcome.note)


def _why_not(role: str, name: str) -> str:
    if name in ("auto", "offline"):
        return f"not configured: this machine does it; {_HINTS[role]} for a service"
    return f"a plugin ({name}), which has no checks of its own"
