"""How sending fails. A `DeliveryError` says what became of one batch, for each of its records."""

from __future__ import annotations

from ottla.base.errors import ErrorCode, UserError


class ProducerClosedError(UserError):
    """The producer was closed, or stopped by an error that it names."""


class BufferFullError(UserError):
    """`buffer_memory` holds no more. Await something, or use `put`, which waits for room."""


class RecordTooLargeError(UserError):
    """The record alone is longer than `max_request_size`."""


class PartitionerError(UserError):
    """The partitioner that was set has failed, or chosen a partition that is not there."""


class DeliveryError(UserError):
    """The records were not stored; `code` is what the cluster answered."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code


class DeliveryTimeoutError(DeliveryError):
    """`delivery_timeout_ms` is over; the records were never sent, or surely not stored."""


class OutcomeUnknownError(DeliveryTimeoutError):
    """The records were sent, and nobody knows whether they are stored."""


class TransactionError(UserError):
    """The transaction cannot go on. Abort it, then begin another."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code


class ProducerFencedError(TransactionError):
    """Another producer has this transactional id now: this one can only be closed."""


class TransactionAbortedError(UserError):
    """The record was part of a transaction that is aborted."""
