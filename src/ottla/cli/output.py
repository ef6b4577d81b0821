"""What commands print: tables for people, JSON for programs, refusals as one line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from ottla.base.errors import UserError


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


def refuse(errors: Mapping[str, UserError]) -> None:
    """Raise UserError where there is any, naming each by what it is about."""
    if errors:
        raise UserError("; ".join(f"{item}: {reason(error)}" for item, error in errors.items()))


def reason(error: UserError) -> str:
    """A broker's own words, where it has any."""
    return str(getattr(error, "message", None) or error)


def error_name(error: UserError | None) -> str:
    """The code of what a broker answered, as NONE; else what kind of error it is."""
    if error is None:
        return "NONE"
    code = getattr(error, "code", None)
    return type(error).__name__ if code is None else str(code.name)
