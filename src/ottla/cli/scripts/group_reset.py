"""Resets of groups by kafka-consumer-groups: the plan is printed, and carried out if wished."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ottla.base.errors import UserError
from ottla.cli.scripts.padded import Column, padded

if TYPE_CHECKING:
    from ottla.base.ids import TopicPartition
    from ottla.cli.scripts.command_line import Options
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.offset_resets import OffsetReset, ResetTo

_COLUMNS = (
    Column("GROUP", 15, grows=True),
    Column("TOPIC", 15, grows=True),
    Column("PARTITION", 10),
    Column("NEW-OFFSET"),
)


async def reset(admin: Admin, options: Options, group_ids: Sequence[str]) -> None:
    """Raises UserError for what cannot be; groups with members are told, and left."""
    planned: dict[str, Mapping[TopicPartition, OffsetReset]] = {}
    for group_id in group_ids:
        if await _is_idle(admin, group_id):
            planned[group_id] = await _plan(admin, options, group_id)
    if options.has("export"):
        _export(planned)
    else:
        rows = (
            (group_id, partition.topic, partition.partition, found.offset)
            for group_id, plan in planned.items()
            for partition, found in sorted(plan.items())
        )
        print("", *padded(_COLUMNS, rows), sep="\n")
    if options.has("execute"):
        from ottla.cli.groups.resets import carry_out

        for group_id, plan in planned.items():
            (await carry_out(admin, group_id, plan)).all()


async def _is_idle(admin: Admin, group_id: str) -> bool:
    """A group that is not there is idle: its first offset makes it."""
    from ottla.client.admin.group_descriptions import GroupState

    described = await admin.groups.describe(group_id)
    group = described.done.get(group_id)
    if group is None or group.state in (GroupState.EMPTY, GroupState.DEAD):
        return True
    print(
        f"\nError: Assignments can only be reset if the group '{group_id}' is inactive, "
        f"but the current state is {group.state.value}."
    )
    return False


async def _plan(
    admin: Admin, options: Options, group_id: str
) -> Mapping[TopicPartition, OffsetReset]:
    from ottla.cli.groups.resets import NothingCommittedError, ResetWish, plan

    offsets = None
    if options.has("from-file"):
        offsets = _offsets_of_file(options.needed_text("from-file"), group_id)
    topics = [_checked(text) for text in options.texts("topic")]
    wish = ResetWish(
        group=group_id,
        to=None if offsets is not None else _to(options),
        offsets=offsets,
        topics=topics,
    )
    await _check_partitions(admin, options)
    try:
        planned = (await plan(admin, wish)).all()
    except NothingCommittedError:
        return {}  # Kafka's tool prints no line under its columns, and is done
    for partition, found in planned.items():
        wanted = options.integer("to-offset")
        if wanted is not None and wanted != found.offset:
            print(f"{partition}: {wanted} is out of range, {found.offset} it is", file=sys.stderr)
    return planned


async def _check_partitions(admin: Admin, options: Options) -> None:
    """Raises UserError for partitions that topics do not have: nobody would ever read them."""
    typed = [typed_topic(text) for text in options.texts("topic")]
    described = (await admin.topics.describe(*(name for name, _ in typed))).all() if typed else {}
    missing = [
        f"{name}-{number}"
        for name, numbers in typed
        for number in numbers or ()
        if number >= len(described[name].partitions)
    ]
    if missing:
        raise UserError(f'The partitions "{",".join(missing)}" do not exist')


def _to(options: Options) -> ResetTo:
    """Raises UserError for a time or a duration that is none."""
    from ottla.client.admin import offset_resets as to

    if options.has("to-earliest"):
        return to.ToEarliest()
    if options.has("to-latest"):
        return to.ToLatest()
    if options.has("to-current"):
        return to.ToCurrent()
    if options.has("to-offset"):
        return to.ToOffset(options.needed_integer("to-offset"))
    if options.has("shift-by"):
        return to.ShiftBy(options.needed_integer("shift-by"))
    if options.has("to-datetime"):
        return to.ToTime(_time_ms(options.needed_text("to-datetime")))
    return to.ByDuration(_duration_ms(options.needed_text("by-duration")))


def _time_ms(text: str) -> int:
    """Without a zone it is UTC, as for Kafka's tool."""
    from datetime import UTC, datetime

    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"{text!r} is no time as YYYY-MM-DDThh:mm:ss.sss") from error
    return round((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp() * 1000)


def _duration_ms(text: str) -> int:
    from ottla.cli.moments import parse_duration_ms

    found = parse_duration_ms(text) if text.startswith("P") else None
    if found is None:
        raise UserError(f"{text!r} is no duration as PnDTnHnMnS")
    return found


def _offsets_of_file(path: str, group_id: str) -> dict[TopicPartition, int]:
    from ottla.cli.groups.offset_lists import read_offsets

    try:
        return read_offsets(Path(path).read_text(encoding="utf-8").splitlines(), group_id)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {error}") from error


def _export(planned: Mapping[str, Mapping[TopicPartition, OffsetReset]]) -> None:
    """The group in front, where there are several."""
    from ottla.cli.groups.offset_lists import written_offsets

    for group_id, plan in planned.items():
        front = f"{group_id}," if len(planned) > 1 else ""
        for line in written_offsets({each: found.offset for each, found in plan.items()}):
            print(f"{front}{line}")


def typed_topic(text: str) -> tuple[str, list[int] | None]:
    """`topic` or `topic:0,1`. Raises UserError."""
    name, colon, numbers = text.partition(":")
    if not colon:
        return name, None
    try:
        return name, [int(number) for number in numbers.split(",")]
    except ValueError as error:
        raise UserError(f"{text!r} is no topic, nor partitions of one as topic:0,1") from error


def _checked(text: str) -> str:
    """As it was typed. Raises UserError for what names nothing."""
    typed_topic(text)
    return text
