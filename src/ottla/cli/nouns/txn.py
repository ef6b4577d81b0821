"""Producers of partitions, as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ottla.base.ids import TopicPartition
    from ottla.client.admin.producers import ProducerState

COLUMNS: Final = {
    "topic": "topic",
    "partition": "partition",
    "producer_id": "producer",
    "producer_epoch": "epoch",
    "last_sequence": "sequence",
    "coordinator_epoch": "coordinator epoch",
    "transaction_start_offset": "open from",
    "last_written_at_ms": "last written",
}


def producer_row(partition: TopicPartition, state: ProducerState) -> dict[str, object]:
    """One producer of one partition."""
    return {
        **partition._asdict(),
        "producer_id": state.producer_id,
        "producer_epoch": state.producer_epoch,
        "last_sequence": state.last_sequence,
        "coordinator_epoch": state.coordinator_epoch,
        "transaction_start_offset": state.transaction_start_offset,
        "last_written_at_ms": state.last_timestamp_ms,
    }
