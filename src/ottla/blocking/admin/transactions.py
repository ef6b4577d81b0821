"""`admin.transactions` for plain calls."""

from __future__ import annotations

from collections.abc import Collection

from ottla.base.ids import TopicPartition
from ottla.blocking.client import Runner
from ottla.client.admin.hanging import MAX_TIMEOUT_MS, OpenTransaction
from ottla.client.admin.outcomes import Outcomes
from ottla.client.admin.transaction_descriptions import (
    AbortSpec,
    FencedProducer,
    TransactionDescription,
    TransactionListing,
    TransactionState,
)
from ottla.client.admin.transactions import Transactions as AsyncioTransactions


class Transactions:
    """`admin.transactions`: the twin of the asyncio one."""

    def __init__(self, run: Runner, inner: AsyncioTransactions) -> None:
        self._run = run
        self._inner = inner

    def list(
        self,
        *,
        states: Collection[TransactionState] = (),
        producer_ids: Collection[int] = (),
        open_longer_than_ms: int = -1,
        pattern: str | None = None,
        timeout_s: float | None = None,
    ) -> tuple[TransactionListing, ...]:
        """All transactional ids that pass every filter (Kafka 2.8), in order.

        `open_longer_than_ms` needs Kafka 3.8, `pattern` (for whole ids, in RE2's syntax) 4.1.
        Raises the error of the first broker that could not be asked; `list_by_broker` tells what
        the others have said.
        """
        return self._run(
            lambda: self._inner.list(
                states=states,
                producer_ids=producer_ids,
                open_longer_than_ms=open_longer_than_ms,
                pattern=pattern,
                timeout_s=timeout_s,
            )
        )

    def list_by_broker(
        self,
        *,
        states: Collection[TransactionState] = (),
        producer_ids: Collection[int] = (),
        open_longer_than_ms: int = -1,
        pattern: str | None = None,
        timeout_s: float | None = None,
    ) -> Outcomes[int, tuple[TransactionListing, ...]]:
        """Those that each broker coordinates, by the broker's id."""
        return self._run(
            lambda: self._inner.list_by_broker(
                states=states,
                producer_ids=producer_ids,
                open_longer_than_ms=open_longer_than_ms,
                pattern=pattern,
                timeout_s=timeout_s,
            )
        )

    def describe(
        self, *transactional_ids: str, timeout_s: float | None = None
    ) -> Outcomes[str, TransactionDescription]:
        """What coordinators know, by id (Kafka 2.8); TRANSACTIONAL_ID_NOT_FOUND otherwise."""
        return self._run(lambda: self._inner.describe(*transactional_ids, timeout_s=timeout_s))

    def fence(
        self, *transactional_ids: str, timeout_s: float | None = None
    ) -> Outcomes[str, FencedProducer]:
        """Let whoever uses these ids write no more; what it has open is aborted. By id."""
        return self._run(lambda: self._inner.fence(*transactional_ids, timeout_s=timeout_s))

    def abort(
        self, *specs: AbortSpec, timeout_s: float | None = None
    ) -> Outcomes[TopicPartition, None]:
        """Write markers that abort open transactions, past their coordinators; by partition.

        Only for transactions that hang: `find_hanging`. An epoch that is not the current one is
        refused with INVALID_PRODUCER_EPOCH, an older coordinator's with
        TRANSACTION_COORDINATOR_FENCED.
        """
        return self._run(lambda: self._inner.abort(*specs, timeout_s=timeout_s))

    def abort_at(
        self, partition: TopicPartition, start_offset: int, *, timeout_s: float | None = None
    ) -> None:
        """Abort the transaction that begins at this offset of a partition.

        Raises RefusedError, with INVALID_TXN_STATE where none that is open begins there.
        """
        return self._run(lambda: self._inner.abort_at(partition, start_offset, timeout_s=timeout_s))

    def find_hanging(
        self,
        *partitions: TopicPartition,
        topic: str | None = None,
        broker_id: int | None = None,
        max_transaction_timeout_ms: int = MAX_TIMEOUT_MS,
        timeout_s: float | None = None,
    ) -> tuple[OpenTransaction, ...]:
        """Transactions that are open in partitions, and whose coordinator knows nothing of them.

        Of these partitions, of a topic, of what a broker holds, or without any of them of all
        topics. Those that wrote within `max_transaction_timeout_ms`, the most that brokers allow,
        cannot be told from others yet. Raises the first error of what has to be asked.
        """
        return self._run(
            lambda: self._inner.find_hanging(
                *partitions,
                topic=topic,
                broker_id=broker_id,
                max_transaction_timeout_ms=max_transaction_timeout_ms,
                timeout_s=timeout_s,
            )
        )
