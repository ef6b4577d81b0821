"""From numbers to the families that prometheus_client writes down.

A collector is an iterator of parts. Each part is what may be made in one turn of the loop: a family
with many samples comes as several parts of one name. None is a part without samples: much was
looked at, and others want their turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric as PrometheusFamily

from ottla.base.limits import METRICS_SAMPLES_PER_TURN
from ottla.broker.metrics.catalogue import Kind, Metric

Family = PrometheusFamily
Part = Family | None
Collector = Callable[[], Iterator[Part]]
Sample = tuple[Sequence[str], float]
"""Values of the labels, in the order of the catalogue, and the number."""

OTHER: Final = "(other)"
"""Stands for all that has no series of its own; no topic can have such a name."""


def family(metric: Metric, samples: Iterable[Sample]) -> Family:
    """All of it in one part: for families that are small whatever happens."""
    if metric.kind is Kind.COUNTER:
        counter = CounterMetricFamily(metric.name, metric.doc, labels=metric.labels)
        for labels, value in samples:
            counter.add_metric(labels, value)
        return counter
    assert metric.kind is Kind.GAUGE
    gauge = GaugeMetricFamily(metric.name, metric.doc, labels=metric.labels)
    for labels, value in samples:
        gauge.add_metric(labels, value)
    return gauge


def single(metric: Metric, value: float) -> Family:
    """A family of one series without labels."""
    return family(metric, [((), value)])


def parts(metric: Metric, samples: Iterable[Sample]) -> Iterator[Family]:
    """As many parts as its number of samples wants; none for none."""
    rest = iter(samples)
    while some := list(islice(rest, METRICS_SAMPLES_PER_TURN)):
        yield family(metric, some)


def histogram(metric: Metric) -> HistogramMetricFamily:
    """Empty; fill it with `add_histogram`."""
    assert metric.kind is Kind.HISTOGRAM
    return HistogramMetricFamily(metric.name, metric.doc, labels=metric.labels)


def add_histogram(
    into: HistogramMetricFamily,
    labels: Sequence[str],
    *,
    ends: Sequence[float],
    buckets: Sequence[int],
    count: int,
    total: float,
) -> None:
    """`buckets[n]` fell below `ends[n]` and not below the end before; `total` is their sum."""
    cumulated = 0
    told: list[tuple[str, float]] = []
    for end, number in zip(ends, buckets, strict=True):
        cumulated += number
        told.append((repr(end), cumulated))
    told.append(("+Inf", count))
    into.add_metric(labels, buckets=told, sum_value=total)
