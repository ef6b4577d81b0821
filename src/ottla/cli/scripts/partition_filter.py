"""Which partitions `kafka-get-offsets` is asked about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from ottla.base.errors import UserError
from ottla.cli.scripts.topic_filter import pattern_of

PartitionFilter = Callable[[str, int], bool]

_RULE: Final = re.compile(
    r"(?P<topic>[^:,]*)(?::(?P<partition>\d*)(?P<range>-)?(?P<end>\d*))?(?=,|$)"
)


def by_names(topic: str | None, partitions: str | None) -> PartitionFilter:
    """By an expression and numbers, either of which may be None for all. Raises UserError."""
    pattern = pattern_of(".*" if topic is None else topic)
    numbers = None if partitions is None else set(_numbers(partitions))
    return lambda name, index: (
        pattern.fullmatch(name) is not None and (numbers is None or index in numbers)
    )


def _numbers(text: str) -> Iterator[int]:
    for word in text.split(","):
        if not word.strip().isdecimal():
            raise UserError(
                "--partitions expects a comma separated list of numeric partition ids, "
                f"but received: {text}"
            )
        yield int(word)


class _Rule(NamedTuple):
    topic: re.Pattern[str]
    first: int
    end: int | None
    """Exclusive; None for no end."""

    def takes(self, name: str, index: int) -> bool:
        in_range = self.first <= index and (self.end is None or index < self.end)
        return in_range and self.topic.fullmatch(name) is not None


def by_rules(text: str) -> PartitionFilter:
    """By `topic:partition`, `topic:first-end`, with commas between. Raises UserError."""
    rules = [_rule(part) for part in text.split(",")]
    return lambda name, index: any(rule.takes(name, index) for rule in rules)


def _rule(text: str) -> _Rule:
    found = _RULE.fullmatch(text)
    if found is None or (not found["range"] and found["end"]):
        raise UserError(f"Invalid rule specification: {text}")
    topic = pattern_of(found["topic"] or ".*")
    first = int(found["partition"] or 0)
    if found["range"]:
        return _Rule(topic, first, int(found["end"]) if found["end"] else None)
    return _Rule(topic, first, first + 1 if found["partition"] else None)
