"""What keeps a member in its group, beside the member's own decisions."""

from __future__ import annotations

import asyncio
from typing import Any

from ottla.client.consumer.group.consumer_member import ConsumerMember
from ottla.client.errors import DeadlineError
from tests.support.group_cluster import GroupCluster

DELETED, OTHER = b"d" * 16, b"o" * 16


def test_a_topic_that_nobody_knows_does_not_keep_others_from_their_names(
    cluster: GroupCluster,
) -> None:
    group = cluster.consumer(group_protocol="consumer")._group
    assert group is not None
    assert isinstance(group.member, ConsumerMember)
    asked: list[bytes] = []

    async def topic_by_id(topic_id: bytes, **_: Any) -> Any:
        asked.append(topic_id)
        raise DeadlineError("nobody knows it")

    group.line.cluster.topic_by_id = topic_by_id  # type: ignore[method-assign]  # to see who is asked for
    group.member.unnamed = {DELETED: [0], OTHER: [0]}
    group.membership._name(group.member)
    cluster.run(asyncio.sleep(1))
    assert asked == [DELETED, OTHER]
