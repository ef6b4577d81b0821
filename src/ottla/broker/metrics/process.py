"""The process: memory, processor, files, garbage collection, under the names that everybody has."""

from __future__ import annotations

import gc
from collections.abc import Iterator

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily

from ottla.broker.metrics.families import Part


class ProcessMetrics:
    """`process_*` as prometheus_client has them, on systems with /proc, and `python_gc_*`."""

    def __init__(self) -> None:
        self._process = ProcessCollector(registry=None)

    def __call__(self) -> Iterator[Part]:
        yield from self._process.collect()
        for name, key, doc in (
            ("python_gc_collections", "collections", "Runs of the garbage collector."),
            ("python_gc_objects_collected", "collected", "Objects that it has freed."),
        ):
            found = CounterMetricFamily(name, doc, labels=("generation",))
            for generation, stats in enumerate(gc.get_stats()):
                found.add_metric((str(generation),), stats[key])
            yield found
