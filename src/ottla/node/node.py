"""One broker node: which real parts it is made of, and the order in which they start and stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import TYPE_CHECKING

from ottla.base.errors import ProtocolError
from ottla.base.ids import NodeId
from ottla.base.limits import READ_BUDGET_BYTES
from ottla.broker.addresses import AdvertisedAddresses
from ottla.broker.authorizer import Authorizer
from ottla.broker.broker import Broker
from ottla.broker.cleaning import Cleaning
from ottla.broker.client_quotas import ClientQuotas
from ottla.broker.client_telemetry import ClientTelemetry
from ottla.broker.discovery import load_handlers
from ottla.broker.disk_watch import DiskWatch
from ottla.broker.dispatch import Dispatcher
from ottla.broker.fetch_sessions import FetchSessions
from ottla.broker.group_coordinator import GroupCoordinator
from ottla.broker.guarded_data import fetch_path
from ottla.broker.housekeeping import Housekeeping
from ottla.broker.live_settings import LiveSettings
from ottla.broker.log_directories import LogDirectories
from ottla.broker.metadata_service import MetadataService
from ottla.broker.produce import ProducePath
from ottla.broker.replica_moves import ReplicaMoves
from ottla.broker.replicas import LocalReplicas
from ottla.broker.served_apis import wanted_request_log
from ottla.broker.transaction_coordinator import TransactionCoordinator
from ottla.log.errors import StorageError
from ottla.log.open_files import OpenFiles
from ottla.metadata.brokers import Registration
from ottla.metadata.image import EndpointImage
from ottla.node.cleaner import SetCleaning
from ottla.node.directory_locks import DirectoryLocks
from ottla.node.health import Health
from ottla.node.machine import Machine, ThisMachine
from ottla.quorum.embedded import EmbeddedQuorum
from ottla.settings import broker as keys
from ottla.settings import security
from ottla.settings.addresses import parse_connections
from ottla.settings.broker import BrokerSettings
from ottla.settings.endpoints import Endpoint
from ottla.settings.observation import HTTP_LISTENERS, http_endpoint
from ottla.settings.topic import TopicSettings
from ottla.transport.listener import Listener, ListenerLimits, ReadMemory

if TYPE_CHECKING:
    from ottla.base.world import Clock
    from ottla.node.observation import Observation

log = logging.getLogger(__name__)

CLOSE_GRACE_SECONDS = 5.0
"""How long an orderly stop waits for clients to take the answers that they are owed."""
OPENING_TURN_MS = 50
"""Of opening logs, between two turns of the loop."""
OPEN_FILES_SHARE = 0.5
"""The part of the process's open files that logs may use; the rest is for connections."""
PLAINTEXT = 0
ANY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104 # compared with, not bound


class Node:
    """A running broker. Make it with `start`, end it with `stop`.

    `lost` gets a reason where the node cannot go on, and is to be stopped.
    """

    def __init__(
        self,
        broker: Broker,
        quorum: EmbeddedQuorum,
        directories: LogDirectories,
        locks: DirectoryLocks,
        listeners: list[Listener],
        dispatcher: Dispatcher,
        housekeeping: Housekeeping,
        disk_watch: DiskWatch,
        cleaning: Cleaning,
        lost: asyncio.Future[str],
    ) -> None:
        self.broker = broker
        self.lost = lost
        self._quorum = quorum
        self._directories = directories
        self._locks = locks
        self._disk_watch = disk_watch
        self.cleaning = cleaning
        self._listeners = listeners
        self._dispatcher = dispatcher
        self._housekeeping = housekeeping
        self._health = Health()
        self.observation: Observation | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the first listener, as bound."""
        return self._listeners[0].address

    @property
    def data_directories(self) -> list[str]:
        """Those that can be used."""
        return [directory.path for directory in self._directories.online]

    @classmethod
    async def start(cls, settings: BrokerSettings, machine: Machine | None = None) -> Node:
        """Open the data, join the cluster, listen; on this machine where no other is given.

        Raises UserError where a person must act: a busy port, a directory in use or not ours,
        defaults that no topic could have.
        """
        machine = machine or ThisMachine()
        TopicSettings(settings).check({})
        load_handlers()
        health = Health()
        locks = DirectoryLocks(settings[keys.NODE_ID], machine.locks)
        with contextlib.ExitStack() as undo:
            observation = await _observe(settings, health, undo)
            undo.callback(locks.release)
            directories = LogDirectories.open(settings, machine.disk, machine.rng, hold=locks.hold)
            quorum = EmbeddedQuorum(
                directories.metadata.path,
                disk=machine.disk,
                clock=machine.clock,
                locks=machine.locks,
            )
            try:
                node = await cls._start_on(quorum, directories, locks, settings, machine, undo)
            except BaseException:
                await quorum.close()
                raise
            undo.pop_all()
            node._serves(health, observation)
            return node

    def _serves(self, health: Health, observation: Observation | None) -> None:
        """Tell those who ask about it."""
        groups, transactions = self.broker.groups.runtime, self.broker.transactions.runtime
        self._health, self.observation = health, observation
        health.serving(self.lost, lambda: groups.loading_count + transactions.loading_count)
        if observation is not None:
            observation.serve(self.broker, self._listeners, self._disk_watch, self.cleaning)

    @classmethod
    async def _start_on(
        cls,
        quorum: EmbeddedQuorum,
        directories: LogDirectories,
        locks: DirectoryLocks,
        settings: BrokerSettings,
        machine: Machine,
        undo: contextlib.ExitStack,
    ) -> Node:
        clock, rng = machine.clock, machine.rng
        cluster_id = directories.cluster_id
        metadata = await MetadataService.join(
            quorum,
            node_id=settings[keys.NODE_ID],
            cluster_id=cluster_id,
            settings=settings,
            rng=rng,
        )
        authorizer = Authorizer.wanted(settings, metadata)
        live = LiveSettings(settings, settings[keys.NODE_ID])
        live.look(metadata.image)
        metadata.follow(live.apply)
        replicas = LocalReplicas(
            NodeId(settings[keys.NODE_ID]),
            directories,
            OpenFiles(directories.disk, int(machine.open_files_max() * OPEN_FILES_SHARE)),
            settings,
            rng,
        )
        moves = ReplicaMoves(
            replicas, clock, bytes_per_second_max=settings[keys.REPLICA_MOVE_BYTES_PER_SECOND]
        )
        groups = GroupCoordinator(
            replicas,
            metadata,
            settings,
            clock,
            may_see=None if authorizer is None else authorizer.may_see,
        )
        quotas = ClientQuotas(settings, clock)
        quotas.look(metadata.image)
        metadata.follow(quotas.apply)
        live.follow(quotas.follow_settings)
        telemetry = ClientTelemetry(settings, clock, rng)
        telemetry.look(metadata.image)
        metadata.follow(telemetry.apply)
        broker = Broker(
            node_id=settings[keys.NODE_ID],
            cluster_id=cluster_id,
            settings=settings,
            metadata=metadata,
            replicas=replicas,
            moves=moves,
            produce=ProducePath(replicas, clock),
            fetch=fetch_path(
                replicas,
                FetchSessions(settings[keys.MAX_INCREMENTAL_FETCH_SESSION_CACHE_SLOTS], rng),
                clock,
                bytes_max=settings[keys.FETCH_MAX_BYTES],
                authorizer=authorizer,
            ),
            groups=groups,
            transactions=TransactionCoordinator(
                replicas, metadata, settings, clock, groups.runtime
            ),
            addresses=AdvertisedAddresses(settings[keys.NODE_ID], settings.advertised_endpoints),
            quotas=quotas,
            telemetry=telemetry,
            clock=clock,
            rng=rng,
            requests=wanted_request_log(settings),
            authorizer=authorizer,
        )
        dispatcher = Dispatcher(broker)
        listeners = _bind(dispatcher, quotas, settings, machine, undo)
        registration = Registration(
            node_id=broker.node_id,
            cluster_id=cluster_id,
            incarnation_id=rng.uuid(),
            endpoints=_endpoints(listeners, settings),
            log_directories=tuple(directory.id for directory in directories.online),
            rack=settings[keys.BROKER_RACK],
            previous_epoch=directories.previous_epoch,
        )
        await metadata.register(registration)
        for directory in directories.online:
            directory.mark_started()
        await _open_logs(replicas, metadata, clock)
        housekeeping = Housekeeping(
            replicas,
            metadata,
            clock,
            checkpoint_interval_ms=settings[keys.LOG_FLUSH_OFFSET_CHECKPOINT_INTERVAL_MS],
            metadata_bytes_between_snapshots=settings[
                keys.METADATA_LOG_MAX_RECORD_BYTES_BETWEEN_SNAPSHOTS
            ],
            retention_interval_ms=settings[keys.LOG_RETENTION_CHECK_INTERVAL_MS],
            producer_expiration_ms=settings[keys.PRODUCER_ID_EXPIRATION_MS],
            token_sweep_interval_ms=settings[security.DELEGATION_TOKEN_EXPIRY_CHECK_INTERVAL_MS],
        )
        metadata.follow(housekeeping.follow)
        live.follow_with(replicas, moves, housekeeping)
        live.follow(lambda settings: _limit_connections(listeners, settings))
        await metadata.unfence()
        lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        disk_watch = _watch_disks(broker, quorum, lost)
        housekeeping.start()
        disk_watch.start()
        moves.start()
        broker.groups.start()
        broker.transactions.start()
        set_cleaning = SetCleaning(settings, replicas, clock, cleaner=machine.cleaner)
        cleaning = set_cleaning.cleaning
        cleaning.start()
        live.follow(set_cleaning)
        for listener in listeners:
            await listener.accept()
        return cls(
            broker,
            quorum,
            directories,
            locks,
            listeners,
            dispatcher,
            housekeeping,
            disk_watch,
            cleaning,
            lost,
        )

    async def stop(self) -> None:
        """Stop in order: no new requests, answers out, everything on the disk, the clean mark."""
        self._health.stopping()
        for listener in self._listeners:
            listener.stop_accepting()
        self.broker.fetch.finish_waiting()
        await self._rest()
        try:
            await self.broker.metadata.shut_down()
        except ProtocolError as refused:
            # The cluster will notice by itself; what matters now is the data.
            log.warning("leadership could not be handed over: %s", refused.message)
        await self._observe_no_more()
        self.broker.replicas.close()
        safe = True
        try:
            self._housekeeping.write_checkpoints()
        except OSError as error:
            log.error("the checkpoints could not be written: %s", error)  # noqa: TRY400 # told in words
            safe = False
        await self._close_quorum()
        if safe and self._directories.mark_clean(self.broker.metadata.broker_epoch):
            log.info("stopped cleanly")
        else:
            log.error("stopped, but some data may not be on the disk: the next start checks it")
        self._locks.release()

    async def abandon(self) -> None:
        """Let go of everything at once, as the end of the process would: no mark of a clean stop.

        For tests that share their process with a broker. Whatever was on its way is not answered.
        """
        for listener in self._listeners:
            for connection in list(listener.connections):
                connection.close()
            listener.stop_accepting()
        await self._rest()
        await self._observe_no_more()
        self.broker.replicas.close()
        await self._close_quorum()
        self._locks.release()

    async def _rest(self) -> None:
        """Nothing is served any more, and nothing works by itself."""
        await self.broker.transactions.stop()
        await self.broker.groups.stop()
        await self._dispatcher.stop()
        for listener in self._listeners:
            await listener.stop(CLOSE_GRACE_SECONDS)
        await self.cleaning.stop()
        await self.broker.moves.stop()
        await self._housekeeping.stop()
        await self._disk_watch.stop()

    async def _observe_no_more(self) -> None:
        if self.observation is not None:
            await self.observation.stop()

    async def _close_quorum(self) -> None:
        try:
            await self._quorum.close()
        except StorageError as error:
            # What is acknowledged was synced before; a failed disk keeps us from no more than that.
            log.error("the metadata log could not be closed: %s", error.message)  # noqa: TRY400 # told in words


async def _observe(
    settings: BrokerSettings, health: Health, undo: contextlib.ExitStack
) -> Observation | None:
    """Listen for HTTP where that is wanted; only then is any of it loaded."""
    if not settings[HTTP_LISTENERS]:
        return None
    from ottla.node.observation import Observation

    endpoints = [http_endpoint(text) for text in settings[HTTP_LISTENERS]]
    observation = await Observation.begin(endpoints, health)
    undo.callback(observation.close)
    return observation


async def _open_logs(replicas: LocalReplicas, metadata: MetadataService, clock: Clock) -> None:
    """Open what has data here. Recovery takes its time, and somebody may ask how we are."""
    started_ms = turn_ms = clock.monotonic_ms()
    for _ in replicas.loading(metadata.image, started_ms):
        if clock.monotonic_ms() - turn_ms >= OPENING_TURN_MS:
            await asyncio.sleep(0)
            turn_ms = clock.monotonic_ms()
    replicas.opening_ms = clock.monotonic_ms() - started_ms


def _watch_disks(broker: Broker, quorum: EmbeddedQuorum, lost: asyncio.Future[str]) -> DiskWatch:
    directories = broker.replicas.directories

    def node_lost(reason: str) -> None:
        if not lost.done():
            lost.set_result(reason)

    def metadata_refused(error: Exception) -> None:
        directories.metadata.suspect(error)
        if quorum.has_failed:
            node_lost(
                f"the metadata log in {directories.metadata.path} failed: {error}. "
                "Check the disk, then start again."
            )

    broker.metadata.when_refused(metadata_refused)
    return DiskWatch(
        directories,
        broker.replicas,
        headroom_bytes=broker.settings[keys.DISK_HEADROOM_BYTES],
        node_lost=node_lost,
    )


def _bind(
    dispatcher: Dispatcher,
    quotas: ClientQuotas,
    settings: BrokerSettings,
    machine: Machine,
    undo: contextlib.ExitStack,
) -> list[Listener]:
    """Take the ports before anything is opened, so that a busy one is told at once."""
    budget_bytes = settings[keys.QUEUED_MAX_REQUEST_BYTES]
    memory = ReadMemory(READ_BUDGET_BYTES if budget_bytes < 0 else budget_bytes)
    limits = ListenerLimits(
        request_bytes_max=settings[keys.SOCKET_REQUEST_MAX_BYTES],
        connections_max=settings[keys.MAX_CONNECTIONS],
        connections_per_ip_max=settings[keys.MAX_CONNECTIONS_PER_IP],
        idle_ms_max=settings[keys.CONNECTIONS_MAX_IDLE_MS],
        backlog=settings[keys.SOCKET_LISTEN_BACKLOG_SIZE],
        send_buffer_bytes=settings[keys.SOCKET_SEND_BUFFER_BYTES],
        receive_buffer_bytes=settings[keys.SOCKET_RECEIVE_BUFFER_BYTES],
    )
    listeners = []
    for endpoint in settings.endpoints:
        listener = machine.listener(endpoint.listener, dispatcher, memory, limits)
        listener.ask_before_admitting(quotas.admit)
        listener.bind(endpoint.host, endpoint.port)
        undo.callback(listener.stop_accepting)
        listeners.append(listener)
    return listeners


def _limit_connections(listeners: list[Listener], settings: BrokerSettings) -> None:
    for listener in listeners:
        listener.limit_connections(
            settings[keys.MAX_CONNECTIONS],
            settings[keys.MAX_CONNECTIONS_PER_IP],
            parse_connections(settings[keys.MAX_CONNECTIONS_PER_IP_OVERRIDES]),
        )


def _endpoints(listeners: list[Listener], settings: BrokerSettings) -> dict[str, EndpointImage]:
    """What the other nodes of the cluster are told about this one."""
    advertised: dict[str, Endpoint] = {
        endpoint.listener: endpoint for endpoint in settings.advertised_endpoints
    }
    endpoints = {}
    for listener in listeners:
        host, port = listener.address
        told = advertised.get(listener.name)
        if told is not None:
            host, port = told.host, told.port
        elif host in ANY_ADDRESS:
            host = socket.getfqdn()
        endpoints[listener.name] = EndpointImage(host, port, PLAINTEXT)
    return endpoints
