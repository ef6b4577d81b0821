"""`make metrics-page`: write the tables of docs/operating/metrics.md anew from the catalogue."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Final

from ottla.broker.metrics.catalogue import CATALOGUE, Metric

PAGE: Final = Path(__file__).parents[1] / "docs" / "operating" / "metrics.md"
BEGIN: Final = "<!-- from here on made by `make metrics-page` -->"


def tables() -> str:
    """One for each subject."""
    return "".join(
        f"\n## {subject}\n\n| metric | | labels | says |\n|---|---|---|---|\n"
        + "".join(map(_line, found))
        for subject, found in groupby(CATALOGUE.values(), key=lambda metric: metric.subject)
    )


def _line(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.doc} |\n"


def page(before: str) -> str:
    """The page with its tables as they should be; `before` is the page as it is."""
    prose, begin, _ = before.partition(BEGIN)
    assert begin, f"{PAGE} has lost its mark"
    return f"{prose}{BEGIN}\n{tables()}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
