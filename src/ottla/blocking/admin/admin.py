"""Administration for plain calls: the twin of `ottla.client.admin.Admin`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ottla.base.errors import UserError
from ottla.blocking.admin.acls import Acls
from ottla.blocking.admin.client_metrics import ClientMetrics
from ottla.blocking.admin.cluster import ClusterItself
from ottla.blocking.admin.configs import Configs
from ottla.blocking.admin.credentials import Credentials
from ottla.blocking.admin.groups import Groups
from ottla.blocking.admin.log_dirs import LogDirs
from ottla.blocking.admin.offsets import Offsets
from ottla.blocking.admin.partitions import Partitions
from ottla.blocking.admin.producers import Producers
from ottla.blocking.admin.quotas import Quotas
from ottla.blocking.admin.records import Records
from ottla.blocking.admin.tokens import Tokens
from ottla.blocking.admin.topics import Topics
from ottla.blocking.admin.transactions import Transactions
from ottla.blocking.call import Work
from ottla.blocking.client import BlockingClient
from ottla.client.address import Address
from ottla.client.admin import Admin as AsyncioAdmin
from ottla.client.admin import AdminClosedError
from ottla.client.options import ClusterOptions


class Admin(BlockingClient):
    """Administers any Kafka-compatible cluster, from any number of threads.

    with Admin("localhost:9092") as admin:
        admin.topics.create("orders").all()
        print(admin.topics.list())

    Subjects, methods and what they raise are those of the asyncio class.
    """

    def __init__(self, bootstrap: str | Sequence[Address], **settings: Any) -> None:
        """`settings` are those of `ottla.Admin`. Asks nothing yet.

        Raises UserError for a setting that is unknown.
        """
        super().__init__()
        self._inner = inner = AsyncioAdmin(bootstrap, **settings)
        self.topics = Topics(self._run, inner.topics)
        self.records = Records(self._run, inner.records)
        self.offsets = Offsets(self._run, inner.offsets)
        self.groups = Groups(self._run, inner.groups)
        self.configs = Configs(self._run, inner.configs)
        self.producers = Producers(self._run, inner.producers)
        self.transactions = Transactions(self._run, inner.transactions)
        self.log_dirs = LogDirs(self._run, inner.log_dirs)
        self.cluster = ClusterItself(self._run, inner.cluster)
        self.partitions = Partitions(self._run, inner.partitions)
        self.quotas = Quotas(self._run, inner.quotas)
        self.credentials = Credentials(self._run, inner.credentials)
        self.acls = Acls(self._run, inner.acls)
        self.tokens = Tokens(self._run, inner.tokens)
        self.client_metrics = ClientMetrics(self._run, inner.client_metrics)

    @property
    def options(self) -> ClusterOptions:
        """The settings in use."""
        return self._inner.options

    # -- life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin; `with` does it. Raises UserError for what is no address."""
        self._begin(self._inner.start)

    def connect(self) -> None:
        """Reach any node, at once or not at all: for programs that people wait for.

        Raises NodeError, with what each address said.
        """
        self._run(self._inner.connect)

    def close(self) -> None:
        """Let go. Whoever still waits gets ClusterClosedError. Closing twice is fine."""
        self._finish(None)

    def _end(self, timeout_s: float | None) -> Work[None]:
        return self._inner.close

    def _not_open(self) -> UserError:
        return AdminClosedError("administration is closed, or was not started")
