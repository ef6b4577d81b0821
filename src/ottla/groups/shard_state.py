"""What a shard keeps: its groups and their offsets, as the log tells them.

A group that only keeps offsets, a simple one, has no object of its own as long as nobody joins it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from ottla.base.effects import ProducerIdentity
from ottla.groups.all_offsets import AllOffsets
from ottla.groups.classic_group import ClassicGroup
from ottla.groups.config import GroupConfig
from ottla.groups.consumer_config import ConsumerConfigs
from ottla.groups.consumer_group import ConsumerGroup
from ottla.groups.consumer_requests import ConsumerRequests, group_of_record
from ottla.groups.deadlines import Deadlines
from ottla.groups.group import Group
from ottla.groups.offsets import Place
from ottla.groups.topics_view import KnownTopics
from ottla.wire.payloads.group_metadata import GroupMetadataKey, GroupMetadataValue
from ottla.wire.payloads.offset_commits import LegacyOffsetCommitKey, OffsetCommitKey
from ottla.wire.schema import Payload


class ShardState:
    """Groups by their ids; `deadlines` say when to look at which of them."""

    def __init__(self, config: GroupConfig, consumer: ConsumerConfigs, topics: KnownTopics) -> None:
        self.config = config
        self.consumer = ConsumerRequests(consumer, topics)
        self.groups: dict[str, ClassicGroup | ConsumerGroup] = {}
        self.offsets = AllOffsets()
        self.deadlines = Deadlines()

    # -- reading -----------------------------------------------------------------------------------

    def find(self, group_id: str) -> Group | None:
        """A group; a simple one is made up of its offsets."""
        group = self.groups.get(group_id)
        if group is None and group_id in self.offsets:
            return ClassicGroup(group_id)
        return group

    def group_ids(self) -> list[str]:
        """Of every group, simple ones too."""
        return [*self.groups, *(each for each in self.offsets if each not in self.groups)]

    def __iter__(self) -> Iterator[Group]:
        """Every group, simple ones too."""
        yield from self.groups.values()
        yield from (ClassicGroup(each) for each in self.offsets if each not in self.groups)

    # -- what is not in records --------------------------------------------------------------------

    def settle(self, group: ClassicGroup | ConsumerGroup) -> None:
        """After a command: keep a group that somebody is in, and look when it is due."""
        if group.is_vacant:
            self._drop(group.group_id)
        else:
            self.hold(group)

    def hold(self, group: ClassicGroup | ConsumerGroup) -> None:
        """This is what stands under its name from now on."""
        self.groups[group.group_id] = group
        self.deadlines.at(group.group_id, group.soonest_ms)

    def _drop(self, group_id: str) -> None:
        self.groups.pop(group_id, None)
        self.deadlines.forget(group_id)

    # -- replay ------------------------------------------------------------------------------------

    def replay(
        self, key: Payload, value: Payload | None, *, offset: int, producer: ProducerIdentity | None
    ) -> None:
        match key:
            case OffsetCommitKey() | LegacyOffsetCommitKey():
                place = Place(key.topic, key.partition)
                self.offsets.replay(key.group, place, value, log_offset=offset, producer=producer)
            case GroupMetadataKey():
                self._replay_group(key.group, cast(GroupMetadataValue | None, value))
            case _:
                group_id = group_of_record(key)
                if group_id is not None:
                    self._replay_consumer_group(group_id, key, value)

    def replay_marker(self, producer: ProducerIdentity, *, is_committed: bool) -> None:
        self.offsets.end_transaction(producer.producer_id, is_committed=is_committed)

    def _replay_group(self, group_id: str, value: GroupMetadataValue | None) -> None:
        group = self.groups.get(group_id)
        if value is None:
            if isinstance(group, ClassicGroup):
                self._drop(group_id)
            return
        if not isinstance(group, ClassicGroup):
            group = self.groups[group_id] = ClassicGroup(group_id)
        group.restore(value)

    def _replay_consumer_group(self, group_id: str, key: Payload, value: Payload | None) -> None:
        group = self.groups.get(group_id)
        if not isinstance(group, ConsumerGroup):
            if value is None:
                return  # what is taken back here went with the group that stood there before
            group = self.groups[group_id] = self.consumer.new_group(group_id)
        group.replay(key, value)
        if group.is_gone:
            self._drop(group_id)
