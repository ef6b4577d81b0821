"""The cluster's metadata on this node: decide, append, replay, follow.

The active controller decides from the image, appends to the quorum's log, and then replays like
everybody else. One decision at a time: the next one sees what the last one did.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.world import Rng
from ottla.log.errors import StorageError
from ottla.metadata.brokers import (
    Registered,
    Registration,
    decide_controlled_shutdown,
    decide_fence_broker,
    decide_register_broker,
    decide_unfence_broker,
)
from ottla.metadata.client_quotas import (
    EntityChange,
    EntityResult,
    decide_alter_client_quotas,
)
from ottla.metadata.configs import ConfigResult, ResourceChange, decide_alter_configs
from ottla.metadata.decision import Decision, TakePermits, without_quota
from ottla.metadata.directories import ReplicaKey, decide_assign_directories
from ottla.metadata.feature_updates import decide_update_features
from ottla.metadata.features import decide_bootstrap
from ottla.metadata.image import MetadataDelta, MetadataImage
from ottla.metadata.partitions import decide_create_partitions
from ottla.metadata.producer_ids import (
    ProducerIdBlock,
    decide_allocate_producer_ids,
)
from ottla.metadata.replay import replayed
from ottla.metadata.snapshot import snapshot_records
from ottla.metadata.topics import decide_create_topics, decide_delete_topics
from ottla.quorum.contract import (
    Leadership,
    NotLeaderError,
    Quorum,
    QuorumError,
    QuorumState,
    Snapshot,
    VoterPlace,
)
from ottla.settings.broker import BrokerSettings
from ottla.wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsResponse
from ottla.wire.messages.create_topics import (
    CreatableTopic,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse
from ottla.wire.messages.update_features import UpdateFeaturesRequest, UpdateFeaturesResponse
from ottla.wire.schema import Payload

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
Follower = Callable[[MetadataImage, MetadataDelta], None]
Alarm = Callable[[Exception], None]
USE_DEFAULT = -1


class MetadataService:
    """The image, and the way to change it.

    `follow` is called after every step with the new image and what changed, in order.
    `kraft_version` is the level of the feature that the quorum keeps by itself.
    """

    def __init__(
        self,
        quorum: Quorum,
        leadership: Leadership,
        image: MetadataImage,
        *,
        settings: BrokerSettings,
        rng: Rng,
    ) -> None:
        self.image = image
        self.broker_epoch = -1
        self.kraft_version = quorum.describe().kraft_version
        self._quorum = quorum
        self._leadership = leadership
        self._settings = settings
        self._rng = rng
        self._deciding = asyncio.Lock()
        self._followers: list[Follower] = []
        self._alarms: list[Alarm] = []
        self._producer_ids = range(0)
        self._allocating = asyncio.Lock()

    @classmethod
    async def join(
        cls, quorum: Quorum, *, node_id: int, cluster_id: str, settings: BrokerSettings, rng: Rng
    ) -> MetadataService:
        """Take the election, and read everything that the quorum's log says.

        Raises UserError where another process has the data or the node id.
        """
        await quorum.open_session(node_id)
        leadership = await quorum.elect(node_id, wait=False)
        image = MetadataImage(cluster_id=cluster_id)
        snapshot = await quorum.latest_snapshot()
        if snapshot is not None:
            image, _ = replayed(
                image, snapshot.records, next_offset=snapshot.next_offset, epoch=snapshot.epoch
            )
        service = cls(quorum, leadership, image, settings=settings, rng=rng)
        await service._catch_up()
        return service

    @property
    def node_id(self) -> int:
        return self._leadership.node_id

    def quorum(self) -> QuorumState:
        """Who keeps the metadata log, and how far. Raises ProtocolError."""
        try:
            return self._quorum.describe()
        except NotLeaderError as error:
            raise ProtocolError(ErrorCode.NOT_LEADER_OR_FOLLOWER, str(error)) from error

    async def live_nodes(self) -> frozenset[int]:
        """The nodes that run, whatever the image says of them."""
        return await self._quorum.live_nodes() | {self.node_id}

    def follow(self, follower: Follower) -> None:
        self._followers.append(follower)

    def when_refused(self, alarm: Alarm) -> None:
        """Call `alarm` with every failure of the metadata log to take records."""
        self._alarms.append(alarm)

    # -- this node -------------------------------------------------------------------------------

    async def register(self, registration: Registration) -> None:
        """Make this node a live broker. Raises ProtocolError where the cluster refuses it."""
        await self._submit(decide_bootstrap)
        registered: Registered = await self._submit(
            lambda image: decide_register_broker(image, registration, settings=self._settings)
        )
        if registered.error_code:
            raise ProtocolError(registered.error_code, registered.error_message or "registration")
        self.broker_epoch = registered.broker_epoch

    async def unfence(self) -> None:
        """Take leadership: the replicas of this node are open."""
        error: ErrorCode = await self._submit(
            lambda image: decide_unfence_broker(
                image, self.node_id, self.broker_epoch, settings=self._settings
            )
        )
        if error:
            raise ProtocolError(error, "the cluster refused to take this broker in")

    async def assign_directories(self, assigned: Mapping[ReplicaKey, bytes]) -> None:
        """Tell in which data directories replicas of this node lie (KIP-858)."""
        error: ErrorCode = await self._submit(
            lambda image: decide_assign_directories(
                image, self.node_id, self.broker_epoch, assigned
            )
        )
        if error:
            raise ProtocolError(error, "the cluster refused to note where replicas lie")

    async def shut_down(self) -> None:
        """Hand leadership over before an orderly stop, where somebody else can take it.

        The broker is fenced with it: who starts next on this log need not wait until its session
        is over.
        """
        await self._submit(
            lambda image: decide_controlled_shutdown(
                image, self.node_id, self.broker_epoch, settings=self._settings
            )
        )
        await self._submit(
            lambda image: decide_fence_broker(image, self.node_id, settings=self._settings)
        )

    # -- topics ----------------------------------------------------------------------------------

    async def create_topics(
        self, request: CreateTopicsRequest, *, take_permits: TakePermits = without_quota
    ) -> CreateTopicsResponse:
        return await self._submit(
            lambda image: decide_create_topics(
                image,
                request,
                settings=self._settings,
                rng=self._rng,
                take_permits=take_permits,
            )
        )

    async def create_topics_by_default(
        self, names: list[str], *, take_permits: TakePermits = without_quota
    ) -> CreateTopicsResponse:
        """Create what a client asked about, as the broker's defaults say."""
        wanted = [
            CreatableTopic(
                name=name,
                num_partitions=USE_DEFAULT,
                replication_factor=USE_DEFAULT,
                assignments=[],
                configs=[],
            )
            for name in dict.fromkeys(names)
        ]
        return await self.create_topics(
            CreateTopicsRequest(topics=wanted), take_permits=take_permits
        )

    async def delete_topics(
        self,
        request: DeleteTopicsRequest,
        *,
        version: int,
        take_permits: TakePermits = without_quota,
    ) -> DeleteTopicsResponse:
        return await self._submit(
            lambda image: decide_delete_topics(
                image,
                request,
                settings=self._settings,
                version=version,
                take_permits=take_permits,
            )
        )

    async def create_partitions(
        self, request: CreatePartitionsRequest, *, take_permits: TakePermits = without_quota
    ) -> CreatePartitionsResponse:
        return await self._submit(
            lambda image: decide_create_partitions(
                image, request, rng=self._rng, take_permits=take_permits
            )
        )

    # -- configurations --------------------------------------------------------------------------

    async def alter_configs(
        self,
        changes: Sequence[ResourceChange],
        *,
        validate_only: bool = False,
        replace_all: bool = False,
    ) -> list[ConfigResult]:
        """See `decide_alter_configs`. Raises ProtocolError where the log takes no records."""
        return await self._submit(
            lambda image: decide_alter_configs(
                image,
                changes,
                settings=self._settings,
                validate_only=validate_only,
                replace_all=replace_all,
            )
        )

    # -- quotas ----------------------------------------------------------------------------------

    async def alter_client_quotas(
        self, changes: Sequence[EntityChange], *, validate_only: bool = False
    ) -> list[EntityResult]:
        """See `decide_alter_client_quotas`. Raises ProtocolError where the log takes no records."""
        return await self._submit(
            lambda image: decide_alter_client_quotas(image, changes, validate_only=validate_only)
        )

    # -- whatever else ---------------------------------------------------------------------------

    async def decided(self, decide: Callable[[MetadataImage], Decision[Answer]]) -> Answer:
        """Let somebody decide: the records are written and replayed before the answer is here.

        Raises what `decide` raises, and ProtocolError where the log takes no records.
        """
        return await self._submit(decide)

    # -- producers -------------------------------------------------------------------------------

    async def next_producer_id(self) -> int:
        """An id that no producer of this cluster ever had. Raises ProtocolError."""
        async with self._allocating:
            if not self._producer_ids:
                self._producer_ids = await self._allocate_producer_ids()
            first, self._producer_ids = self._producer_ids[0], self._producer_ids[1:]
            return first

    async def _allocate_producer_ids(self) -> range:
        block: ProducerIdBlock = await self._submit(
            lambda image: decide_allocate_producer_ids(image, self.node_id, self.broker_epoch)
        )
        if block.error_code:
            raise ProtocolError(block.error_code, "no producer ids to be had")
        return range(block.first, block.first + block.length)

    # -- features --------------------------------------------------------------------------------

    async def update_features(
        self, request: UpdateFeaturesRequest, *, version: int, place: VoterPlace
    ) -> UpdateFeaturesResponse:
        """See `decide_update_features`. `place` is written down where the voters move to the log.

        Raises ProtocolError where the log takes no records.
        """
        async with self._deciding:
            decision = decide_update_features(
                self.image,
                request,
                version=version,
                kraft_version=self.kraft_version,
                settings=self._settings,
            )
            if decision.reply.moves_voters:
                await self._move_voters_into_log(place)
            if decision.records:
                await self._append(decision.records)
        return decision.reply.response

    async def _move_voters_into_log(self, place: VoterPlace) -> None:
        await self._written(
            self._quorum.move_voters_into_log(
                place, epoch=self._leadership.epoch, expected_end=self.image.next_offset
            )
        )
        self.kraft_version = self.quorum().kraft_version
        await self._catch_up()

    # -- decide, append, replay ------------------------------------------------------------------

    async def _submit(self, decide: Callable[[MetadataImage], Decision[Answer]]) -> Answer:
        async with self._deciding:
            decision = decide(self.image)
            if decision.records:
                await self._append(decision.records)
        return decision.reply

    async def _append(self, records: tuple[Payload, ...]) -> None:
        """Write and replay. Raises ProtocolError where the log cannot take the records."""
        epoch = self._leadership.epoch
        end = await self._written(
            self._quorum.append(records, epoch=epoch, expected_end=self.image.next_offset)
        )
        self._publish(*replayed(self.image, records, next_offset=end, epoch=epoch))

    async def _written(self, writing: Awaitable[int]) -> int:
        """The end of the log after a write. Raises ProtocolError where it cannot be written."""
        try:
            return await writing
        except NotLeaderError as error:
            raise ProtocolError(ErrorCode.NOT_CONTROLLER, str(error)) from error
        except (OSError, StorageError, QuorumError) as error:
            log.error("the metadata log refused an append: %s", error)  # noqa: TRY400 # told in words
            for alarm in self._alarms:
                alarm(error)
            await self._read_what_was_written()
            raise ProtocolError(ErrorCode.KAFKA_STORAGE_ERROR, str(error)) from error

    async def _read_what_was_written(self) -> None:
        """After a failed append only the log can say whether it holds the records."""
        try:
            await self._catch_up()
        except (OSError, StorageError, QuorumError) as error:
            log.error("the metadata log cannot be read either: %s", error)  # noqa: TRY400 # told in words

    async def snapshot_if_due(self, bytes_between_snapshots: int, now_ms: int) -> bool:
        """Replace a long log by a snapshot of the image; whether one was taken."""
        async with self._deciding:
            image = self.image
            is_due = self._quorum.bytes_since_snapshot >= bytes_between_snapshots
            if not is_due or image.transaction is not None:
                return False
            await self._quorum.save_snapshot(
                Snapshot(
                    next_offset=image.next_offset,
                    epoch=image.epoch,
                    timestamp_ms=now_ms,
                    records=tuple(snapshot_records(image)),
                )
            )
        return True

    async def _catch_up(self) -> None:
        """Replay what the log has beyond the image."""
        while batches := await self._quorum.read(self.image.next_offset):
            for batch in batches:
                self._publish(
                    *replayed(
                        self.image, batch.records, next_offset=batch.next_offset, epoch=batch.epoch
                    )
                )

    def _publish(self, image: MetadataImage, delta: MetadataDelta) -> None:
        self.image = image
        for follower in self._followers:
            follower(image, delta)
