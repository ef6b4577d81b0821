"""As `client`, with and without keys, five rounds of five times as many records: some minutes."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.client import Scale, run_at
from benchmarks.report import Figure


def run() -> Iterator[Figure]:
    """The figures of one run."""
    yield from run_at(Scale(rounds=5, factor=5, keyed=(False, True)))
