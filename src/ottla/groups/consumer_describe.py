"""ConsumerGroupDescribe: what members asked for, have, and shall have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ottla.base.errors import ErrorCode
from ottla.base.limits import GROUP_ID_LENGTH_SHOWN
from ottla.groups.consumer_group import ConsumerGroup
from ottla.groups.consumer_member import ConsumerMember
from ottla.groups.consumer_records import by_topic
from ottla.groups.topics_view import TopicPartition, TopicsView
from ottla.wire.messages.consumer_group_describe import (
    Assignment,
    DescribedGroup,
    Member,
    TopicPartitions,
)

SPEAKS_CLASSIC: Final = 0
SPEAKS_CONSUMER: Final = 1


def described(group: ConsumerGroup) -> DescribedGroup:
    """One group with all its members."""
    view = group.topics.view
    return DescribedGroup(
        group_id=group.group_id,
        group_state=group.state_name,
        group_epoch=group.epoch,
        assignment_epoch=group.target_epoch,
        assignor_name=group.preferred_assignor(group.config.assignors[0]),
        members=[_member(group, member, view) for member in group.members.values()],
    )


def no_consumer_group(group_id: str, *, is_other_type: bool) -> DescribedGroup:
    """There is none, or the group of that name is of another type."""
    what = "is not a consumer group" if is_other_type else "is not found"
    return DescribedGroup(
        group_id=group_id,
        error_code=ErrorCode.GROUP_ID_NOT_FOUND,
        error_message=f"Group {group_id[:GROUP_ID_LENGTH_SHOWN]} {what}.",
    )


def _member(group: ConsumerGroup, member: ConsumerMember, view: TopicsView) -> Member:
    return Member(
        member_id=member.member_id,
        instance_id=member.instance_id,
        rack_id=member.rack_id,
        member_epoch=member.epoch,
        client_id=member.client_id,
        client_host=member.client_host,
        subscribed_topic_names=sorted(member.topic_names),
        subscribed_topic_regex=member.topic_regex,
        assignment=_assignment(member.assigned, view),
        target_assignment=_assignment(group.share_of(member.member_id), view),
        member_type=SPEAKS_CLASSIC if member.uses_classic_protocol else SPEAKS_CONSUMER,
    )


def _assignment(partitions: Iterable[TopicPartition], view: TopicsView) -> Assignment:
    """Topics that are no more have no name to be told by."""
    return Assignment(
        topic_partitions=[
            TopicPartitions(topic_id=topic_id, topic_name=topic.name, partitions=numbers)
            for topic_id, numbers in by_topic(partitions)
            if (topic := view.identified(topic_id)) is not None
        ]
    )
