"""`admin.log_dirs` for plain calls."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ottla.base.ids import TopicPartition
from ottla.blocking.client import Runner
from ottla.client.admin.log_dirs import LogDir, Replica, ReplicaPlace
from ottla.client.admin.log_dirs import LogDirs as AsyncioLogDirs
from ottla.client.admin.outcomes import Outcomes


class LogDirs:
    """`admin.log_dirs`: the twin of the asyncio one."""

    def __init__(self, run: Runner, inner: AsyncioLogDirs) -> None:
        self._run = run
        self._inner = inner

    def describe(
        self,
        brokers: Collection[int] | None = None,
        *,
        partitions: Collection[TopicPartition] | None = None,
        timeout_s: float | None = None,
    ) -> Outcomes[int, Mapping[str, LogDir]]:
        """The directories of these brokers, or of all, by broker and path.

        With `partitions`, only those are told.
        """
        return self._run(
            lambda: self._inner.describe(brokers, partitions=partitions, timeout_s=timeout_s)
        )

    def find(
        self, *replicas: Replica, timeout_s: float | None = None
    ) -> Outcomes[Replica, ReplicaPlace]:
        """Where replicas lie, and where they move to."""
        return self._run(lambda: self._inner.find(*replicas, timeout_s=timeout_s))

    def move(
        self, paths: Mapping[Replica, str], *, timeout_s: float | None = None
    ) -> Outcomes[Replica, None]:
        """Let replicas move to other directories of their brokers. The copying goes on behind it:
        `find` tells how far it is.

        For a replica that is not there yet REPLICA_NOT_AVAILABLE is answered, and the wish kept.
        """
        return self._run(lambda: self._inner.move(paths, timeout_s=timeout_s))
