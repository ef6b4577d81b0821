"""Metrics as a scraper reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.parser import text_string_to_metric_families

from ottla.broker.metrics.families import Part
from ottla.broker.metrics.scrape import written


class Scraped:
    """Samples by their name and labels: `scraped["ottla_groups", {"state": "Empty"}]`."""

    def __init__(self, text: str) -> None:
        self._samples: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        self.kinds: dict[str, str] = {}
        self.labels: dict[str, set[str]] = {}
        heads = [line for line in text.splitlines() if line.startswith("# ")]
        assert len(set(heads)) == len(heads), "a family has two beginnings"
        for family in text_string_to_metric_families(text):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            assert name not in self.kinds, f"{name} stands there twice"
            self.kinds[name] = family.type
            for sample in family.samples:
                key = sample.name, frozenset(sample.labels.items())
                assert key not in self._samples, f"{key} stands there twice"
                self._samples[key] = sample.value
                self.labels.setdefault(name, set()).update(sample.labels)

    def __getitem__(self, key: str | tuple[str, Mapping[str, str]]) -> float:
        name, labels = (key, {}) if isinstance(key, str) else key
        return self._samples[name, frozenset(labels.items())]

    def all(self, name: str) -> dict[tuple[str, ...], float]:
        """By the values of their labels, in the order of the labels' names."""
        return {
            tuple(value for _, value in sorted(labels)): number
            for (found, labels), number in self._samples.items()
            if found == name
        }


def scraped(parts: Iterator[Part]) -> Scraped:
    """What one collector tells."""
    return Scraped(b"".join(written(parts)).decode())
