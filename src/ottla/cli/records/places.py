"""Where reading begins and where it ends, as people say it, and what that means for partitions."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition
from ottla.cli.moments import TIME_FORMS, parse_time_ms

if TYPE_CHECKING:
    from ottla.client.admin import Admin
    from ottla.client.admin.offsets import IsolationLevel

PLACE_FORMS: Final = "beginning, end, an offset, +N, -N, or a time: " + TIME_FORMS
_BEGINNING: Final = -2
_END: Final = -1
"""As `OffsetSpec`, which costs its import only where a cluster is asked."""


class Place(NamedTuple):
    """Either an `offset`, or so many behind (`shift`) what `spec` finds: a time or one of both
    ends."""

    spec: int = _BEGINNING
    shift: int = 0
    offset: int | None = None


class Span(NamedTuple):
    """What is read of a partition; `end` is exclusive, None for all that is still to come."""

    begin: int
    end: int | None


def parse_place(text: str, *, now_ms: int) -> Place | None:
    """None for what is no place."""
    text = text.strip()
    if text in ("beginning", "start", "earliest"):
        return Place(_BEGINNING)
    if text in ("end", "latest"):
        return Place(_END)
    if re.fullmatch(r"\d+", text):
        return Place(offset=int(text))
    if re.fullmatch(r"[+-]\d+", text):
        return Place(_BEGINNING if text[0] == "+" else _END, shift=int(text))
    time_ms = parse_time_ms(text, now_ms=now_ms)
    return None if time_ms is None else Place(time_ms)


def place(text: str) -> Place:
    """As an option's type. Raises BadParameter with the forms that are understood."""
    from ottla.transport.clock import SystemClock

    parsed = parse_place(text, now_ms=SystemClock().now_ms())
    if parsed is None:
        raise click.BadParameter(f"{text!r} is none of {PLACE_FORMS}")
    return parsed


# -- asking ----------------------------------------------------------------------------------------


async def partitions_of(
    admin: Admin, topics: Sequence[str], *, pattern: str | None, only: Collection[int] | None
) -> list[TopicPartition]:
    """Those of `TOPIC` or `TOPIC:0,2-4`, and of topics whose whole name matches.

    Raises UserError for topics and partitions that there are not.
    """
    from ottla.cli import asked_partitions

    names = list(topics)
    if pattern is not None:
        names += await matching_topics(admin, pattern)
    found = await asked_partitions.partitions_of(admin, dict.fromkeys(names), "TOPIC")
    if only is None:
        return found
    for topic in dict.fromkeys(partition.topic for partition in found):
        there = [each.partition for each in found if each.topic == topic]
        asked_partitions.check_there(topic, only, there)
    return [partition for partition in found if partition.partition in only]


async def matching_topics(admin: Admin, pattern: str) -> list[str]:
    """Raises UserError for no expression, and where nothing matches."""
    try:
        matches = re.compile(pattern).fullmatch
    except re.error as error:
        raise UserError(f"{pattern!r} is no regular expression: {error}") from error
    names = [topic.name for topic in await admin.topics.list() if matches(topic.name)]
    if not names:
        raise UserError(f"no topic matches {pattern!r}")
    return names


async def spans(
    admin: Admin,
    partitions: Sequence[TopicPartition],
    begin: Place,
    until: Place | None,
    isolation_level: IsolationLevel = "read_uncommitted",
) -> dict[TopicPartition, Span]:
    """What to read of each: never before its first record, nor from behind its end."""
    specs = {_BEGINNING, _END, begin.spec} | ({until.spec} if until else set())
    found: dict[int, Mapping[TopicPartition, int | None]] = {}
    for spec in specs:
        listed = await admin.offsets.list(
            dict.fromkeys(partitions, spec), isolation_level=isolation_level
        )
        found[spec] = {
            partition: None if told is None else told.offset
            for partition, told in listed.all().items()
        }
    return {
        partition: _span(
            {spec: offsets[partition] for spec, offsets in found.items()}, begin, until
        )
        for partition in partitions
    }


def _span(found: Mapping[int, int | None], begin: Place, until: Place | None) -> Span:
    first, end = found[_BEGINNING] or 0, found[_END] or 0
    last = None if until is None else _offset(until, found, first, end)
    return Span(_offset(begin, found, first, end), last)


def _offset(at: Place, found: Mapping[int, int | None], first: int, end: int) -> int:
    """Where nothing was written since a time, its place is the end."""
    if at.offset is not None:
        target = at.offset
    else:
        looked_up = found[at.spec]
        target = (end if looked_up is None else looked_up) + at.shift
    return min(max(target, first), end)
