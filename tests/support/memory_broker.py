"""A whole broker on a disk in memory, in a time that only the test moves, without a socket.

Everything between the connection and the disk is the real thing, composed as `node.Node` does it.
Only the locks of the metadata log are files, in a folder of the test's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from ottla.base.errors import ErrorCode
from ottla.base.ids import NodeId
from ottla.broker.addresses import AdvertisedAddresses
from ottla.broker.authorizer import Authorizer
from ottla.broker.broker import Broker
from ottla.broker.client_quotas import ClientQuotas
from ottla.broker.client_telemetry import ClientTelemetry
from ottla.broker.discovery import load_handlers
from ottla.broker.disk_watch import LOOK_SECONDS_MAX, DiskWatch
from ottla.broker.dispatch import Dispatcher
from ottla.broker.fetch_sessions import FetchSessions
from ottla.broker.group_coordinator import GroupCoordinator
from ottla.broker.guarded_data import fetch_path
from ottla.broker.housekeeping import Housekeeping
from ottla.broker.live_settings import LiveSettings
from ottla.broker.log_directories import LogDirectories
from ottla.broker.log_directory import LogDirectory
from ottla.broker.metadata_service import MetadataService
from ottla.broker.partition import Partition
from ottla.broker.produce import ProducePath
from ottla.broker.replica_moves import ReplicaMoves
from ottla.broker.replicas import LocalReplicas
from ottla.broker.served_apis import wanted_request_log
from ottla.broker.transaction_coordinator import TransactionCoordinator
from ottla.log.open_files import OpenFiles
from ottla.metadata.brokers import Registration
from ottla.metadata.image import EndpointImage
from ottla.quorum.embedded import FOLDER, EmbeddedQuorum
from ottla.settings import broker as keys
from ottla.settings import security
from ottla.settings.broker import BrokerSettings
from ottla.wire.messages.create_topics import CreateTopicsRequest
from ottla.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from tests.support.cluster import SeededRng, directory_of, wanted
from tests.support.stepped_loop import SteppedClock, SteppedLoop
from tests.support.watched_disk import WatchedDisk

T = TypeVar("T")

NODE_ID = 1


class MemoryBroker:
    """One node; `stop` and `start` again keep its disk."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """`settings` by their Kafka names, with `_` for the dots.

        All data is in `path`, unless `log_dirs` names folders, of which `path` then is the first.
        """
        texts = {name.replace("_", "."): text for name, text in settings.items()}
        texts.setdefault("log.dirs", str(folder / "data"))
        self.settings = BrokerSettings(texts)
        self.path = self.settings.data_directories[0]
        (Path(self.path) / FOLDER).mkdir(parents=True, exist_ok=True)
        self.clock = SteppedClock()
        self.loop = SteppedLoop(self.clock)
        self.disk = WatchedDisk()
        self.disk.make_dir(self.path.rpartition("/")[0])
        self.disk.settle()
        self.rng = SeededRng()
        self.broker: Broker
        self.dispatcher: Dispatcher
        self.housekeeping: Housekeeping
        self.directory: LogDirectory
        self.directories: LogDirectories
        self.disk_watch: DiskWatch
        self.lost: list[str] = []
        self._quorum: EmbeddedQuorum | None = None

    # -- life ------------------------------------------------------------------------------------

    def start(self) -> MemoryBroker:
        self.loop.finish(self._start())
        return self

    def stop(self) -> None:
        """An orderly stop, as `Node.stop` does it."""
        self.loop.finish(self._stop())

    def stop_uncleanly(self) -> None:
        """What a killed process leaves: logs as written, nothing flushed, no mark."""
        self.loop.finish(self._let_go())

    def close(self) -> None:
        """End the test."""
        self.disk.heal()
        if self._quorum is not None:
            self.stop_uncleanly()
        self.loop.close()

    def add_broker(
        self, node_id: int, endpoints: Iterable[tuple[str, str, int]] = (), *, up: bool = True
    ) -> None:
        """Make the cluster know another node; before `start`."""
        self.loop.finish(self._add_broker(node_id, endpoints, up=up))

    async def _start(self) -> None:
        load_handlers()
        settings = self.settings
        self.directories = LogDirectories.open(
            settings, self.disk, self.rng, hold=lambda path: None
        )
        self.directory = self.directories.metadata
        cluster_id = self.directories.cluster_id
        metadata = await self._join(NODE_ID, cluster_id)
        authorizer = Authorizer.wanted(settings, metadata)
        live = LiveSettings(settings, NODE_ID)
        live.look(metadata.image)
        metadata.follow(live.apply)
        replicas = LocalReplicas(
            NodeId(NODE_ID), self.directories, OpenFiles(self.disk), settings, self.rng
        )
        moves = ReplicaMoves(
            replicas, self.clock, bytes_per_second_max=settings[keys.REPLICA_MOVE_BYTES_PER_SECOND]
        )
        groups = GroupCoordinator(
            replicas,
            metadata,
            settings,
            self.clock,
            may_see=None if authorizer is None else authorizer.may_see,
        )
        quotas = ClientQuotas(settings, self.clock)
        quotas.look(metadata.image)
        metadata.follow(quotas.apply)
        live.follow(quotas.follow_settings)
        telemetry = ClientTelemetry(settings, self.clock, self.rng)
        telemetry.look(metadata.image)
        metadata.follow(telemetry.apply)
        self.broker = Broker(
            node_id=NODE_ID,
            cluster_id=cluster_id,
            settings=settings,
            metadata=metadata,
            replicas=replicas,
            moves=moves,
            produce=ProducePath(replicas, self.clock),
            fetch=fetch_path(
                replicas,
                FetchSessions(settings[keys.MAX_INCREMENTAL_FETCH_SESSION_CACHE_SLOTS], self.rng),
                self.clock,
                bytes_max=settings[keys.FETCH_MAX_BYTES],
                authorizer=authorizer,
            ),
            groups=groups,
            transactions=TransactionCoordinator(
                replicas, metadata, settings, self.clock, groups.runtime
            ),
            addresses=AdvertisedAddresses(NODE_ID, settings.advertised_endpoints),
            quotas=quotas,
            telemetry=telemetry,
            clock=self.clock,
            rng=self.rng,
            requests=wanted_request_log(settings),
            authorizer=authorizer,
        )
        self.dispatcher = Dispatcher(self.broker)
        await metadata.register(
            Registration(
                node_id=NODE_ID,
                cluster_id=cluster_id,
                incarnation_id=self.rng.uuid(),
                endpoints={"PLAINTEXT": EndpointImage("localhost", 9092, 0)},
                log_directories=tuple(found.id for found in self.directories.online),
                rack=settings[keys.BROKER_RACK],
                previous_epoch=self.directories.previous_epoch,
            )
        )
        for directory in self.directories.online:
            directory.mark_started()
        replicas.load(metadata.image, self.clock.monotonic_ms())
        self.housekeeping = Housekeeping(
            replicas,
            metadata,
            self.clock,
            checkpoint_interval_ms=settings[keys.LOG_FLUSH_OFFSET_CHECKPOINT_INTERVAL_MS],
            metadata_bytes_between_snapshots=settings[
                keys.METADATA_LOG_MAX_RECORD_BYTES_BETWEEN_SNAPSHOTS
            ],
            retention_interval_ms=settings[keys.LOG_RETENTION_CHECK_INTERVAL_MS],
            producer_expiration_ms=settings[keys.PRODUCER_ID_EXPIRATION_MS],
            token_sweep_interval_ms=settings[security.DELEGATION_TOKEN_EXPIRY_CHECK_INTERVAL_MS],
        )
        metadata.follow(self.housekeeping.follow)
        live.follow_with(replicas, moves, self.housekeeping)
        await metadata.unfence()
        self.disk_watch = DiskWatch(
            self.directories,
            replicas,
            headroom_bytes=settings[keys.DISK_HEADROOM_BYTES],
            node_lost=self.lost.append,
        )
        metadata.when_refused(self.directory.suspect)
        self.housekeeping.start()
        self.broker.groups.start()
        self.broker.transactions.start()
        self.disk_watch.start()
        moves.start()

    async def _join(self, node_id: int, cluster_id: str) -> MetadataService:
        self._quorum = EmbeddedQuorum(self.path, disk=self.disk, clock=self.clock)
        return await MetadataService.join(
            self._quorum,
            node_id=node_id,
            cluster_id=cluster_id,
            settings=self.settings,
            rng=self.rng,
        )

    async def _add_broker(
        self, node_id: int, endpoints: Iterable[tuple[str, str, int]], *, up: bool
    ) -> None:
        directory = LogDirectory.open(
            self.path,
            self.disk,
            self.rng,
            node_id=NODE_ID,
            cluster_id=self.settings[keys.CLUSTER_ID],
        )
        cluster_id = directory.meta.cluster_id
        metadata = await self._join(node_id, cluster_id)
        await metadata.register(
            Registration(
                node_id=node_id,
                cluster_id=cluster_id,
                incarnation_id=self.rng.uuid(),
                endpoints={name: EndpointImage(host, port, 0) for name, host, port in endpoints},
                log_directories=(directory_of(node_id),),
            )
        )
        if up:
            await metadata.unfence()
        await self.quorum.close()
        self._quorum = None

    async def _stop(self) -> None:
        self.broker.fetch.finish_waiting()
        await self.broker.transactions.stop()
        await self.broker.groups.stop()
        await self.dispatcher.stop()
        await self.broker.moves.stop()
        await self.housekeeping.stop()
        await self.disk_watch.stop()
        await self.broker.metadata.shut_down()
        self.broker.replicas.close()
        self.housekeeping.write_checkpoints()
        await self.quorum.close()
        self._quorum = None
        self.directories.mark_clean(self.broker.metadata.broker_epoch)

    async def _let_go(self) -> None:
        await self.broker.transactions.stop()
        await self.broker.groups.stop()
        await self.broker.moves.stop()
        await self.housekeeping.stop()
        await self.disk_watch.stop()
        await self.quorum.close()
        self._quorum = None

    # -- shorthands ------------------------------------------------------------------------------

    def create_topic(
        self,
        name: str,
        partitions: int = 1,
        *,
        replicas: Iterable[list[int]] = (),
        **configs: str,
    ) -> bytes:
        """Make a topic, by hand where `replicas` lists the brokers of each partition; its id."""
        assignments = list(enumerate(replicas))
        count, factor = (-1, -1) if assignments else (partitions, 1)
        texts = [(key.replace("_", "."), text) for key, text in configs.items()]
        topic = wanted(name, count, factor, assignments=assignments, configs=texts)
        response = self.loop.finish(
            self.broker.metadata.create_topics(CreateTopicsRequest(topics=[topic]))
        )
        (result,) = response.topics
        assert result.error_code == ErrorCode.NONE, result
        return result.topic_id

    def delete_topic(self, name: str) -> None:
        topic_id = bytes(16)
        request = DeleteTopicsRequest(
            topics=[DeleteTopicState(name=name, topic_id=topic_id)], timeout_ms=1000
        )
        response = self.loop.finish(self.broker.metadata.delete_topics(request, version=6))
        assert response.responses[0].error_code == ErrorCode.NONE

    def heal_disk(self) -> None:
        """Let the disk work again, and the broker notice."""
        self.disk.heal()
        self.loop.advance(int(LOOK_SECONDS_MAX * 1000))

    def partition(self, topic: str, index: int = 0) -> Partition:
        """The replica on this node."""
        found = self.broker.replicas.find(topic, index)
        assert isinstance(found, Partition), found
        return found

    def folder(self, topic: str, index: int = 0) -> str:
        return self.directory.partition_path(topic, index)

    def folders(self) -> list[str]:
        """The folders of partitions, deleted ones too."""
        entries = self.disk.list_dir(self.path)
        return [name for name in entries if name != FOLDER and self._is_folder(name)]

    def _is_folder(self, name: str) -> bool:
        try:
            self.disk.list_dir(f"{self.path}/{name}")
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    @property
    def quorum(self) -> EmbeddedQuorum:
        """The metadata log, while the broker runs."""
        assert self._quorum is not None
        return self._quorum

    def in_loop(self, function: Callable[..., T], *args: object) -> T:
        """Call a function as a callback of the loop would."""
        return self.loop.call(lambda: function(*args))
