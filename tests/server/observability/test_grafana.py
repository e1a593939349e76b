"""The Grafana dashboard asks for nothing that is not exported."""

import itertools
import json
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.journeys.conversation import Stagehands
from tests.pool.views import pool_view
from tests.server.observability.test_metrics import EVENTFUL
from tests.server.observability.turns import kept
from warmline.core.clock import SystemClock
from warmline.pool.census import EndpointLines
from warmline.server.access import Access
from warmline.server.observability.opening import Observability
from warmline.server.sessions import Sessions
from warmline.server.settings import Settings
from warmline.server.vitals import Vitals

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

DASHBOARD = json.loads(
    (Path(__file__).parents[3] / "deploy" / "grafana" / "warmline.json").read_text("utf-8")
)
PANELS = DASHBOARD["panels"]
OF_THE_SCRAPER = {"job", "instance"}
FUNCTIONS = {"sum", "max", "rate", "by", "scalar", "histogram_quantile"}


def expressions():
    return [target["expr"] for panel in PANELS for target in panel.get("targets", ())]


def selectors(expr):
    """Yield each metric of an expression with the labels that it is narrowed by."""
    for name, labels in re.findall(r"\b((?:warmline|process)_\w+)(?:\{([^}]*)\})?", expr):
        yield name, set(re.findall(r"(\w+)=~?", labels or ""))


@pytest.fixture
async def exported(anyio_backend):
    """Return the labels of each series of a server that has had a turn of every kind."""
    providers = Stagehands().providers()
    line = EndpointLines("openai", (pool_view(),))
    providers.census.opened("openai", lambda: line)
    clock = SystemClock()
    watching = Observability(Settings(), providers, Access(host="127.0.0.1"), Vitals(clock), clock)
    watching.routes(Sessions(8, 1.0))
    for sink in watching.sinks:
        sink(kept(EVENTFUL))
    body, _ = await watching.metrics.rendered("")
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


async def test_every_metric_and_label_that_it_asks_for_is_exported(exported):
    asked = [*expressions(), *(each.get("definition", "") for each in DASHBOARD["templating"]["list"])]
    names = set()
    for expr in asked:
        for name, labels in selectors(expr):
            names.add(name)
            assert name in exported, expr
            assert labels - OF_THE_SCRAPER <= exported[name], expr
        for group, name in re.findall(r"by \(([^)]*)\) \((?:rate\()?((?:warmline|process)_\w+)", expr):
            assert {each.strip() for each in group.split(",")} <= exported[name], expr
    ours = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exported if name.startswith("warmline_")}
    assert ours - {re.sub(r"_(bucket|sum|count)$", "", name) for name in names} == set(), "shown nowhere"


def test_what_a_legend_names_is_a_label_that_is_grouped_by():
    for panel in PANELS:
        for target in panel.get("targets", ()):
            for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                assert re.search(rf"by \([^)]*\b{label}\b", target["expr"]), panel["title"]


def test_expressions_are_balanced_and_of_known_functions():
    for expr in expressions():
        assert expr.count("(") == expr.count(")")
        assert expr.count("{") == expr.count("}")
        assert set(re.findall(r"\b([a-z_]+) ?\(", expr)) <= FUNCTIONS


def test_its_panels_are_those_of_a_dashboard_that_grafana_imports():
    """The classic model, which every version since 10 takes; see `docs/guides/observability.md`."""
    assert {"uid", "title", "schemaVersion", "panels", "templating", "time", "annotations"} <= set(DASHBOARD)
    assert "id" not in DASHBOARD, "it is the installation's"
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert {panel["type"] for panel in PANELS} == {"row", "stat", "timeseries"}
    for panel in PANELS:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24
        if panel["type"] != "row":
            assert panel["description"]
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            refs = [target["refId"] for target in panel["targets"]]
            assert refs
            assert len(set(refs)) == len(refs)
    for one, other in itertools.combinations([panel["gridPos"] for panel in PANELS], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        beneath = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or beneath


def test_every_variable_that_it_uses_is_one_of_its_own():
    names = {each["name"] for each in DASHBOARD["templating"]["list"]}
    used = {name for expr in expressions() for name in re.findall(r"\$(\w+)", expr)}
    assert used - {"__rate_interval"} <= names
