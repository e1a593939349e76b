"""`/metrics`: turns as Prometheus counts them, and the process as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import anyio.to_thread
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from warmline.server.access import Access
from warmline.server.observability.figures import INSTRUMENTS, Gauge, Instrument, figures
from warmline.server.observability.observer import KeptTurn

__all__ = ["METRICS_PATH", "Metrics", "metrics_route", "prometheus_name"]

METRICS_PATH: Final = "/metrics"


def prometheus_name(instrument: Instrument | Gauge) -> str:
    """Return an instrument's name without `_total`, which counters have besides."""
    name = instrument.name.replace(".", "_")
    return f"{name}_seconds" if instrument.unit == "s" else name


@dataclass(frozen=True, slots=True)
class _Written:
    """An instrument as Prometheus keeps it; its series by their labels, which it is slow to find."""

    instrument: Instrument
    metric: Counter | Histogram
    series: dict[tuple[str, ...], Callable[[float], None]]

    def add(self, labels: tuple[str, ...], value: float) -> None:
        write = self.series.get(labels)
        if write is None:
            found = self.metric.labels(*labels) if labels else self.metric
            write = found.observe if isinstance(found, Histogram) else found.inc
            self.series[labels] = write
        write(value)


class Metrics:
    """What has been counted since the process began.

    What changes here: the counters, with each turn, on the event loop; the gauges, before each reading.
    """

    def __init__(self, gauges: Callable[[], Iterable[Gauge]]) -> None:
        """Prepare.

        Args:
            gauges: Asked on the event loop how the process is, before each reading.
        """
        # Each counter's beginning would be a series of its own, which nobody here asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._gauges = gauges
        self._registry = CollectorRegistry()
        self._now = _Now()
        self._written = {instrument: self._made(instrument) for instrument in INSTRUMENTS}
        self._registry.register(self._now)
        ProcessCollector(registry=self._registry)

    def take(self, kept: KeptTurn) -> None:
        """Count a turn, once; a `TurnSink`."""
        if kept.is_correction:
            return
        for figure in figures(kept.turn):
            self._written[figure.instrument].add(figure.labels, figure.value)

    async def rendered(self, accept: str) -> tuple[bytes, str]:
        """Return all of it as a scraper that accepts `accept` reads it, and its content type.

        It is written on a worker thread: a thousand series take milliseconds.
        """
        self._now.gauges = tuple(self._gauges())
        write: Callable[[CollectorRegistry], bytes] = generate_latest
        content_type = CONTENT_TYPE_PLAIN_0_0_4
        if "application/openmetrics-text" in accept:
            write, content_type = openmetrics.generate_latest, openmetrics.CONTENT_TYPE_LATEST
        return await anyio.to_thread.run_sync(write, self._registry), content_type

    def _made(self, instrument: Instrument) -> _Written:
        name, labels = prometheus_name(instrument), instrument.labels
        metric: Counter | Histogram
        if instrument.buckets_s:
            metric = Histogram(
                name, instrument.doc, labels, buckets=instrument.buckets_s, registry=self._registry
            )
        else:
            metric = Counter(name, instrument.doc, labels, registry=self._registry)
        return _Written(instrument, metric, {})


class _Now(Collector):
    """The gauges as they were when they were last asked for."""

    def __init__(self) -> None:
        self.gauges: Sequence[Gauge] = ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        families: dict[str, GaugeMetricFamily] = {}
        for gauge in self.gauges:
            name = prometheus_name(gauge)
            if name not in families:
                families[name] = GaugeMetricFamily(name, gauge.doc, labels=[key for key, _ in gauge.labels])
            families[name].add_metric([value for _, value in gauge.labels], gauge.value)
        yield from families.values()


def metrics_route(metrics: Metrics, access: Access, *, is_public: bool) -> Route:
    """Return `/metrics`.

    Args:
        metrics: What is told.
        access: Who has the key, or asks from this machine.
        is_public: Whether anybody may ask.
    """

    async def told(request: Request) -> Response:
        peer = request.client.host if request.client is not None else ""
        is_admitted = is_public or access.is_local(peer, request.headers)
        refusal = None if is_admitted else access.check_key(request.headers)
        if refusal is not None:
            error = {"error": {"code": refusal.code, "message": refusal.message}}
            return JSONResponse(error, status_code=refusal.status)
        body, content_type = await metrics.rendered(request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type})

    return Route(METRICS_PATH, told)
