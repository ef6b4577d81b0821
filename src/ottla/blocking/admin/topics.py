"""`admin.topics` for plain calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ottla.blocking.client import Runner
from ottla.client.admin.outcomes import Outcomes
from ottla.client.admin.topic_descriptions import TopicDescription, TopicListing
from ottla.client.admin.topics import CreatedTopic, NewTopic
from ottla.client.admin.topics import Topics as AsyncioTopics


class Topics:
    """`admin.topics`: the twin of the asyncio one."""

    def __init__(self, run: Runner, inner: AsyncioTopics) -> None:
        self._run = run
        self._inner = inner

    def create(
        self,
        *topics: NewTopic | str,
        validate_only: bool = False,
        timeout_s: float | None = None,
    ) -> Outcomes[str, CreatedTopic]:
        """Create, or with `validate_only` only ask whether it would be done; by name.

        A topic given by its name alone has the broker's defaults. One that is there already is
        refused with TOPIC_ALREADY_EXISTS, also where a first try has made it and its answer was
        lost.
        """
        return self._run(
            lambda: self._inner.create(*topics, validate_only=validate_only, timeout_s=timeout_s)
        )

    def delete(self, *names: str, timeout_s: float | None = None) -> Outcomes[str, None]:
        """Delete topics and everything in them, by name."""
        return self._run(lambda: self._inner.delete(*names, timeout_s=timeout_s))

    def delete_ids(
        self, *topic_ids: bytes, timeout_s: float | None = None
    ) -> Outcomes[bytes, None]:
        """Delete topics by id: never one that was made anew under the same name."""
        return self._run(lambda: self._inner.delete_ids(*topic_ids, timeout_s=timeout_s))

    def add_partitions(
        self,
        counts: Mapping[str, int],
        *,
        assignments: Mapping[str, Sequence[Sequence[int]]] = {},
        validate_only: bool = False,
        timeout_s: float | None = None,
    ) -> Outcomes[str, None]:
        """Let topics have so many partitions in all; by name.

        `assignments` are the replicas of the added partitions, in order; the cluster places those
        of topics that are not in it.
        """
        return self._run(
            lambda: self._inner.add_partitions(
                counts, assignments=assignments, validate_only=validate_only, timeout_s=timeout_s
            )
        )

    def list(
        self, *, internal: bool = False, timeout_s: float | None = None
    ) -> tuple[TopicListing, ...]:
        """All topics by name; with `internal`, those that brokers keep for themselves, too."""
        return self._run(lambda: self._inner.list(internal=internal, timeout_s=timeout_s))

    def describe(
        self,
        *names: str,
        authorized_operations: bool = False,
        timeout_s: float | None = None,
    ) -> Outcomes[str, TopicDescription]:
        """Topics with their partitions, by name. Creates none.

        With `authorized_operations`, what this client may do with them, from Kafka 2.3 on. Where a
        broker serves DescribeTopicPartitions (KIP-966), who else may lead is told, too.
        """
        return self._run(
            lambda: self._inner.describe(
                *names, authorized_operations=authorized_operations, timeout_s=timeout_s
            )
        )

    def describe_ids(
        self,
        *topic_ids: bytes,
        authorized_operations: bool = False,
        timeout_s: float | None = None,
    ) -> Outcomes[bytes, TopicDescription]:
        """The same by id, from Kafka 3.1 on."""
        return self._run(
            lambda: self._inner.describe_ids(
                *topic_ids, authorized_operations=authorized_operations, timeout_s=timeout_s
            )
        )
