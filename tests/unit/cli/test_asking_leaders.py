"""What is asked of partitions that nobody leads: nothing, for it would be waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from ottla.base.ids import TopicPartition
from ottla.cli.doctor.clocks import look_at_clocks
from ottla.cli.groups.lag import lag_of, present
from ottla.client.admin.offsets import ListedOffset
from ottla.client.admin.outcomes import Outcomes
from ottla.client.admin.topic_descriptions import PartitionDescription, TopicDescription

if TYPE_CHECKING:
    from ottla.client.admin import Admin

LED, ALONE, GONE = (TopicPartition("t", index) for index in range(3))


def admin() -> tuple[Admin, set[TopicPartition]]:
    """Of a cluster with two partitions of which one has a leader; and what offsets are asked of."""
    asked: set[TopicPartition] = set()
    partitions = (PartitionDescription(index=0, leader=1), PartitionDescription(index=1))
    topic = TopicDescription(name="t", partitions=partitions)

    async def topics(*, internal: bool) -> list[TopicDescription]:
        return [topic]

    async def describe(*names: str) -> Outcomes[str, TopicDescription]:
        return Outcomes(dict.fromkeys(names, topic), {})

    async def offsets(
        specs: Mapping[TopicPartition, int], **_: object
    ) -> Outcomes[TopicPartition, ListedOffset]:
        asked.update(specs)
        return Outcomes(dict.fromkeys(specs, ListedOffset(offset=9)), {})

    async def committed(group_id: str) -> dict[TopicPartition, SimpleNamespace]:
        return {each: SimpleNamespace(offset=4) for each in (LED, ALONE, GONE)}

    return cast(
        "Admin",
        SimpleNamespace(
            topics=SimpleNamespace(list=topics, describe=describe),
            offsets=SimpleNamespace(list=offsets),
            groups=SimpleNamespace(offsets=committed),
        ),
    ), asked


def test_a_lag_is_not_known_where_nobody_leads() -> None:
    there, asked = admin()
    lags = {each.partition: each.lag for each in asyncio.run(lag_of(there, None, "g"))}
    assert lags == {LED: 5, ALONE: None, GONE: None}
    assert asked == {LED}
    assert asyncio.run(present(there, [LED, ALONE, GONE])) == [LED, ALONE]


def test_records_of_the_future_are_looked_for_where_somebody_leads() -> None:
    there, asked = admin()
    asyncio.run(look_at_clocks(there, [], now_ms=lambda: 0))
    assert asked == {LED}
