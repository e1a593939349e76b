"""OpenTelemetry, up to a collector that decodes what it is sent."""

import logging
import os
import subprocess
import sys
import threading
from contextlib import asynccontextmanager

import anyio
import pytest
from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from tests.server.observability.test_metrics import EVENTFUL, GAUGES
from tests.server.observability.turns import kept, turn
from warmline.core.clock import SystemClock
from warmline.server.observability.otlp import Signals
from warmline.server.observability.telemetry import Telemetry, Wanted, opened_telemetry, wanted_signals
from warmline.timeline.report import TurnStatus

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

CLOCK = SystemClock()
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, Wanted()),
        ({"OTEL_SERVICE_NAME": "x"}, Wanted()),
        ({ENDPOINT: "http://c"}, Wanted(traces=True, metrics=True)),
        ({ENDPOINT: "http://c", "OTEL_SDK_DISABLED": "True"}, Wanted()),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/t"}, Wanted(traces=True)),
        ({ENDPOINT: "http://c", "OTEL_TRACES_EXPORTER": "none"}, Wanted(metrics=True)),
        ({ENDPOINT: "http://c", "OTEL_METRICS_EXPORTER": "NONE"}, Wanted(traces=True)),
        ({ENDPOINT: "http://c", "OTEL_TRACES_EXPORTER": "otlp"}, Wanted(traces=True, metrics=True)),
        (
            {ENDPOINT: "http://c", "OTEL_TRACES_EXPORTER": "jaeger"},
            Wanted(problem="exporter_unknown", variable="OTEL_TRACES_EXPORTER"),
        ),
        (
            {ENDPOINT: "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            Wanted(problem="protocol_unknown", variable="OTEL_EXPORTER_OTLP_PROTOCOL"),
        ),
        (
            {ENDPOINT: "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
            Wanted(traces=True, metrics=True),
        ),
    ],
)
def test_signals_are_sent_where_a_collector_is_set(environ, expected):
    assert wanted_signals(environ) == expected


def test_without_a_collector_nothing_of_opentelemetry_is_imported():
    """Not even by the server's modules: a third of a second, and 20 MB."""
    code = (
        "import sys, warmline.server.serving\n"
        "sys.exit(any(name.startswith('opentelemetry.sdk') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture
def memory():
    """Signals that end in this process."""
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    signals = Signals([SimpleSpanProcessor(spans)], [reader], Resource.create({}))
    yield signals, spans, reader
    signals.shut_down()


def test_a_turns_trace_has_one_root_and_its_marks_times(memory):
    signals, exporter, _ = memory
    signals.record(turn())
    signals.record(turn(number=2, status=TurnStatus.FAILED))
    spans = exporter.get_finished_spans()
    roots = [span for span in spans if span.parent is None]
    assert [root.name for root in roots] == ["turn", "turn"]
    assert len({span.context.trace_id for span in spans}) == 2, "a trace for each turn"
    first, second = roots
    beneath = [span for span in spans if span.parent and span.context.trace_id == first.context.trace_id]
    assert len(beneath) == 7
    assert {span.parent.span_id for span in beneath} == {first.context.span_id}
    assert (first.start_time, first.end_time) == (1_795_249_998_500_000_000, 1_795_250_004_000_000_000)
    assert {span.name for span in beneath if span.kind is SpanKind.CLIENT} == {
        "speech_to_text nova-3",
        "chat gpt-5.4-mini",
        "text_to_speech flash",
    }
    assert first.status.status_code is StatusCode.UNSET
    assert (second.status.status_code, second.attributes["error.type"]) == (StatusCode.ERROR, "failed")


def points(reader):
    """Return what each metric holds, by its name."""
    data = reader.get_metrics_data()
    return {
        metric.name: list(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def test_metrics_are_those_of_prometheus_and_of_the_conventions(memory):
    signals, _, reader = memory
    signals.observe(GAUGES)
    signals.record(EVENTFUL)
    found = points(reader)
    (response,) = found["warmline.turn.response"]
    assert (response.count, response.sum) == (1, pytest.approx(0.93))
    assert 1.8 in response.explicit_bounds
    assert dict(response.attributes) == {"channel": "browser", "retrieval": "with"}
    operations = {
        point.attributes["gen_ai.operation.name"]: point
        for point in found["gen_ai.client.operation.duration"]
    }
    assert set(operations) == {"chat", "text_to_speech", "speech_to_text", "retrieval"}
    assert operations["chat"].sum == pytest.approx(0.99)
    assert operations["chat"].attributes["gen_ai.request.model"] == "gpt-5.4-mini"
    chunks = {
        point.attributes["gen_ai.operation.name"]: point.sum
        for point in found["gen_ai.client.operation.time_to_first_chunk"]
    }
    assert chunks == {"chat": pytest.approx(0.25), "text_to_speech": pytest.approx(0.12)}
    assert [point.value for point in found["warmline.sessions"]] == [3]
    assert {point.attributes["state"]: point.value for point in found["warmline.lines"]} == {
        "idle": 2,
        "leased": 1,
    }
    leases = {point.attributes["state"]: point.value for point in found["warmline.leases"]}
    assert leases == {"warm": 1, "cold": 1}
    assert not any("sess_1" in str(point.attributes) for each in found.values() for point in each)


class Collector:
    def __init__(self, status=200):
        self.status = status
        self.traces, self.metrics, self.threads = [], [], set()

    async def take(self, request):
        kind = ExportTraceServiceRequest if request.path == "/v1/traces" else ExportMetricsServiceRequest
        body = kind.FromString(await request.read())
        (self.traces if request.path == "/v1/traces" else self.metrics).append((dict(request.headers), body))
        return web.Response(status=self.status)


@asynccontextmanager
async def collecting(monkeypatch, collector=None):
    """Run a collector, which the environment names."""
    collector = collector or Collector()
    app = web.Application()
    app.router.add_post("/v1/{signal}", collector.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setenv(ENDPOINT, f"http://127.0.0.1:{runner.addresses[0][1]}")
    try:
        yield collector
    finally:
        await runner.cleanup()


def environ():
    return dict(os.environ)


async def test_a_collector_is_sent_traces_and_metrics_over_http(monkeypatch):
    monkeypatch.setenv("OTEL_SERVICE_NAME", "front-desk")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=seven")
    async with collecting(monkeypatch) as collector:
        async with opened_telemetry(environ(), lambda: GAUGES) as telemetry:
            assert telemetry is not None
            telemetry.take(kept(EVENTFUL))
            telemetry.take(kept(EVENTFUL, is_correction=True))
            await anyio.sleep(0.05)
    (headers, traces), *_ = collector.traces
    assert headers["x-tenant"] == "seven"
    (resource,) = traces.resource_spans
    told = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert told["service.name"] == "front-desk"
    spans = [span for scope in resource.scope_spans for span in scope.spans]
    assert sum(span.name == "turn" for span in spans) == 1
    root = next(span for span in spans if span.name == "turn")
    assert root.start_time_unix_nano == 1_795_249_998_500_000_000
    assert {span.parent_span_id for span in spans if span is not root} == {root.span_id}
    (_, metrics), *_ = collector.metrics
    names = {
        metric.name
        for each in metrics.resource_metrics
        for scope in each.scope_metrics
        for metric in scope.metrics
    }
    assert {"warmline.turn.response", "gen_ai.client.operation.duration", "warmline.sessions"} <= names
    assert b"canary" not in traces.SerializeToString() + metrics.SerializeToString()


async def test_a_service_without_a_name_is_called_warmline(monkeypatch):
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    async with collecting(monkeypatch) as collector:
        async with opened_telemetry(environ(), lambda: ()) as telemetry:
            assert telemetry is not None
            telemetry.take(kept())
    (_, traces), *_ = collector.traces
    told = {each.key: each.value.string_value for each in traces.resource_spans[0].resource.attributes}
    assert told["service.name"] == "warmline"
    assert told["service.version"]


async def test_a_dead_collector_is_logged_once_and_holds_up_nobody(monkeypatch, caplog):
    """The loop is not late by it, and the server's end waits for it no longer than it says."""
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    worst_s = 0.0
    with caplog.at_level(logging.INFO):
        async with opened_telemetry(environ(), lambda: GAUGES) as telemetry:
            assert telemetry is not None
            for _ in range(20):
                telemetry.take(kept(EVENTFUL))
                asked_s = CLOCK.now_s()
                await anyio.sleep(0.05)
                worst_s = max(worst_s, CLOCK.now_s() - asked_s - 0.05)
            stopping_s = CLOCK.now_s()
        stopped_s = CLOCK.now_s() - stopping_s
    assert worst_s < 0.5
    assert stopped_s < 5
    told = [record for record in caplog.records if record.message == "telemetry.not_delivered"]
    assert [record.__dict__["signal"] for record in told].count("traces") == 1
    assert len(told) <= 2
    assert not [record for record in caplog.records if record.name.startswith("opentelemetry.exporter")]


async def test_a_collector_that_hangs_does_not_keep_the_server_from_ending(monkeypatch):
    class Hanging(Collector):
        async def take(self, request):
            await anyio.sleep(20)
            return web.Response()

    async with collecting(monkeypatch, Hanging()):
        with anyio.fail_after(8):
            async with opened_telemetry(environ(), lambda: ()) as telemetry:
                assert telemetry is not None
                telemetry.take(kept())


async def test_an_extra_that_is_not_installed_is_one_clear_warning(monkeypatch, caplog):
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "warmline.server.observability.otlp", None)
    async with opened_telemetry(environ(), lambda: ()) as telemetry:
        assert telemetry is None
    (record,) = [record for record in caplog.records if record.name.startswith("warmline")]
    assert record.message == "telemetry.not_installed"
    assert record.__dict__["install"] == "pip install 'warmline[telemetry]'"


async def test_a_value_that_is_not_spoken_here_is_one_clear_warning(caplog):
    told = {ENDPOINT: "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    async with opened_telemetry(told, lambda: ()) as telemetry:
        assert telemetry is None
    assert [record.message for record in caplog.records] == ["telemetry.not_sent"]


def test_turns_that_come_faster_than_they_are_told_are_dropped_and_that_is_logged_once(caplog):
    class Slow:
        def __init__(self):
            self.may_go_on = threading.Event()

        def record(self, _):
            self.may_go_on.wait(10)

        def shut_down(self):
            pass

    slow = Slow()
    telemetry = Telemetry(slow)  # type: ignore[arg-type]
    for _ in range(2_100):
        telemetry.take(kept())
    slow.may_go_on.set()
    telemetry.stop(10)
    assert [record.message for record in caplog.records] == ["telemetry.behind"]


def test_a_turn_that_cannot_be_told_loses_itself_alone(caplog):
    class Picky:
        def __init__(self):
            self.recorded = []

        def record(self, reported):
            if reported.number == 1:
                raise ValueError("canary")
            self.recorded.append(reported.number)

        def shut_down(self):
            pass

    picky = Picky()
    telemetry = Telemetry(picky)  # type: ignore[arg-type]
    telemetry.take(kept(turn()))
    telemetry.take(kept(turn(number=2)))
    telemetry.stop(10)
    assert picky.recorded == [2]
    assert "canary" not in caplog.text
