"""OpenTelemetry: whether anybody wants it, and the thread that does its work."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from warmline.core.loggable import loggable
from warmline.reporting.turn import ReportedTurn
from warmline.server.observability.figures import Gauge
from warmline.server.observability.observer import KeptTurn

if TYPE_CHECKING:
    from warmline.server.observability.otlp import Signals

__all__ = ["Telemetry", "Wanted", "opened_telemetry", "wanted_signals"]

_log = logging.getLogger(__name__)

_WAITING: Final = 2_000
"""Turns that may wait for the thread; more are not told of."""

_LOOK_S: Final = 10.0
"""How often the process's figures are read; collectors are sent them once a minute by default."""

_STOP_S: Final = 3.0
"""How long a collector may take for what is left when the server ends."""

_BASE: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_PROTOCOL: Final = "http/protobuf"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which signals a collector is set for."""

    traces: bool = False
    metrics: bool = False
    problem: str = ""
    """Why one is not sent though an endpoint is set: a value that is not spoken here."""

    variable: str = ""
    """Where that value is."""


def wanted_signals(environ: Mapping[str, str]) -> Wanted:
    """Return what OpenTelemetry's environment variables ask for; nothing, where no endpoint is set."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return Wanted()
    asked = {"TRACES": False, "METRICS": False}
    for signal in asked:
        if not (environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") or environ.get(_BASE)):
            continue
        exporter = environ.get(f"OTEL_{signal}_EXPORTER", "").strip().lower() or "otlp"
        if exporter == "none":
            continue
        protocol_name = f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL"
        if not environ.get(protocol_name):
            protocol_name = "OTEL_EXPORTER_OTLP_PROTOCOL"
        if exporter != "otlp":
            return Wanted(problem="exporter_unknown", variable=f"OTEL_{signal}_EXPORTER")
        if environ.get(protocol_name, _PROTOCOL).strip() not in ("", _PROTOCOL):
            return Wanted(problem="protocol_unknown", variable=protocol_name)
        asked[signal] = True
    return Wanted(asked["TRACES"], asked["METRICS"])


class Telemetry:
    """Hands turns to a thread of its own, which makes traces and metrics of them.

    What changes here: the queue, with each turn; `_is_behind`, when it is full and when it is not.
    """

    def __init__(self, signals: Signals) -> None:
        """Begin.

        Args:
            signals: What turns are made into, on the thread.
        """
        self._signals = signals
        self._turns: queue.Queue[ReportedTurn | None] = queue.Queue(_WAITING)
        self._is_behind = False
        self._thread = threading.Thread(target=self._work, name="warmline-telemetry", daemon=True)
        self._thread.start()

    def take(self, kept: KeptTurn) -> None:
        """Take a turn, once; a `TurnSink`."""
        if kept.is_correction:
            return
        try:
            self._turns.put_nowait(kept.turn)
        except queue.Full:
            if not self._is_behind:
                _log.warning("telemetry.behind", extra={"waiting": _WAITING})
            self._is_behind = True
        else:
            self._is_behind = False

    async def observe(self, gauges: Callable[[], Iterable[Gauge]]) -> None:
        """Read the process's figures now and then, until cancelled."""
        while True:
            self._signals.observe(gauges())
            await anyio.sleep(_LOOK_S)

    def stop(self, within_s: float) -> None:
        """Deliver what is left; blocks for so long at the most, and leaves the rest. Call it once."""
        with suppress(queue.Full):
            self._turns.put(None, timeout=within_s)
            self._thread.join(within_s)

    def _work(self) -> None:
        while (turn := self._turns.get()) is not None:
            try:
                self._signals.record(turn)
            except Exception as problem:  # noqa: BLE001 - one turn's bug is not the others'
                _log.error("telemetry.turn_lost", extra=loggable(problem))
        self._signals.shut_down()


@asynccontextmanager
async def opened_telemetry(
    environ: Mapping[str, str], gauges: Callable[[], Iterable[Gauge]]
) -> AsyncIterator[Telemetry | None]:
    """Return what takes turns, or None where no collector is set or the extra is not there.

    Args:
        environ: The process's environment.
        gauges: Asked on the event loop how the process is.
    """
    wanted = wanted_signals(environ)
    if wanted.problem:
        _log.warning("telemetry.not_sent", extra={"problem": wanted.problem, "variable": wanted.variable})
    telemetry = await anyio.to_thread.run_sync(_begun, wanted) if wanted.traces or wanted.metrics else None
    if telemetry is None:
        yield None
        return
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(telemetry.observe, gauges)
            yield telemetry
            tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(telemetry.stop, _STOP_S)


def _begun(wanted: Wanted) -> Telemetry | None:
    """Import the SDK, which takes a third of a second, and begin."""
    try:
        from warmline.server.observability.otlp import otlp_signals

        signals = otlp_signals(traces=wanted.traces, metrics=wanted.metrics)
    except ModuleNotFoundError:
        _log.warning("telemetry.not_installed", extra={"install": "pip install 'warmline[telemetry]'"})
        return None
    except Exception as problem:  # noqa: BLE001 - a collector's settings are not a reason to serve nobody
        _log.warning("telemetry.not_begun", extra=loggable(problem))
        return None
    return Telemetry(signals)
