"""What clients have pushed (KIP-714), under names of Prometheus that begin with `client_`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, MutableMapping
from itertools import islice
from typing import Final

from prometheus_client.metrics_core import Metric as PrometheusFamily

from ottla.base.limits import METRICS_SAMPLES_PER_TURN
from ottla.broker.client_telemetry import ClientTelemetry
from ottla.broker.metrics.families import Part
from ottla.broker.telemetry_metrics import Sample, SampleKind

PREFIX: Final = "client_"
_TOTAL: Final = "_total"
_NO_NAME: Final = re.compile(r"[^a-zA-Z0-9_]")
_DOC: Final = "Pushed by clients."


class PushedMetrics:
    """Of the clients of one broker."""

    def __init__(self, telemetry: ClientTelemetry, left_out: MutableMapping[str, int]) -> None:
        self._telemetry = telemetry
        self._left_out = left_out

    def __call__(self) -> Iterator[Part]:
        self._left_out["client series"] = self._telemetry.series_left_out
        found: defaultdict[tuple[str, SampleKind], list[Sample]] = defaultdict(list)
        for number, sample in enumerate(self._telemetry.samples()):
            found[_name(sample), sample.kind].append(sample)
            if number % METRICS_SAMPLES_PER_TURN == METRICS_SAMPLES_PER_TURN - 1:
                yield None
        names: set[str] = set()
        for (name, kind), samples in sorted(found.items(), key=lambda item: item[0][0]):
            written = name + _TOTAL if kind is SampleKind.COUNTER else name
            if {name, written} & names:
                continue  # clients that do not agree what it is: one kind has to do
            names |= {name, written}
            yield from _parts(name, written, kind, samples)


def _parts(name: str, written: str, kind: SampleKind, samples: list[Sample]) -> Iterator[Part]:
    # What differs only in what a label's name cannot say is one series: the last counts.
    series = {
        tuple(sorted((_label(key), text) for key, text in sample.labels)): sample.value
        for sample in samples
    }
    told = iter(series.items())
    while some := list(islice(told, METRICS_SAMPLES_PER_TURN)):
        part = PrometheusFamily(name, _DOC, kind.value)
        for labels, value in some:
            part.add_sample(written, dict(labels), value)
        yield part


def _label(key: str) -> str:
    """A name that Prometheus takes, and does not keep for itself: those begin with underscores."""
    plain = _NO_NAME.sub("_", key)
    return plain if plain[:1].isalpha() else f"label_{plain}"


def _name(sample: Sample) -> str:
    name = PREFIX + _NO_NAME.sub("_", sample.name)
    return name.removesuffix(_TOTAL) if sample.kind is SampleKind.COUNTER else name
