"""The catalogue, and what is written from it: the page of all metrics, and the dashboard."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ottla.broker.metrics.catalogue import CATALOGUE, Kind
from tests import metrics_page

DASHBOARD = Path(__file__).parents[4] / "docs" / "operating" / "grafana" / "ottla.json"
SERIES = re.compile(r"\b(?:ottla|process|python)_[a-z0-9_]+\b(?P<matchers>\{[^}]*\})?")
MATCHED = re.compile(r"([a-z_]+)(?:=~|=|!=|!~)")
GROUPED = re.compile(r"\bby \(([^)]*)\)")
OF_EVERYBODY = {
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
}
OF_PROMETHEUS = {"instance", "le"}


def test_names_follow_the_conventions() -> None:
    for name, metric in CATALOGUE.items():
        assert re.fullmatch(r"ottla_[a-z]+(_[a-z]+)*", name), name
        assert name.endswith("_total") == (metric.kind is Kind.COUNTER), name
        assert metric.doc.endswith("."), name
        assert not {"le", "instance", "job"} & set(metric.labels), name


def test_the_page_of_all_metrics_is_as_the_catalogue_says() -> None:
    page = metrics_page.PAGE.read_text(encoding="utf-8")
    assert page == metrics_page.page(page), "it is stale: run `make metrics-page`"


def family_of(name: str) -> str:
    """The metric that a name in a query belongs to."""
    for suffix in ("_bucket", "_sum", "_count"):
        family = name.removesuffix(suffix)
        if family != name and family in CATALOGUE and CATALOGUE[family].kind is Kind.HISTOGRAM:
            return family
    return name


def check(query: str) -> None:
    """Every name in a query is a metric's, every label one of its own."""
    labels = set(OF_PROMETHEUS)
    for found in SERIES.finditer(query):
        name = family_of(found[0].partition("{")[0])
        assert name in CATALOGUE or name in OF_EVERYBODY, f"{name} is no metric: {query}"
        own = set(CATALOGUE[name].labels) if name in CATALOGUE else set()
        assert set(MATCHED.findall(found["matchers"] or "")) <= own | OF_PROMETHEUS, query
        labels |= own
    for grouped in GROUPED.findall(query):
        assert {label.strip() for label in grouped.split(",")} <= labels, query


def queries() -> Iterator[str]:
    board: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


def test_every_query_of_the_dashboard_names_what_there_is() -> None:
    found = list(queries())
    assert len(found) > 40
    for query in found:
        assert SERIES.search(query), query
        check(query)


def test_every_query_of_the_page_names_what_there_is() -> None:
    page = metrics_page.PAGE.read_text(encoding="utf-8")
    (block,) = re.findall(r"```promql\n(.*?)```", page, re.DOTALL)
    for line in block.splitlines():
        check(line.partition("  #")[0])


@pytest.mark.parametrize(
    "query",
    [
        "rate(ottla_reqests_total[5m])",
        "sum by (topic) (ottla_requests_total)",
        'ottla_requests_total{group="g"}',
        "ottla_requests_total_bucket",
    ],
)
def test_a_query_that_names_what_there_is_not_is_found(query: str) -> None:
    with pytest.raises(AssertionError):
        check(query)


def test_panels_have_names_of_their_own_and_do_not_overlap() -> None:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    titles = [panel["title"] for panel in panels]
    assert len(set(titles)) == len(titles)
    cells = [
        (x, y)
        for panel in panels
        for at in [panel["gridPos"]]
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
