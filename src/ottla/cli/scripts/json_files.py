"""JSON that people write for Kafka's tools: read with words for what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from ottla.base.errors import UserError

Read = TypeVar("Read")


def read_json(path: str, kind: type[Read]) -> Read:
    """A file of this kind. Raises UserError for one that is not there, or is of no such kind."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"Unable to read file {path}: {error.strerror}") from error
    return parse_json(data, kind, path)


def parse_json(data: bytes, kind: type[Read], name: str) -> Read:
    """What such a file holds. Raises UserError, naming the file."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{name}: {error}") from error
