"""One listening address: accepts, admits, and closes what idles or stalls."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from ottla.base.errors import UserError
from ottla.base.limits import READ_SCRATCH_BYTES
from ottla.base.world import Clock
from ottla.quotas.connections import Admission
from ottla.transport.connection import Connection, FrameHandler
from ottla.transport.read_budget import ReadBudget

log = logging.getLogger(__name__)

IDLE_SWEEPS_PER_LIMIT = 10
SHORTAGE_CHECK_SECONDS = 0.05
OS_DEFAULT = -1
NO_IPS: Mapping[str, int] = MappingProxyType({})


class ListenerLimits(NamedTuple):
    """What one listener allows; the names of the settings are in the comments."""

    request_bytes_max: int  # socket.request.max.bytes
    connections_max: int  # max.connections
    connections_per_ip_max: int  # max.connections.per.ip
    idle_ms_max: int  # connections.max.idle.ms
    backlog: int  # socket.listen.backlog.size
    send_buffer_bytes: int  # socket.send.buffer.bytes
    receive_buffer_bytes: int  # socket.receive.buffer.bytes
    connections_of_ips: Mapping[str, int] = NO_IPS  # max.connections.per.ip.overrides


class ReadMemory:
    """What all listeners of one loop share: the scratch and the budget of large frames."""

    def __init__(self, budget_bytes: int) -> None:
        self.scratch = memoryview(bytearray(READ_SCRATCH_BYTES))
        self.budget = ReadBudget(budget_bytes)


class Listener:
    """Accepts connections on one address and owns them until they are gone."""

    def __init__(
        self,
        name: str,
        handler: FrameHandler,
        memory: ReadMemory,
        limits: ListenerLimits,
        clock: Clock,
    ) -> None:
        self.name = name
        self.handler = handler
        self.scratch = memory.scratch
        self.budget = memory.budget
        self.request_bytes_max = limits.request_bytes_max
        self.clock = clock
        self.loop = asyncio.get_running_loop()
        self.connections: set[Connection] = set()
        self.accepted_count = 0
        self.refused_count = 0
        self._limits = limits
        self._per_ip: Counter[str] = Counter()
        self._ask: Callable[[str], Admission | None] | None = None
        self.address: tuple[str, int] = ("", 0)
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._shortage_timer: asyncio.TimerHandle | None = None
        self._all_left = asyncio.Event()

    def bind(self, host: str, port: int) -> None:
        """Take the address; `address` is what was bound (port 0 picks a free one).

        Raises UserError where it is taken, foreign or not allowed.
        """
        self._sockets = bind(host, port, backlog=self._limits.backlog)
        self.address = self._sockets[0].getsockname()[:2]

    async def accept(self) -> None:
        """Begin to serve."""
        for sock in self._sockets:
            server = await self.loop.create_server(
                lambda: Connection(self), sock=sock, backlog=self._limits.backlog
            )
            self._servers.append(server)
        if self._limits.idle_ms_max >= 0:
            self._schedule_sweep()

    def limit_connections(
        self, connections_max: int, per_ip_max: int, of_ips: Mapping[str, int] = NO_IPS
    ) -> None:
        """Hold those who come from now on to other limits; nobody is sent away."""
        self._limits = self._limits._replace(
            connections_max=connections_max,
            connections_per_ip_max=per_ip_max,
            connections_of_ips=of_ips,
        )

    def ask_before_admitting(self, ask: Callable[[str], Admission | None]) -> None:
        """Let somebody else say, by the address, what becomes of each new connection."""
        self._ask = ask

    def stop_accepting(self) -> None:
        """Give the address back, whether or not anybody was accepted there."""
        for server in self._servers:
            server.close()
        for sock in self._sockets[len(self._servers) :]:
            sock.close()

    async def stop(self, grace_seconds: float) -> None:
        """Accept no more, let every connection send what it owes, then close them."""
        self.stop_accepting()
        for timer in (self._sweep_timer, self._shortage_timer):
            if timer is not None:
                timer.cancel()
        for connection in list(self.connections):
            connection.finish()
        if self.connections:
            self._all_left.clear()  # all may have left before, and others come since
            try:
                await asyncio.wait_for(self._all_left.wait(), grace_seconds)
            except TimeoutError:
                log.warning("closing connections that did not take their answers in time")
        for connection in list(self.connections):
            connection.close()

    # -- what connections tell -------------------------------------------------------------------

    def admit(self, connection: Connection) -> bool:
        """Whether a new connection may stay."""
        ip = connection.peer_address[0]
        if len(self.connections) >= self._limits.connections_max:
            log.warning("refused a connection: max.connections is reached", extra={"peer": ip})
            self.refused_count += 1
            return False
        limits = self._limits
        if self._per_ip[ip] >= limits.connections_of_ips.get(ip, limits.connections_per_ip_max):
            log.warning(
                "refused a connection: max.connections.per.ip is reached", extra={"peer": ip}
            )
            self.refused_count += 1
            return False
        self.accepted_count += 1
        self._per_ip[ip] += 1
        self.connections.add(connection)
        self._tune(connection)
        admission = None if self._ask is None else self._ask(ip)
        if admission is not None and admission.wait_ms:
            self._postpone(connection, admission)
        return True

    def _postpone(self, connection: Connection, admission: Admission) -> None:
        """Serve or close a connection later."""
        connection.mute(admission.wait_ms)
        if not admission.may_stay:
            log.info(
                "closing a connection: its address makes too many",
                extra={"peer": connection.peer_address[0]},
            )
            self.loop.call_later(admission.wait_ms / 1000, connection.close)

    def left(self, connection: Connection) -> None:
        """A connection is gone, admitted or not."""
        if connection not in self.connections:
            return
        self.connections.discard(connection)
        ip = connection.peer_address[0]
        self._per_ip[ip] -= 1
        if not self._per_ip[ip]:
            del self._per_ip[ip]
        self.handler.closed(connection)
        if not self.connections:
            self._all_left.set()

    def memory_is_short(self) -> None:
        """A connection waits for read budget: see now, and every now and then, who stalls."""
        if self._shortage_timer is None:
            self._shortage_timer = self.loop.call_later(0, self._relieve_shortage)

    def _relieve_shortage(self) -> None:
        self._shortage_timer = None
        self.budget.evict_stalled(self.clock.monotonic_ms())
        if self.budget.waiting:
            self._shortage_timer = self.loop.call_later(
                SHORTAGE_CHECK_SECONDS, self._relieve_shortage
            )

    def _tune(self, connection: Connection) -> None:
        for option, size in (
            (socket.SO_SNDBUF, self._limits.send_buffer_bytes),
            (socket.SO_RCVBUF, self._limits.receive_buffer_bytes),
        ):
            if size != OS_DEFAULT:
                connection.set_socket_option(socket.SOL_SOCKET, option, size)

    def _schedule_sweep(self) -> None:
        seconds = max(self._limits.idle_ms_max / 1000 / IDLE_SWEEPS_PER_LIMIT, 0.01)
        self._sweep_timer = self.loop.call_later(seconds, self._close_idle)

    def _close_idle(self) -> None:
        oldest_ms = self.clock.monotonic_ms() - self._limits.idle_ms_max
        for connection in list(self.connections):
            if connection.last_progress_ms < oldest_ms and not connection.busy:
                log.info("closed an idle connection", extra={"peer": connection.peer})
                connection.close()
        self._schedule_sweep()


def bind(host: str, port: int, *, backlog: int, option: str = "--listen") -> list[socket.socket]:
    """Listening sockets for every address that `host` means; an empty host means all interfaces.

    Raises UserError; it names the `option` that would help.
    """
    # As bytes: any text would load the tables of IDNA, 2 ms that few names need.
    name = host.encode() if host.isascii() else host
    try:
        found = socket.getaddrinfo(
            name or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (socket.gaierror, UnicodeError) as error:  # the latter where IDNA has no such name
        raise UserError(f"cannot listen on {host}:{port}: no such host ({error})") from error
    bound: list[socket.socket] = []
    # IPv4 first: it is the address that is told where one must be chosen.
    for family, kind, protocol, _, address in sorted(found):
        sock = socket.socket(family, kind, protocol)
        try:
            _bind_one(sock, family, (*address[:1], port, *address[2:]), backlog)
        except OSError as error:
            sock.close()
            if bound and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                continue  # a name with an IPv6 address on a host without IPv6
            for other in bound:
                other.close()
            raise UserError(_why_not_bound(host, port, error, option)) from error
        port = sock.getsockname()[1]
        bound.append(sock)
    return bound


def _bind_one(sock: socket.socket, family: int, address: tuple[object, ...], backlog: int) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind(address)
    sock.listen(backlog)
    sock.setblocking(False)


def _why_not_bound(host: str, port: int, error: OSError, option: str) -> str:
    where = f"{host or '*'}:{port}"
    if error.errno == errno.EADDRINUSE:
        return (
            f"cannot listen on {where}: another program listens there. "
            f"Stop it, or choose another port with {option} (port 0 picks a free one)."
        )
    if error.errno == errno.EACCES:
        return f"cannot listen on {where}: ports below 1024 need privileges. Choose a higher port."
    return f"cannot listen on {where}: {error.strerror}"
