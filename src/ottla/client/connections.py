"""The open connections of one cluster: one for each address and purpose, made when it is needed."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import NamedTuple

from ottla.base.limits import CLIENT_CONNECTIONS_MAX
from ottla.base.world import Rng
from ottla.client.address import Address
from ottla.client.backoff import Backoff
from ottla.client.connection import Connection, connect
from ottla.client.connector import Connector
from ottla.client.errors import ClusterClosedError, NodeUnreachableError
from ottla.client.options import ClusterOptions


class Purpose(Enum):
    """What a connection is for: a broker answers in order, so what may wait long waits alone."""

    GENERAL = "general"
    PRODUCE = "produce"
    FETCH = "fetch"
    FETCH_NOW = "fetch now"
    """Of what is wanted while a fetch waits for news of others."""
    COORDINATOR = "coordinator"
    """Groups: a JoinGroup is answered when its group is complete."""


class _Key(NamedTuple):
    address: Address
    purpose: Purpose


class _Failing(NamedTuple):
    """An address that could not be reached, and when to try it again."""

    backoff: Backoff
    retry_at_s: float


class Connections:
    """Who asks for the same one at the same time waits for the same attempt."""

    def __init__(
        self,
        options: ClusterOptions,
        connector: Connector,
        rng: Rng,
        *,
        count_max: int = CLIENT_CONNECTIONS_MAX,
    ) -> None:
        self._options = options
        self._connector = connector
        self._rng = rng
        self._count_max = count_max
        # In the order of their use, the latest last.
        self._open: dict[_Key, Connection] = {}
        self._attempts: dict[_Key, asyncio.Task[Connection]] = {}
        self._failing: dict[Address, _Failing] = {}
        self._closed = False

    async def get(self, address: Address, purpose: Purpose = Purpose.GENERAL) -> Connection:
        """The connection, or a new one. Raises NodeError, ProtocolError, ClusterClosedError.

        An address that has just failed is tried again after its backoff, which this waits for.
        Cancelled, the attempt goes on for others.
        """
        key = _Key(address, purpose)
        found = self.find(address, purpose)
        if found is not None:
            self._open[key] = self._open.pop(key)
            return found
        if self._closed:
            raise ClusterClosedError("the cluster was closed")
        attempt = self._attempts.get(key)
        if attempt is None:
            self._make_room()
            attempt = self._attempts[key] = asyncio.create_task(self._connect(key))
            attempt.add_done_callback(lambda ended: self._ended(key, ended))
        try:
            return await asyncio.shield(attempt)
        except asyncio.CancelledError:
            if attempt.cancelled() and not _is_cancelled_itself():
                raise ClusterClosedError("the cluster was closed meanwhile") from None
            raise

    def find(self, address: Address, purpose: Purpose = Purpose.GENERAL) -> Connection | None:
        """The connection, if there is one that can be asked."""
        found = self._open.get(_Key(address, purpose))
        if found is None or self._is_over(found):
            return None
        return found

    @property
    def count(self) -> int:
        """Open ones and attempts."""
        return len(self._open) + len(self._attempts)

    def close_idle(self) -> None:
        """Let go of those that are lost, or that nobody has used for long."""
        for key, connection in list(self._open.items()):
            if self._is_over(connection):
                self._open.pop(key).drop()

    async def close(self) -> None:
        """Let go of all; who waits for an attempt gets ClusterClosedError."""
        self._closed = True
        attempts = list(self._attempts.values())
        for attempt in attempts:
            attempt.cancel()
        if attempts:
            await asyncio.wait(attempts)
        connections, self._open = self._open, {}
        for connection in connections.values():
            await connection.close()

    def _is_over(self, connection: Connection) -> bool:
        """Lost, or idle for so long that the broker may hang up at any moment."""
        idle_ms_max = self._options.connections_max_idle_ms
        return connection.is_lost or (
            connection.is_idle and connection.idle_s * 1000 >= idle_ms_max
        )

    def _make_room(self) -> None:
        """Keep to the bound. Raises NodeUnreachableError where all connections are busy."""
        self.close_idle()
        if self.count < self._count_max:
            return
        unused = next((key for key, found in self._open.items() if found.is_idle), None)
        if unused is None:
            raise NodeUnreachableError(f"all {self._count_max} connections of the client are busy")
        self._open.pop(unused).drop("others were needed more")

    async def _connect(self, key: _Key) -> Connection:
        options = self._options
        failing = self._failing.get(key.address)
        if failing is not None:
            await asyncio.sleep(failing.retry_at_s - asyncio.get_running_loop().time())
        return await connect(
            key.address,
            client_id=options.client_id,
            timeout_s=options.request_timeout_ms / 1000,
            setup_timeout_s=options.socket_connection_setup_timeout_ms / 1000,
            connector=self._connector,
        )

    def _ended(self, key: _Key, attempt: asyncio.Task[Connection]) -> None:
        """Note what became of an attempt, before anybody who waits for it goes on."""
        del self._attempts[key]
        if not attempt.cancelled() and attempt.exception() is None:
            self._failing.pop(key.address, None)
            self._open[key] = attempt.result()
        elif not self._closed:
            self._note_failure(key.address)

    def _note_failure(self, address: Address) -> None:
        options = self._options
        failing = self._failing.pop(address, None)
        backoff = (
            Backoff(options.reconnect_backoff_ms, options.reconnect_backoff_max_ms, self._rng)
            if failing is None
            else failing.backoff
        )
        if len(self._failing) >= self._count_max:
            del self._failing[next(iter(self._failing))]
        wait_s = backoff.next_ms() / 1000
        retry_at_s = asyncio.get_running_loop().time() + wait_s
        self._failing[address] = _Failing(backoff, retry_at_s)


def _is_cancelled_itself() -> bool:
    """Whether it is the caller that was cancelled, and not what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
