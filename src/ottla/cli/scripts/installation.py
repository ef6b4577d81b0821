"""The files by which people and programs start the tools."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Final

from ottla.base.errors import UserError
from ottla.cli.scripts.running import names

_MARK: Final = "# One of Kafka's tools on Ottla's clients: `ottla scripts install` wrote it."
_MODE: Final = 0o755


def install(folder: Path, *, suffix: str, replace_others: bool) -> list[Path]:
    """Write one file for each tool; all of them, or none. What was written, by name.

    Raises UserError where something else has a name of ours, and for a folder that cannot be
    written to.
    """
    paths = {name: folder / (name + suffix) for name in names()}
    foreign = [path.name for path in paths.values() if not _may_replace(path)]
    if foreign and not replace_others:
        raise UserError(f"{folder} has its own {', '.join(foreign)}: --force replaces them")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, path in paths.items():
            _write(path, name)
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}") from error
    return list(paths.values())


def _may_replace(path: Path) -> bool:
    return not path.exists() or _MARK in path.read_text(encoding="utf-8", errors="replace")


def _write(path: Path, name: str) -> None:
    start = f"{shlex.quote(sys.executable)} -m {__package__} {name}"
    # A link would lead us to write where it points.
    path.unlink(missing_ok=True)
    path.write_text(f'#!/bin/sh\n{_MARK}\nexec {start} "$@"\n', encoding="utf-8")
    path.chmod(_MODE)
