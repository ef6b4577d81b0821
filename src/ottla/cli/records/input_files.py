"""Files, pipes and a terminal as pieces of bytes; `-` is standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final, Protocol, cast

from ottla.base.errors import UserError
from ottla.base.limits import CLI_READ_BYTES_MAX

STANDARD_INPUT: Final = "-"


class ReadsOnce(Protocol):
    """Hands out what is there, without waiting until it is so much."""

    def read1(self, size: int, /) -> bytes: ...


def pieces(source: BinaryIO) -> Iterator[bytes]:
    """What comes, as it comes: a line of a terminal at once, a mebibyte of a file."""
    reading = cast("ReadsOnce", source)
    while piece := reading.read1(CLI_READ_BYTES_MAX):
        yield piece


def sources(files: Sequence[str]) -> Iterator[BinaryIO]:
    """Each file, opened when it is its turn. Raises UserError for one that cannot be read."""
    for name in files or (STANDARD_INPUT,):
        if name == STANDARD_INPUT:
            if sys.stdin is None:
                raise UserError("standard input is closed: give values or --file")
            yield sys.stdin.buffer
            continue
        try:
            with Path(name).open("rb") as opened:
                yield opened
        except OSError as error:
            raise UserError(f"cannot read {name}: {error.strerror}") from error


def is_typed(files: Sequence[str]) -> bool:
    """Whether a person sits at the keyboard and should be told what to do."""
    if sys.stdin is None:  # closed by who started this
        return False
    return not (set(files) - {STANDARD_INPUT}) and sys.stdin.isatty()
