"""Committed offsets of groups: fetch, commit, delete, plan a reset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ottla.base.ids import NO_OFFSET, TopicPartition
from ottla.client.admin.asking import Asking
from ottla.client.admin.by_topic import by_topic
from ottla.client.admin.offset_resets import (
    OffsetReset,
    PartitionOffsets,
    ResetTo,
    reset,
    time_of,
)
from ottla.client.admin.offsets import ListedOffset, Offsets, OffsetSpec
from ottla.client.admin.outcomes import Answers, Outcomes, check, refusal, verdict
from ottla.client.admin.routes import ToCoordinators
from ottla.client.connection import Connection
from ottla.client.coordinators import CoordinatorKind
from ottla.client.errors import RefusedError
from ottla.client.offset_and_metadata import OffsetAndMetadata
from ottla.transport.clock import SystemClock
from ottla.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from ottla.wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
)
from ottla.wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)

_BY_NAME_MAX: Final = 9
"""The last version of OffsetFetch and OffsetCommit that goes by names."""
_MANY_GROUPS_SINCE: Final = 8
"""The first version of OffsetFetch that takes several groups (KIP-709)."""


Committed = dict[TopicPartition, OffsetAndMetadata | None]


class GroupOffsets:
    """What `admin.groups` does with offsets."""

    def __init__(self, asking: Asking, offsets: Offsets) -> None:
        self._asking = asking
        self._offsets = offsets

    async def fetch(
        self,
        groups: Mapping[str, Iterable[TopicPartition] | None],
        *,
        require_stable: bool,
        timeout_s: float | None,
    ) -> Outcomes[str, Committed]:
        """By group; all partitions of a group where None."""
        wanted = {
            group_id: None if partitions is None else list(partitions)
            for group_id, partitions in groups.items()
        }

        async def ask(node: Connection, items: Sequence[str]) -> Answers[str, Committed]:
            version = node.version_of(OffsetFetchRequest, at_most=_BY_NAME_MAX)
            asked = {item: wanted[item] for item in items}
            if version >= _MANY_GROUPS_SINCE:
                return await _fetch(node, asked, require_stable=require_stable)
            return {
                group_id: await _fetch_one(
                    node, group_id, partitions, require_stable=require_stable
                )
                for group_id, partitions in asked.items()
            }

        route = ToCoordinators[str](self._asking.cluster, CoordinatorKind.GROUP)
        return await self._asking.each(groups, route, ask, timeout_s=timeout_s)

    def _route(self, group_id: str) -> ToCoordinators[TopicPartition]:
        return ToCoordinators(self._asking.cluster, CoordinatorKind.GROUP, lambda _: group_id)

    async def commit(
        self,
        group_id: str,
        offsets: Mapping[TopicPartition, int | OffsetAndMetadata],
        *,
        timeout_s: float | None,
    ) -> Outcomes[TopicPartition, None]:
        """From outside, for a group without members."""
        wanted = {
            partition: OffsetAndMetadata(offset) if isinstance(offset, int) else offset
            for partition, offset in offsets.items()
        }

        async def ask(
            node: Connection, items: Sequence[TopicPartition]
        ) -> Answers[TopicPartition, None]:
            request = OffsetCommitRequest(
                group_id=group_id,
                topics=[
                    OffsetCommitRequestTopic(
                        name=topic,
                        partitions=[
                            _committing(index, wanted[TopicPartition(topic, index)])
                            for index in indexes
                        ],
                    )
                    for topic, indexes in by_topic(items).items()
                ],
            )
            response = await node.call(request, OffsetCommitResponse, at_most=_BY_NAME_MAX)
            return {
                (item := TopicPartition(topic.name, told.partition_index)): verdict(
                    told.error_code, None, f"{item} of group {group_id!r}", None
                )
                for topic in response.topics
                for told in topic.partitions
            }

        return await self._asking.each(wanted, self._route(group_id), ask, timeout_s=timeout_s)

    async def delete(
        self, group_id: str, partitions: Iterable[TopicPartition], *, timeout_s: float | None
    ) -> Outcomes[TopicPartition, None]:
        """Forget them."""

        async def ask(
            node: Connection, items: Sequence[TopicPartition]
        ) -> Answers[TopicPartition, None]:
            request = OffsetDeleteRequest(
                group_id=group_id,
                topics=[
                    OffsetDeleteRequestTopic(
                        name=topic,
                        partitions=[
                            OffsetDeleteRequestPartition(partition_index=index) for index in indexes
                        ],
                    )
                    for topic, indexes in by_topic(items).items()
                ],
            )
            response = await node.call(request, OffsetDeleteResponse)
            check(response.error_code, None, f"group {group_id!r}")
            return {
                (item := TopicPartition(topic.name, told.partition_index)): verdict(
                    told.error_code, None, f"{item} of group {group_id!r}", None
                )
                for topic in response.topics
                for told in topic.partitions
            }

        return await self._asking.each(
            list(partitions), self._route(group_id), ask, timeout_s=timeout_s
        )

    # -- resets ----------------------------------------------------------------------------------

    async def plan_reset(
        self,
        group_id: str,
        to: ResetTo,
        partitions: Iterable[TopicPartition] | None,
        *,
        timeout_s: float | None,
    ) -> Outcomes[TopicPartition, OffsetReset]:
        """Look up what the reset needs, and compute where it leads."""
        fetched = await self.fetch(
            {group_id: partitions}, require_stable=False, timeout_s=timeout_s
        )
        committed = fetched[group_id]
        time_ms = time_of(to, now_ms=SystemClock().now_ms())
        earliest = await self._look_up(committed, OffsetSpec.EARLIEST, timeout_s)
        latest = await self._look_up(committed, OffsetSpec.LATEST, timeout_s)
        at_time = None
        if time_ms is not None:
            at_time = await self._look_up(committed, time_ms, timeout_s)
        looked_up = [each for each in (earliest, latest, at_time) if each is not None]
        errors = {
            partition: error for each in looked_up for partition, error in each.errors.items()
        }
        return Outcomes(
            {
                partition: reset(
                    to,
                    PartitionOffsets(
                        earliest=_offset(earliest[partition]) or 0,
                        latest=_offset(latest[partition]) or 0,
                        committed=None if offset is None else offset.offset,
                        at_time=None if at_time is None else _offset(at_time[partition]),
                    ),
                )
                for partition, offset in committed.items()
                if partition not in errors
            },
            errors,
        )

    async def _look_up(
        self, partitions: Iterable[TopicPartition], spec: int, timeout_s: float | None
    ) -> Outcomes[TopicPartition, ListedOffset | None]:
        return await self._offsets.list(dict.fromkeys(partitions, spec), timeout_s=timeout_s)


def _offset(listed: ListedOffset | None) -> int | None:
    return None if listed is None else listed.offset


def _committing(index: int, offset: OffsetAndMetadata) -> OffsetCommitRequestPartition:
    return OffsetCommitRequestPartition(
        partition_index=index,
        committed_offset=offset.offset,
        committed_leader_epoch=offset.leader_epoch,
        committed_metadata=offset.metadata,
    )


async def _fetch(
    node: Connection,
    wanted: Mapping[str, Sequence[TopicPartition] | None],
    *,
    require_stable: bool,
) -> Answers[str, Committed]:
    request = OffsetFetchRequest(
        groups=[
            OffsetFetchRequestGroup(
                group_id=group_id,
                topics=None
                if partitions is None
                else [
                    OffsetFetchRequestTopics(name=topic, partition_indexes=indexes)
                    for topic, indexes in by_topic(partitions).items()
                ],
            )
            for group_id, partitions in wanted.items()
        ],
        require_stable=require_stable,
    )
    response = await node.call(request, OffsetFetchResponse, at_most=_BY_NAME_MAX)
    return {group.group_id: _answer(group, wanted.get(group.group_id)) for group in response.groups}


def _answer(
    group: OffsetFetchResponseGroup, wanted: Sequence[TopicPartition] | None
) -> Committed | RefusedError:
    if group.error_code:
        return refusal(group.error_code, None, f"group {group.group_id!r}")
    return _committed(group.topics, wanted)


async def _fetch_one(
    node: Connection,
    group_id: str,
    partitions: Sequence[TopicPartition] | None,
    *,
    require_stable: bool,
) -> Committed | RefusedError:
    request = OffsetFetchRequest(
        group_id=group_id,
        topics=None
        if partitions is None
        else [
            OffsetFetchRequestTopic(name=topic, partition_indexes=indexes)
            for topic, indexes in by_topic(partitions).items()
        ],
        require_stable=require_stable,
    )
    response = await node.call(request, OffsetFetchResponse, at_most=_BY_NAME_MAX)
    if response.error_code:
        return refusal(response.error_code, None, f"group {group_id!r}")
    return _committed(response.topics, partitions)


def _committed(
    topics: Sequence[OffsetFetchResponseTopics] | Sequence[OffsetFetchResponseTopic],
    wanted: Sequence[TopicPartition] | None,
) -> Committed | RefusedError:
    """By partition, those that were asked for also without an offset."""
    found: Committed = dict.fromkeys(wanted or ())
    for topic in topics:
        for told in topic.partitions:
            partition = TopicPartition(topic.name, told.partition_index)
            if told.error_code:
                return refusal(told.error_code, None, partition)
            if told.committed_offset != NO_OFFSET:
                found[partition] = OffsetAndMetadata(
                    told.committed_offset, told.committed_leader_epoch, told.metadata or ""
                )
    return found
