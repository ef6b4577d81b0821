"""Reads the text that Kafka's own dump tool prints about log files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

GOLDEN = Path(__file__).parent / "log-dir"
DUMP = Path(__file__).parent / "log-dir-dump.txt"

_FIELD = re.compile(r"([a-zA-Z]+): (\S+)")
_RECORD = re.compile(
    r"\| offset: (?P<offset>\d+) (?P<kind>CreateTime|LogAppendTime): (?P<timestamp>-?\d+) "
    r"keySize: (?P<key_size>-?\d+) valueSize: (?P<value_size>-?\d+) sequence: (?P<sequence>-?\d+) "
    r"headerKeys: \[(?P<headers>[^]]*)\](?P<rest>.*)"
)


@dataclass
class DumpedRecord:
    offset: int
    timestamp: int
    key_size: int
    value_size: int
    sequence: int
    header_keys: list[str]
    text: str


@dataclass
class DumpedBatch:
    fields: dict[str, str]
    records: list[DumpedRecord] = field(default_factory=list)

    def number(self, name: str) -> int:
        return int(self.fields[name])

    def flag(self, name: str) -> bool:
        return self.fields[name] == "true"


@dataclass
class DumpedFile:
    batches: list[DumpedBatch] = field(default_factory=list)
    entries: list[tuple[int, int]] = field(default_factory=list)


def read_dump(text: str) -> dict[str, DumpedFile]:
    """What the tool says, by file name."""
    files: dict[str, DumpedFile] = {}
    current = DumpedFile()
    for line in text.splitlines():
        if line.startswith("Dumping "):
            current = files.setdefault(line.removeprefix("Dumping "), DumpedFile())
        elif line.startswith("baseOffset: "):
            current.batches.append(DumpedBatch(dict(_FIELD.findall(line))))
        elif found := _RECORD.match(line):
            current.batches[-1].records.append(_record(found))
        elif line.startswith(("offset: ", "timestamp: ")):
            first, second = (int(value) for _, value in _FIELD.findall(line))
            current.entries.append((first, second))
    return files


def _record(found: re.Match[str]) -> DumpedRecord:
    return DumpedRecord(
        offset=int(found["offset"]),
        timestamp=int(found["timestamp"]),
        key_size=int(found["key_size"]),
        value_size=int(found["value_size"]),
        sequence=int(found["sequence"]),
        header_keys=[key for key in found["headers"].split(",") if key],
        text=found["rest"],
    )
