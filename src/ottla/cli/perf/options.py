"""Options that measurements share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import click

from ottla.cli.moments import Duration

Decorator = Callable[[Callable[..., None]], Callable[..., None]]

records_option: Final[Decorator] = click.option(
    "--records", "-n", type=click.IntRange(1), help="End after so many records."
)
duration_option: Final[Decorator] = click.option(
    "--duration", "-d", "duration_ms", type=Duration(), metavar="TIME", help="End after so long."
)
progress_option: Final[Decorator] = click.option(
    "--progress/--no-progress",
    default=None,
    help="A line each second on standard error; usual where that is a terminal.",
)
size_option: Final[Decorator] = click.option(
    "--size",
    "size_bytes",
    type=click.IntRange(0, 10_000_000),
    default=100,
    show_default=True,
    help="Bytes of a value.",
)


def is_live(progress: bool | None) -> bool:
    """Whether to tell how it goes on."""
    import sys

    return sys.stderr.isatty() if progress is None else progress
