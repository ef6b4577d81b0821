"""What commands print: tables for people, JSON for programs, refusals as one line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ottla.base.errors import UserError

if TYPE_CHECKING:
    from ottla.client.admin_topics import TopicOutcome


def print_json(rows: Iterable[dict[str, object]]) -> None:
    """One JSON array."""
    print(json.dumps(list(rows), indent=2))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Aligned columns; plain text where the output is not a terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    if not console.is_terminal:
        # A pipe has no width of its own: never cut what another program reads.
        console = Console(width=10_000)
    console.print(table)


def refuse(outcomes: Iterable[TopicOutcome]) -> None:
    """Raise UserError where some outcome is an error, naming each."""
    refused = [
        f"{outcome.name}: {outcome.message or outcome.error.name}"
        for outcome in outcomes
        if outcome.error
    ]
    if refused:
        raise UserError("; ".join(refused))
