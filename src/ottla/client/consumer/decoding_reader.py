"""Hands out records as deserializers make them; a kind of its own, so that others ask for none."""

from __future__ import annotations

from ottla.client.consumer.assigned import AssignedPartition
from ottla.client.consumer.fetcher import Fetcher
from ottla.client.consumer.reader import Reader, Turns
from ottla.client.consumer.record import ConsumerRecord
from ottla.client.consumer.record_decoding import RecordDecoder


class DecodingReader(Reader):
    """A position moves when its record could be read, and was handed out."""

    def __init__(self, fetcher: Fetcher, decoder: RecordDecoder, *, group: Turns | None) -> None:
        super().__init__(fetcher, group=group)
        self._decoder = decoder

    def take_from(self, partition: AssignedPartition) -> ConsumerRecord:
        """Raises RecordDeserializationError."""
        decoded = self._decode(partition, 1)
        if not decoded:
            self.tell(partition)
        super().take_from(partition)
        return decoded[0]

    def _take_some(self, partition: AssignedPartition, count: int) -> list[ConsumerRecord]:
        """None from one on that cannot be read: the position stays there."""
        decoded = self._decode(partition, count)
        if decoded:
            partition.take_records(len(decoded))
        return decoded

    def _decode(self, partition: AssignedPartition, count: int) -> list[ConsumerRecord]:
        """What comes next, and is not handed out; none where `partition.error` now says why."""
        decoded, error = self._decoder.decode(partition.peek_records(count))
        if error is not None and not decoded:
            partition.error = error
        return decoded
