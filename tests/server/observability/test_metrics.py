import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from tests.server.observability.turns import FACTS, kept, turn
from warmline.reporting.turn import ReportedDraft, ReportedLine, ReportedSetback
from warmline.server.observability.figures import INSTRUMENTS, Gauge, figures
from warmline.server.observability.metrics import Metrics, prometheus_name
from warmline.timeline.contributions import MILESTONES, SPANS
from warmline.timeline.report import TurnStatus

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

GAUGES = (
    Gauge("warmline.sessions", "Sessions.", 3),
    Gauge("warmline.lines", "Lines.", 2, (("endpoint", "openai"), ("state", "idle"))),
    Gauge("warmline.lines", "Lines.", 1, (("endpoint", "openai"), ("state", "leased"))),
    Gauge("warmline.loop.lag", "Lag.", 0.012, (("of", "max"),), "s"),
)

EVENTFUL = turn(
    drafts_begun=3,
    drafts_dropped=2,
    drafts=(
        ReportedDraft("pause", "USER_WENT_ON", -300, -100, 400, 20, 80),
        ReportedDraft("hint", "COMMITTED", 200, 500),
    ),
    setbacks=(ReportedSetback("llm", "openai", "stalled", "retry", "anthropic", 700.0),),
    lines=(
        ReportedLine("openai", 0.4, is_cold=False),
        ReportedLine("elevenlabs", 250.0, is_cold=True, region="canary.example.com"),
    ),
    underruns=2,
    underrun_ms=120.0,
)


async def samples(metrics, accept=""):
    """Return each series' value, by its name and labels, as Prometheus' own parser reads it."""
    body, content_type = await metrics.rendered(accept)
    assert content_type.startswith("text/plain; version=")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def of(found, name, **labels):
    return found[name, tuple(sorted(labels.items()))]


async def test_a_turn_is_counted_once_and_timed_in_seconds():
    metrics = Metrics(lambda: GAUGES)
    metrics.take(kept(EVENTFUL))
    metrics.take(kept(EVENTFUL, is_correction=True))
    found = await samples(metrics)
    assert of(found, "warmline_turns_total", channel="browser", status="completed") == 1
    response = {"channel": "browser", "retrieval": "with"}
    assert of(found, "warmline_turn_response_seconds_sum", **response) == pytest.approx(0.93)
    assert of(found, "warmline_turn_response_seconds_bucket", **response, le="0.8") == 0
    assert of(found, "warmline_turn_response_seconds_bucket", **response, le="1.0") == 1
    stages = [value for (name, _), value in found.items() if name == "warmline_turn_contribution_seconds_sum"]
    assert sum(stages) == pytest.approx(0.93), "contributions sum to the response time"
    assert of(found, "warmline_turn_span_seconds_sum", span="voice_first_audio") == pytest.approx(0.12)
    assert of(found, "warmline_turn_speech_to_model_seconds_sum") == pytest.approx(0.01)
    assert of(found, "warmline_drafts_total", outcome="adopted") == 1
    assert of(found, "warmline_drafts_total", outcome="dropped") == 2
    assert of(found, "warmline_wasted_tokens_total", direction="read") == 400
    assert of(found, "warmline_wasted_tokens_total", direction="written") == 20
    setback = {"role": "llm", "leg": "openai", "kind": "stalled", "remedy": "retry"}
    assert of(found, "warmline_setbacks_total", **setback) == 1
    assert of(found, "warmline_leases_total", endpoint="elevenlabs", state="cold") == 1
    assert of(found, "warmline_leases_total", endpoint="openai", state="warm") == 1
    assert of(found, "warmline_lease_wait_seconds_total", endpoint="elevenlabs") == pytest.approx(0.25)
    assert of(found, "warmline_underruns_total", channel="browser") == 2
    assert of(found, "warmline_underrun_time_seconds_total", channel="browser") == pytest.approx(0.12)


async def test_gauges_are_asked_for_at_each_reading():
    now = [*GAUGES]
    metrics = Metrics(lambda: now)
    found = await samples(metrics)
    assert of(found, "warmline_sessions") == 3
    assert of(found, "warmline_lines", endpoint="openai", state="leased") == 1
    assert of(found, "warmline_loop_lag_seconds", of="max") == 0.012
    now[0] = replace(now[0], value=4)
    assert of(await samples(metrics), "warmline_sessions") == 4


@pytest.mark.parametrize(
    "accept", ["", "text/plain;version=0.0.4", "*/*", "text/plain;version=nonsense", "\x00"]
)
async def test_whatever_a_scraper_accepts_it_gets_what_it_can_read(accept):
    metrics = Metrics(lambda: GAUGES)
    metrics.take(kept(EVENTFUL))
    assert of(await samples(metrics, accept), "warmline_sessions") == 3


async def test_a_scraper_of_openmetrics_gets_that():
    metrics = Metrics(lambda: GAUGES)
    metrics.take(kept(EVENTFUL))
    body, content_type = await metrics.rendered("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    names = {family.name for family in read_openmetrics(body.decode())}
    assert {"warmline_turns", "warmline_turn_response_seconds", "warmline_lines"} <= names


async def test_calls_people_and_hosts_make_no_series():
    """A hundred thousand calls have as many series as one."""
    metrics = Metrics(lambda: GAUGES)
    for number in range(50):
        metrics.take(kept(replace(EVENTFUL, number=number, call=f"canary_{number}", at_s=float(number))))
    one = Metrics(lambda: GAUGES)
    one.take(kept(EVENTFUL))
    body, _ = await metrics.rendered("")
    assert set(await samples(metrics)) == set(await samples(one))
    assert b"canary" not in body


async def test_the_series_of_a_large_installation_are_bounded():
    """Four channels, each turn out of the ordinary: the figure in docs/guides/observability.md."""
    metrics = Metrics(lambda: GAUGES)
    for channel in ("browser", "telnyx", "twilio", "local"):
        for status in TurnStatus:
            for passages in (0, 2):
                facts = {**FACTS, "channel": channel}
                metrics.take(kept(replace(EVENTFUL, status=status, facts=facts, passages=passages)))
    ours = [name for name, _ in await samples(metrics) if name.startswith("warmline_")]
    assert len(ours) < 1_200


@given(
    st.builds(
        turn,
        st.dictionaries(st.sampled_from([mark for mark, _ in MILESTONES]), st.floats(-2_000, 60_000)),
        status=st.sampled_from([*TurnStatus, None]),
        passages=st.none() | st.integers(0, 3),
        facts=st.just({}) | st.just(FACTS),
        drafts_begun=st.integers(0, 3),
        drafts_dropped=st.integers(0, 4),
    )
)
def test_whatever_a_turn_was_its_figures_are_of_the_list_and_never_negative(made):
    for figure in figures(made):
        assert figure.instrument in INSTRUMENTS
        assert len(figure.labels) == len(figure.instrument.labels)
        assert figure.value >= 0


def test_names_are_those_that_prometheus_asks_for():
    names = [prometheus_name(each) for each in INSTRUMENTS]
    assert len(set(names)) == len(names)
    for each, name in zip(INSTRUMENTS, names, strict=True):
        assert re.fullmatch(r"warmline(_[a-z]+)+", name)
        assert (each.unit == "s") == name.endswith("_seconds")
        assert list(each.buckets_s) == sorted(set(each.buckets_s))


def test_every_stage_and_span_has_few_enough_names():
    assert len(MILESTONES) + len(SPANS) < 30
