"""How reading fails. A `PartitionError` is about one partition; the others can be read on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ottla.base.errors import ErrorCode, UserError
from ottla.base.ids import TopicPartition

if TYPE_CHECKING:
    from ottla.client.consumer.record import ConsumerRecord


class ConsumerClosedError(UserError):
    """The consumer is closed, was not started, or was stopped by an error that it names."""


class PartitionError(UserError):
    """Why one partition cannot be read on from its position.

    It is raised once, when what was fetched before it has been handed out. Reading again tries
    again from the same position: seek, pause or unassign the partition where that is in vain.
    """

    def __init__(self, partition: TopicPartition, message: str) -> None:
        super().__init__(f"{partition}: {message}")
        self.partition = partition


class NoPositionError(PartitionError):
    """Nobody has said where to begin, and `auto_offset_reset` is none: seek."""


class OffsetOutOfRangeError(PartitionError):
    """The log does not reach to `offset`, or begins behind it; `auto_offset_reset` is none."""

    def __init__(self, partition: TopicPartition, offset: int) -> None:
        super().__init__(partition, f"offset {offset} is out of range")
        self.offset = offset


class LogTruncatedError(PartitionError):
    """Records that were read are not in the log any more (KIP-320); `auto_offset_reset` is none.

    What was read from `diverging_offset` on may be other records now; None where nobody knows.
    """

    def __init__(
        self, partition: TopicPartition, offset: int, diverging_offset: int | None
    ) -> None:
        where = "an unknown offset" if diverging_offset is None else str(diverging_offset)
        super().__init__(partition, f"the log was truncated to {where}, before {offset}")
        self.offset = offset
        self.diverging_offset = diverging_offset


class CorruptRecordsError(PartitionError):
    """What lies at `offset` cannot be read: a wrong checksum, an unknown codec, a broken batch."""

    def __init__(self, partition: TopicPartition, offset: int, reason: str) -> None:
        super().__init__(partition, f"at offset {offset}: {reason}")
        self.offset = offset


class RecordDeserializationError(PartitionError):
    """A deserializer cannot read the `part` ("key" or "value") of `record`, which has the bytes.

    The position stays on it: seek past it to go on.
    """

    def __init__(
        self, partition: TopicPartition, record: ConsumerRecord, part: str, reason: str
    ) -> None:
        super().__init__(partition, f"the {part} at offset {record.offset}: {reason}")
        self.offset = record.offset
        self.part = part
        self.record = record


class FetchRefusedError(PartitionError):
    """The cluster refuses for good; `code` says why."""

    def __init__(self, partition: TopicPartition, code: ErrorCode) -> None:
        super().__init__(partition, code.name)
        self.code = code
