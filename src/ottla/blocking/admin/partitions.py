"""`admin.partitions` for plain calls."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ottla.base.ids import TopicPartition
from ottla.blocking.client import Runner
from ottla.client.admin.outcomes import Outcomes
from ottla.client.admin.partitions import Election, Reassignment
from ottla.client.admin.partitions import Partitions as AsyncioPartitions


class Partitions:
    """`admin.partitions`: the twin of the asyncio one."""

    def __init__(self, run: Runner, inner: AsyncioPartitions) -> None:
        self._run = run
        self._inner = inner

    def elect_leaders(
        self,
        partitions: Collection[TopicPartition] | None = None,
        *,
        election: Election = Election.PREFERRED,
        timeout_s: float | None = None,
    ) -> Outcomes[TopicPartition, bool]:
        """Let partitions elect their leaders, or all that need it where None (Kafka 2.2).

        The result is whether another one leads now: false where the right one does already.
        UNCLEAN needs Kafka 2.4.
        """
        return self._run(
            lambda: self._inner.elect_leaders(partitions, election=election, timeout_s=timeout_s)
        )

    def reassign(
        self,
        replicas: Mapping[TopicPartition, Sequence[int] | None],
        *,
        allow_replication_factor_change: bool = True,
        timeout_s: float | None = None,
    ) -> Outcomes[TopicPartition, None]:
        """Let brokers take over partitions, the preferred leader first (Kafka 2.4).

        None cancels what goes on. The moving itself goes on behind it: `list_reassignments`.
        """
        return self._run(
            lambda: self._inner.reassign(
                replicas,
                allow_replication_factor_change=allow_replication_factor_change,
                timeout_s=timeout_s,
            )
        )

    def list_reassignments(
        self,
        partitions: Collection[TopicPartition] | None = None,
        *,
        timeout_s: float | None = None,
    ) -> dict[TopicPartition, Reassignment]:
        """Which of these partitions, or of all, move now (Kafka 2.4)."""
        return self._run(lambda: self._inner.list_reassignments(partitions, timeout_s=timeout_s))
