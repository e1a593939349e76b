"""Traces and metrics in OpenTelemetry's terms, and on their way to a collector.

The only module that needs the extra `telemetry`; `telemetry` imports it where a collector is set. Everything
in here but `observe` runs on telemetry's own thread or the SDK's.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
from collections.abc import Iterable, Sequence
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExportResult,
    MetricReader,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

from warmline.reporting.turn import ReportedTurn
from warmline.server.observability.figures import INSTRUMENTS, Gauge, Instrument, figures
from warmline.server.observability.turn_spans import TracedSpan, traced_turn

__all__ = ["Signals", "otlp_signals"]

_log = logging.getLogger(__name__)

_SCOPE: Final = "warmline"

# The boundaries that the conventions for generative AI give.
_OPERATION_S: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)

_OF_METRICS: Final = ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model")
"""What a stage's metrics are told apart by; a conversation's id would make a series of each."""


class Signals:
    """Turns as traces and as metrics.

    What changes here: what the SDK keeps; `_now` and `_gauges`, in `observe`.
    """

    def __init__(
        self, spans: Sequence[SpanProcessor], readers: Sequence[MetricReader], resource: Resource
    ) -> None:
        """Begin.

        Args:
            spans: Who is given traces; nobody where none are wanted.
            readers: Who is given metrics, likewise.
            resource: What is told of this process.
        """
        self._has_traces = bool(spans)
        self._meters = MeterProvider(readers, resource, shutdown_on_exit=False)
        self._traces = TracerProvider(resource=resource, shutdown_on_exit=False, meter_provider=self._meters)
        for processor in spans:
            self._traces.add_span_processor(processor)
        self._tracer = self._traces.get_tracer(_SCOPE)
        self._meter = self._meters.get_meter(_SCOPE)
        self._instruments = {each: self._made(each) for each in INSTRUMENTS}
        self._duration = self._meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "GenAI operation duration.",
            explicit_bucket_boundaries_advisory=_OPERATION_S,
        )
        self._first_chunk = self._meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            "s",
            "From issuing the request to the first chunk of its answer.",
            explicit_bucket_boundaries_advisory=_OPERATION_S,
        )
        self._now: tuple[Gauge, ...] = ()
        self._gauges: set[str] = set()

    def record(self, turn: ReportedTurn) -> None:
        """Take a turn that is over."""
        for figure in figures(turn):
            labels = dict(zip(figure.instrument.labels, figure.labels, strict=True))
            instrument = self._instruments[figure.instrument]
            if isinstance(instrument, Histogram):
                instrument.record(figure.value, labels)
            else:
                instrument.add(figure.value, labels)
        traced = traced_turn(turn)
        if traced is None:
            return
        for stage in traced.stages:
            self._record_stage(stage)
        if self._has_traces:
            root = self._tracer.start_span(
                traced.turn.name, start_time=traced.turn.start_ns, attributes=traced.turn.attributes
            )
            for instant in traced.instants:
                root.add_event(instant.name, instant.attributes, instant.at_ns)
            context = set_span_in_context(root)
            for stage in traced.stages:
                span = self._tracer.start_span(
                    stage.name,
                    context,
                    SpanKind.CLIENT if stage.is_remote else SpanKind.INTERNAL,
                    stage.attributes,
                    start_time=stage.start_ns,
                )
                span.end(stage.end_ns)
            if traced.turn.error:
                root.set_attribute("error.type", traced.turn.error)
                root.set_status(Status(StatusCode.ERROR))
            root.end(traced.turn.end_ns)

    def observe(self, gauges: Iterable[Gauge]) -> None:
        """Take how the process is now."""
        self._now = tuple(gauges)
        for gauge in self._now:
            if gauge.name not in self._gauges:
                self._gauges.add(gauge.name)
                self._meter.create_observable_gauge(
                    gauge.name, [self._reading(gauge.name)], gauge.unit, gauge.doc
                )

    def shut_down(self) -> None:
        """Deliver what is left, and end; a collector that does not answer is waited for."""
        self._traces.shutdown()
        self._meters.shutdown()

    def _record_stage(self, stage: TracedSpan) -> None:
        labels = {name: stage.attributes[name] for name in _OF_METRICS if name in stage.attributes}
        if "gen_ai.operation.name" not in labels:
            return
        self._duration.record((stage.end_ns - stage.start_ns) / 1e9, labels)
        first_s = stage.attributes.get("gen_ai.response.time_to_first_chunk")
        if isinstance(first_s, float):
            self._first_chunk.record(first_s, labels)

    def _made(self, instrument: Instrument) -> Counter | Histogram:
        if instrument.buckets_s:
            return self._meter.create_histogram(
                instrument.name,
                instrument.unit,
                instrument.doc,
                explicit_bucket_boundaries_advisory=instrument.buckets_s,
            )
        return self._meter.create_counter(instrument.name, instrument.unit, instrument.doc)

    def _reading(self, name: str) -> Any:
        def read(_: CallbackOptions) -> Iterable[Observation]:
            return [Observation(each.value, dict(each.labels)) for each in self._now if each.name == name]

        return read


def otlp_signals(*, traces: bool, metrics: bool) -> Signals:
    """Return signals that go to the collector of OpenTelemetry's environment variables.

    Args:
        traces: Whether traces are sent there.
        metrics: Whether metrics are.
    """
    # Every batch that fails would be a line, or several; `_Delivery` tells of the first.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
    spans: list[SpanProcessor] = [BatchSpanProcessor(_Spans())] if traces else []
    readers: list[MetricReader] = [PeriodicExportingMetricReader(_Metrics())] if metrics else []
    return Signals(spans, readers, _resource())


def _resource() -> Resource:
    told = {"service.version": importlib.metadata.version("warmline")}
    is_named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    return Resource.create(told if is_named else {"service.name": "warmline", **told})


class _Delivery:
    """Logs that a collector does not take what it is sent, once, until it does.

    What changes here: `_is_failing`, on the SDK's thread for the signal.
    """

    def __init__(self, signal: str) -> None:
        self._signal = signal
        self._is_failing = False

    def ended(self, *, is_delivered: bool) -> None:
        """Note what became of a batch."""
        if not is_delivered and not self._is_failing:
            _log.warning("telemetry.not_delivered", extra={"signal": self._signal})
        elif is_delivered and self._is_failing:
            _log.info("telemetry.delivered_again", extra={"signal": self._signal})
        self._is_failing = not is_delivered


class _Spans(OTLPSpanExporter):
    def __init__(self) -> None:
        super().__init__()
        self._delivery = _Delivery("traces")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = super().export(spans)
        self._delivery.ended(is_delivered=result is SpanExportResult.SUCCESS)
        return result


class _Metrics(OTLPMetricExporter):
    def __init__(self) -> None:
        super().__init__()
        self._delivery = _Delivery("metrics")

    def export(
        self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        result = super().export(metrics_data, timeout_millis, **kwargs)
        self._delivery.ended(is_delivered=result is MetricExportResult.SUCCESS)
        return result
