"""What Apache Kafka 4.3.1 has, as it told when it was asked (`recording.py`)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

FILE: Final = Path(__file__).with_name("kafka-4.3.1.json")


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """One number of an API. `versions` are those of 4.3, None where it has no such API."""

    key: int
    name: str
    versions: str | None
    on_brokers: bool
    """Whether a broker's listener tells of it, as it comes without further settings."""


class Kafka(msgspec.Struct, frozen=True, kw_only=True):
    """APIs by number; settings and their defaults by what they belong to."""

    apis: tuple[Api, ...]
    settings: dict[str, dict[str, str | None]]


def load() -> Kafka:
    """As it is written down."""
    return msgspec.json.decode(FILE.read_bytes(), type=Kafka)


def save(kafka: Kafka) -> None:
    """One fact a line."""
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(kafka), indent=1) + b"\n")
