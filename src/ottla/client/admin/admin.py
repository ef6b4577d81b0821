"""Administration: the door to all that can be asked of a cluster, and changed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from msgspec.structs import fields

from ottla.base.errors import UserError
from ottla.client.address import Address
from ottla.client.admin.asking import Asking
from ottla.client.cluster import Cluster
from ottla.client.options import ClusterOptions

if TYPE_CHECKING:
    from ottla.client.admin.acls import Acls
    from ottla.client.admin.client_metrics import ClientMetrics
    from ottla.client.admin.cluster import ClusterItself
    from ottla.client.admin.configs import Configs
    from ottla.client.admin.credentials import Credentials
    from ottla.client.admin.groups import Groups
    from ottla.client.admin.log_dirs import LogDirs
    from ottla.client.admin.offsets import Offsets
    from ottla.client.admin.partitions import Partitions
    from ottla.client.admin.producers import Producers
    from ottla.client.admin.quotas import Quotas
    from ottla.client.admin.records import Records
    from ottla.client.admin.tokens import Tokens
    from ottla.client.admin.topics import Topics
    from ottla.client.admin.transactions import Transactions


class Admin:
    """Administers any Kafka-compatible cluster, from one event loop.

    async with Admin("localhost:9092") as admin:
        (await admin.topics.create("orders")).all()
        print(await admin.topics.list())

    Each subject is an attribute. What is about many things answers with `Outcomes`: the result or
    the error of each. What is about one raises RefusedError; DeadlineError where the time was over
    (`timeout_s`, or `default_api_timeout_ms`); UnsupportedByBrokerError where the broker does not
    offer it. Whatever may pass is tried again until then, as Kafka's own client does, at the node
    that is the right one by then. A call may be cancelled at any time; what was asked of a broker
    may have been done.
    """

    def __init__(self, bootstrap: str | Sequence[Address], **settings: Any) -> None:
        """`settings` are those of `ClusterOptions`. Asks nothing yet.

        Raises UserError for a setting that is unknown.
        """
        self.options = _read(settings)
        self._bootstrap = bootstrap
        self._cluster: Cluster | None = None
        self._is_closed = False
        self._asking = Asking()

    # -- subjects, each imported when it is first asked for: commands start at once ---------------

    @cached_property
    def topics(self) -> Topics:
        from ottla.client.admin.topics import Topics

        return Topics(self._asking)

    @cached_property
    def records(self) -> Records:
        from ottla.client.admin.records import Records

        return Records(self._asking)

    @cached_property
    def offsets(self) -> Offsets:
        from ottla.client.admin.offsets import Offsets

        return Offsets(self._asking)

    @cached_property
    def groups(self) -> Groups:
        from ottla.client.admin.groups import Groups

        return Groups(self._asking, self.offsets)

    @cached_property
    def configs(self) -> Configs:
        from ottla.client.admin.configs import Configs

        return Configs(self._asking)

    @cached_property
    def producers(self) -> Producers:
        from ottla.client.admin.producers import Producers

        return Producers(self._asking)

    @cached_property
    def transactions(self) -> Transactions:
        from ottla.client.admin.transactions import Transactions

        return Transactions(self._asking, self.topics, self.producers)

    @cached_property
    def log_dirs(self) -> LogDirs:
        from ottla.client.admin.log_dirs import LogDirs

        return LogDirs(self._asking)

    @cached_property
    def cluster(self) -> ClusterItself:
        from ottla.client.admin.cluster import ClusterItself

        return ClusterItself(self._asking)

    @cached_property
    def partitions(self) -> Partitions:
        from ottla.client.admin.partitions import Partitions

        return Partitions(self._asking)

    @cached_property
    def quotas(self) -> Quotas:
        from ottla.client.admin.quotas import Quotas

        return Quotas(self._asking)

    @cached_property
    def credentials(self) -> Credentials:
        from ottla.client.admin.credentials import Credentials

        return Credentials(self._asking)

    @cached_property
    def acls(self) -> Acls:
        from ottla.client.admin.acls import Acls

        return Acls(self._asking)

    @cached_property
    def tokens(self) -> Tokens:
        from ottla.client.admin.tokens import Tokens

        return Tokens(self._asking)

    @cached_property
    def client_metrics(self) -> ClientMetrics:
        from ottla.client.admin.client_metrics import ClientMetrics

        return ClientMetrics(self.configs)

    # -- life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin; `async with` does it. Raises UserError for what is no address."""
        if self._cluster is not None or self._is_closed:
            raise UserError("administration is started once")
        self._cluster = Cluster(self._bootstrap, self.options)
        await self.start_on(self._cluster)

    async def start_on(self, cluster: Cluster) -> None:
        """Begin on this cluster, which stays open at the end: for tests, and shared connections."""
        self._asking.start(cluster)

    async def connect(self) -> None:
        """Reach any node, at once or not at all: for programs that people wait for.

        Raises NodeError, with what each address said.
        """
        await self._asking.cluster.any_node()

    async def close(self) -> None:
        """Let go. Whoever still waits gets ClusterClosedError. Closing twice is fine."""
        self._is_closed = True
        self._asking.stop()
        if self._cluster is not None:
            await self._cluster.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


def _read(settings: dict[str, Any]) -> ClusterOptions:
    known = {field.name for field in fields(ClusterOptions)}
    unknown = sorted(settings.keys() - known)
    if unknown:
        raise UserError(f"administration has no setting {', '.join(unknown)}")
    return ClusterOptions(**settings)
