"""Offsets of groups as lines `topic,partition,offset`: what Kafka's own tool exports and reads.

Its form for several groups, with the group in front, is read as well.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition

_OF_ONE_GROUP: Final = 3
_OF_SEVERAL: Final = 4


def read_offsets(lines: Iterable[str], group_id: str) -> dict[TopicPartition, int]:
    """Offsets of this group. Raises UserError, naming the line, for what cannot be read."""
    found: dict[TopicPartition, int] = {}
    for number, row in enumerate(csv.reader(lines), 1):
        if not row:
            continue
        if len(row) == _OF_SEVERAL:
            if row[0] != group_id:
                continue
            row = row[1:]
        if len(row) != _OF_ONE_GROUP or not (row[1].isdecimal() and row[2].isdecimal()):
            raise UserError(f"line {number} is not topic,partition,offset: {','.join(row)!r}")
        found[TopicPartition(row[0], int(row[1]))] = int(row[2])
    return found


def written_offsets(offsets: Mapping[TopicPartition, int]) -> Iterator[str]:
    """A line for each."""
    for partition, offset in sorted(offsets.items()):
        topic = partition.topic
        yield f"{topic},{partition.partition},{offset}"
