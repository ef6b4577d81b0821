"""Groups and their offsets as the handlers see them: each group's shard is found and asked.

Every method raises ProtocolError where this broker cannot answer for the group now:
NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final, TypeVar, cast

from ottla.base.effects import ProducerIdentity, Ticket
from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.world import Clock
from ottla.broker.coordination.internal_topics import InternalTopics
from ottla.broker.coordination.runtime import Command, CoordinatorRuntime
from ottla.broker.coordination.shard import Moment
from ottla.broker.metadata_service import MetadataService
from ottla.broker.replicas import LocalReplicas
from ottla.broker.topics_watch import TopicsWatch
from ottla.groups.classic_join import Joining
from ottla.groups.config import GroupConfig
from ottla.groups.consumer_config import ConsumerConfig, ConsumerConfigs
from ottla.groups.consumer_heartbeat import Caller
from ottla.groups.group import Committer, Group
from ottla.groups.offset_commits import RETENTION_OF_BROKER, OffsetToCommit, OffsetToDelete
from ottla.groups.shard import GroupShard
from ottla.groups.topics_view import MaySee
from ottla.groups.turn import Decided
from ottla.metadata.image import ConfigResource, MetadataDelta, MetadataImage, ResourceType
from ottla.settings.broker import BrokerSettings
from ottla.wire.messages.consumer_group_describe import (
    DescribedGroup as DescribedConsumerGroup,
)
from ottla.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)
from ottla.wire.messages.describe_groups import DescribedGroup
from ottla.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.messages.join_group import JoinGroupResponse
from ottla.wire.messages.leave_group import LeaveGroupResponse, MemberIdentity
from ottla.wire.messages.list_groups import ListedGroup
from ottla.wire.messages.offset_fetch import OffsetFetchRequestGroup, OffsetFetchResponseGroup
from ottla.wire.messages.sync_group import SyncGroupRequest, SyncGroupResponse
from ottla.wire.payloads.coordinator import GROUP_RECORDS
from ottla.wire.payloads.internal_topics import CONSUMER_OFFSETS

log = logging.getLogger(__name__)

T = TypeVar("T")

LOAD_RETRY_SECONDS: Final = 0.1
"""Between two tries to reach a shard that is being read."""


class GroupCoordinator:
    """The groups that this broker coordinates."""

    def __init__(
        self,
        replicas: LocalReplicas,
        metadata: MetadataService,
        settings: BrokerSettings,
        clock: Clock,
        *,
        may_see: MaySee | None = None,
    ) -> None:
        """`may_see` narrows what members' expressions stand for."""
        self._metadata = metadata
        self._topics = InternalTopics(metadata, replicas.directories, settings)
        self._watch = TopicsWatch(metadata.image, may_see)
        self._settings = settings
        self._consumer = consumer = ConsumerConfigs(ConsumerConfig.of(settings))
        config = GroupConfig.of(settings)
        self.runtime = CoordinatorRuntime(
            CONSUMER_OFFSETS,
            GROUP_RECORDS,
            lambda _: GroupShard(config, consumer, self._watch.known),
            replicas,
            clock,
        )
        self._forgetting: set[asyncio.Task[None]] = set()
        self._is_stopped = False

    # -- life --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Read the shards that are led here, and follow what the metadata says from now on."""
        self._watch.look(self._metadata.image)
        self._configure(self._metadata.image, self._metadata.image.configs)
        self._metadata.follow(self._follow)
        self.runtime.follow()

    async def stop(self) -> None:
        """Let go of everybody who waits; nobody is served any more."""
        self._is_stopped = True
        for task in self._forgetting:
            task.cancel()
        await asyncio.gather(*self._forgetting, return_exceptions=True)
        await self.runtime.stop()

    def _configure(self, image: MetadataImage, changed: Iterable[ConfigResource]) -> None:
        """Let groups have the settings of their own."""
        for resource in changed:
            if resource.type == ResourceType.GROUP:
                texts = image.configs.get(resource, {})
                self._consumer.set(resource.name, texts, self._settings)

    def _follow(self, image: MetadataImage, delta: MetadataDelta) -> None:
        self._watch.follow(image, delta)
        self._configure(image, delta.configs_changed)
        topic = image.topics_by_name.get(CONSUMER_OFFSETS)
        if self._is_stopped or topic is None:
            return
        if topic.topic_id in delta.partitions_changed:
            self.runtime.follow()
        gone = frozenset(
            deleted.name for deleted in delta.topics_deleted if deleted.name != CONSUMER_OFFSETS
        )
        if gone:
            task = asyncio.ensure_future(self._forget_topics(gone, len(topic.partitions)))
            self._forgetting.add(task)
            task.add_done_callback(self._forgetting.discard)

    async def _forget_topics(self, topics: frozenset[str], partitions: int) -> None:
        """Take back the offsets of deleted topics, in every shard that is served here."""
        for index in range(partitions):
            await self._forget_topics_in(index, topics)

    async def _forget_topics_in(self, index: int, topics: frozenset[str]) -> None:
        while True:
            try:
                await self.runtime.run(
                    index, lambda shard, ticket, now: shard.topics_deleted(topics, ticket, now)
                )
            except ProtocolError as error:
                if error.code is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
                    await asyncio.sleep(LOAD_RETRY_SECONDS)
                    continue
                if error.code is not ErrorCode.NOT_COORDINATOR:
                    log.warning(
                        "offsets of deleted topics stay until they expire: %s",
                        error.message,
                        extra={"topics": sorted(topics)},
                    )
            return

    # -- where groups are --------------------------------------------------------------------------

    async def coordinator_of(self, group_id: str) -> int:
        """The node that coordinates a group; makes the topic of all groups where it is missing."""
        return await self._topics.coordinator_of(CONSUMER_OFFSETS, group_id)

    def partition_of(self, group_id: str) -> int:
        """Which partition of `__consumer_offsets` keeps a group."""
        return self._topics.partition_of(CONSUMER_OFFSETS, group_id)

    def shard_of(self, group_id: str) -> GroupShard:
        """The shard itself, for a look at it: an admin reads journals of groups there."""
        return self.runtime.peek(self.partition_of(group_id))

    async def _ask(self, answer_type: type[T], group_id: str, command: Command[GroupShard]) -> T:
        """What a group's shard answers."""
        answer = await self.runtime.run(self._serving(group_id), command)
        assert isinstance(answer, answer_type)
        return answer

    def _serving(self, group_id: str) -> int:
        if self._is_stopped:
            raise ProtocolError(ErrorCode.COORDINATOR_NOT_AVAILABLE, "the broker stops")
        return self._topics.partition_of(CONSUMER_OFFSETS, group_id)

    # -- members -----------------------------------------------------------------------------------

    async def join(self, group_id: str, joining: Joining) -> JoinGroupResponse:
        return await self._ask(
            JoinGroupResponse,
            group_id,
            lambda shard, ticket, now: shard.join(group_id, joining, ticket, now),
        )

    async def sync(self, request: SyncGroupRequest) -> SyncGroupResponse:
        return await self._ask(
            SyncGroupResponse,
            request.group_id,
            lambda shard, ticket, now: shard.sync(request, ticket, now),
        )

    async def heartbeat(self, request: HeartbeatRequest) -> HeartbeatResponse:
        return await self._ask(
            HeartbeatResponse,
            request.group_id,
            lambda shard, ticket, now: shard.heartbeat(request, ticket, now),
        )

    async def leave(self, group_id: str, members: list[MemberIdentity]) -> LeaveGroupResponse:
        return await self._ask(
            LeaveGroupResponse,
            group_id,
            lambda shard, ticket, now: shard.leave(group_id, members, ticket, now),
        )

    async def consumer_heartbeat(
        self, request: ConsumerGroupHeartbeatRequest, caller: Caller
    ) -> ConsumerGroupHeartbeatResponse:
        return await self._ask(
            ConsumerGroupHeartbeatResponse,
            request.group_id,
            lambda shard, ticket, now: shard.consumer_heartbeat(request, caller, ticket, now),
        )

    # -- offsets -----------------------------------------------------------------------------------

    async def commit(
        self,
        group_id: str,
        committer: Committer,
        offsets: list[OffsetToCommit],
        *,
        version: int,
        retention_ms: int = RETENTION_OF_BROKER,
        producer: ProducerIdentity | None = None,
    ) -> None:
        """Keep offsets; each one's `error_code` tells how it went. See `GroupShard.commit`."""

        def command(shard: GroupShard, ticket: Ticket, now: Moment) -> Decided:
            return shard.commit(
                group_id,
                committer,
                offsets,
                ticket,
                now,
                version=version,
                retention_ms=retention_ms,
                producer=producer,
            )

        await self.runtime.run(self._serving(group_id), command)

    async def fetch(
        self, asked: OffsetFetchRequestGroup, *, require_stable: bool
    ) -> OffsetFetchResponseGroup:
        return await self._ask(
            OffsetFetchResponseGroup,
            asked.group_id,
            lambda shard, ticket, now: shard.fetch(
                asked, ticket, now, require_stable=require_stable
            ),
        )

    async def delete_offsets(self, group_id: str, wanted: list[OffsetToDelete]) -> ErrorCode:
        """Forget offsets: the error of the whole; each one's stands in `wanted`."""
        return await self._ask(
            ErrorCode,
            group_id,
            lambda shard, ticket, now: shard.delete_offsets(group_id, wanted, ticket, now),
        )

    # -- admin -------------------------------------------------------------------------------------

    async def describe(self, group_id: str) -> DescribedGroup:
        return await self._ask(
            DescribedGroup,
            group_id,
            lambda shard, ticket, now: shard.describe(group_id, ticket, now),
        )

    async def consumer_describe(self, group_id: str) -> DescribedConsumerGroup:
        return await self._ask(
            DescribedConsumerGroup,
            group_id,
            lambda shard, ticket, now: shard.consumer_describe(group_id, ticket, now),
        )

    async def delete(self, group_id: str) -> ErrorCode:
        return await self._ask(
            ErrorCode, group_id, lambda shard, ticket, now: shard.delete(group_id, ticket, now)
        )

    async def listed(self, wanted: Callable[[Group], bool]) -> list[ListedGroup]:
        """The groups of every shard that is served here."""
        if self._is_stopped:
            raise ProtocolError(ErrorCode.COORDINATOR_NOT_AVAILABLE, "the broker stops")
        if self.runtime.is_loading:
            raise ProtocolError(
                ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, "some groups are being read"
            )
        found: list[ListedGroup] = []
        for index in self.runtime.led:
            answer = await self.runtime.run(
                index, lambda shard, ticket, now: shard.listed(wanted, ticket, now)
            )
            found += cast(list[ListedGroup], answer)
        return found
