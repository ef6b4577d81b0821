"""A client's own numbers, in the two columns of Kafka's tools."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import asdict


def print_metrics(group: str, metrics: Struct) -> None:
    """Print those that are numbers, by name."""
    rows = {
        f"{group}:{name.replace('_', '-')}": value
        for name, value in sorted(asdict(metrics).items())
        if isinstance(value, int | float)
    }
    width = max(map(len, rows), default=0)
    print(f"\n{'Metric Name':<{width}}   Value")
    for name, value in rows.items():
        print(f"{name:<{width}} : {value:.3f}")
