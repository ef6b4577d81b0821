"""A whole broker inside the running event loop, without sockets, files or other threads' time.

    async with MemoryBroker() as broker:
        topic = await broker.create_topic("orders")
        async with Producer(broker.bootstrap, connector=broker.connector) as producer:
            await producer.send_and_wait(topic, b"an order")

For Ottla's own clients only: others bring sockets of their own.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self, TypeVar

from ottla.base.errors import UserError
from ottla.base.world import Clock, Rng
from ottla.broker.loggers import forget_levels
from ottla.client.address import Address
from ottla.client.connection import connect
from ottla.client.connector import Connector
from ottla.node.node import Node
from ottla.settings.broker import BrokerSettings
from ottla.testing.fault_proxy import FaultProxy
from ottla.testing.faults import Faults
from ottla.testing.kafka_releases import ApiVersions
from ottla.testing.memory_disk import MemoryDisk
from ottla.testing.memory_machine import FOLDER, memory_machine
from ottla.testing.memory_network import MemoryNetwork
from ottla.testing.memory_proxy import MemoryFaultProxy
from ottla.testing.settings import SettingValue, settings_for_tests
from ottla.testing.topics import created, creation, deleted, deletion
from ottla.wire.messages.create_topics import CreateTopicsResponse
from ottla.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse
from ottla.wire.schema import Message

R = TypeVar("R", bound=Message)

FRONT: Final = Address("memory", 9092)
"""Where clients connect to, on the network of each broker alone."""

BEHIND: Final = Address("behind", 9092)
"""Where the broker itself listens, behind the faults."""


def memory_settings(texts: Mapping[str, str]) -> dict[str, str]:
    """Settings of a broker on a network in memory."""
    return {
        **texts,
        "listeners": f"PLAINTEXT://{BEHIND}",
        "advertised.listeners": f"PLAINTEXT://{FRONT}",
        "log.dirs": f"{FOLDER}/data",
    }


async def ask_in_memory(
    network: MemoryNetwork, request: Message, answer: type[R], *, at_most: int | None = None
) -> R:
    """One request to the broker, past all faults."""
    connection = await connect(BEHIND, connector=network.connect)
    try:
        return await connection.call(request, answer, at_most=at_most)
    finally:
        await connection.close()


class MemoryBroker:
    """Made, started and stopped inside one event loop; clients may be in it, or in any other.

    `settings` and `api_versions` are as in `broker.TemporaryBroker`. The data is on `disk`, also
    over `restart` and `kill`. `clock` and `rng` are for tests whose time stands still: a loop that
    is stepped, and a clock that agrees with it.
    """

    def __init__(
        self,
        settings: Mapping[str, SettingValue] | None = None,
        *,
        api_versions: ApiVersions | None = None,
        disk: MemoryDisk | None = None,
        clock: Clock | None = None,
        rng: Rng | None = None,
    ) -> None:
        self.network = MemoryNetwork(asyncio.get_running_loop())
        self._machine = memory_machine(self.network, disk=disk, clock=clock, rng=rng)
        self._settings = BrokerSettings(memory_settings(settings_for_tests(settings, api_versions)))
        self.faults = Faults(cut_all=lambda: self._proxy.cut_all())
        self._proxy: FaultProxy = MemoryFaultProxy(self.faults, self.network, FRONT)
        self._node: Node | None = None

    @property
    def bootstrap(self) -> str:
        """What clients take; it means something only together with `connector`."""
        return str(FRONT)

    @property
    def connector(self) -> Connector:
        """What clients connect by."""
        return self.network.connect

    @property
    def disk(self) -> MemoryDisk:
        """All data. `disk.crash()` after `kill` lets go of what was not synced."""
        return self._machine.memory

    @property
    def running(self) -> bool:
        return self._node is not None and not self._node.lost.done()

    # -- life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start, and return once clients can connect. Raises UserError where it refuses."""
        if self._node is not None:
            raise UserError("the broker runs")
        self._node = await Node.start(self._settings, self._machine)
        await self._proxy.open()
        self._proxy.target = self._node.address

    async def stop(self) -> None:
        """Stop in order; who connects now is closed at once."""
        node = self._leave()
        if node is not None:
            try:
                await node.stop()
            finally:
                forget_levels()

    async def kill(self) -> None:
        """Let go of everything at once: nothing is flushed, no mark of a clean stop is left."""
        node = self._leave()
        if node is not None:
            self.network.cut(BEHIND)
            try:
                await node.abandon()
            finally:
                forget_levels()

    async def restart(self) -> None:
        """Start again on the same data, after an orderly stop where it still runs."""
        await self.stop()
        await self.start()

    async def close(self) -> None:
        """Stop, and refuse every connection from now on."""
        try:
            await self.stop()
        finally:
            await self._proxy.close()

    def _leave(self) -> Node | None:
        self._proxy.target = None
        node, self._node = self._node, None
        return node

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self._proxy.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    # -- what tests want -------------------------------------------------------------------------

    async def create_topic(
        self,
        name: str | None = None,
        partitions: int = 1,
        *,
        configs: Mapping[str, SettingValue] | None = None,
    ) -> str:
        """Create a topic, under a new name where none is given; its name. No fault is in the way.

        Raises ProtocolError where the broker refuses.
        """
        name = name or f"topic-{secrets.token_hex(4)}"
        request = creation(name, partitions, configs or {})
        created(await ask_in_memory(self.network, request, CreateTopicsResponse))
        return name

    async def delete_topic(self, name: str) -> None:
        """Delete a topic. Raises ProtocolError where the broker refuses."""
        connection = await connect(BEHIND, connector=self.network.connect)
        try:
            request = deletion(name, version=connection.version_of(DeleteTopicsRequest))
            deleted(name, await connection.call(request, DeleteTopicsResponse))
        finally:
            await connection.close()
