"""What a user may set of a producer: Kafka's names with underscores, and Kafka's defaults."""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct

from ottla.base.errors import UserError
from ottla.base.limits import KIB, MIB
from ottla.client.producer.partitioners import MURMUR2, Partitioner, make_partitioner
from ottla.client.serialization import Serializer, check_method
from ottla.wire.records.compression import Codec

ACKS: Final = {"all": -1, "-1": -1, "0": 0, "1": 1}

IDEMPOTENT_IN_FLIGHT_MAX: Final = 5
"""Batches of one partition on their way: a broker remembers the last five of a producer."""


class ProducerOptions(Struct, frozen=True, kw_only=True):
    """Kafka's producer settings of the same names; `batch_bytes` is its `batch.size`."""

    acks: Literal["all", "-1", "0", "1"] | int = "all"
    enable_idempotence: bool | None = None
    """None: on wherever the other settings allow it, as in Kafka."""
    transactional_id: str | None = None
    transaction_timeout_ms: int = 60_000
    linger_ms: float = 5
    """How long a batch that is not full waits for more records."""
    batch_bytes: int = 256 * KIB
    """Uncompressed records of one batch. Sixteen times Kafka's: a batch here costs more than
    a byte does."""
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "none"
    compression_level: int | None = None
    buffer_memory: int = 32 * MIB
    """Records that wait for their acknowledgement, uncompressed."""
    max_request_size: int = 1 * MIB
    max_block_ms: int = 60_000
    """How long `put` waits for room, and a record for the partitions of its topic."""
    max_in_flight_requests_per_connection: int = 5
    retries: int = 2_147_483_647
    retry_backoff_ms: int = 100
    retry_backoff_max_ms: int = 1_000
    request_timeout_ms: int = 30_000
    delivery_timeout_ms: int = 120_000
    """From `send` to the outcome; a request that is on its way then is still waited for."""
    partitioner: str | Partitioner = MURMUR2
    """Kafka's: by the key's hash, batch by batch without a key. Or `consistent_random` (also
    `crc32`), as librdkafka does; `round_robin`; or a callable, see `Partitioner`."""
    key_serializer: Serializer[Any] | None = None
    """Makes bytes of the keys of records that are sent one by one; None: they are bytes."""
    value_serializer: Serializer[Any] | None = None

    def __post_init__(self) -> None:
        """Raises UserError for settings that contradict each other."""
        if str(self.acks) not in ACKS:
            raise UserError(f"acks is one of all, -1, 0, 1, not {self.acks!r}")
        if self.compression.upper() not in Codec.__members__:
            raise UserError(f"compression is none, gzip, snappy, lz4 or zstd: {self.compression!r}")
        if self.transactional_id is not None and self.enable_idempotence is False:
            raise UserError("a transactional_id needs enable_idempotence")
        if (self.enable_idempotence or self.transactional_id is not None) and self._cannot():
            raise UserError(self._cannot())
        for name in ("batch_bytes", "buffer_memory", "max_request_size"):
            if getattr(self, name) <= 0:
                raise UserError(f"{name} is at least 1 byte")
        make_partitioner(self.partitioner)
        for name in ("key_serializer", "value_serializer"):
            check_method(name, "serialize", getattr(self, name))
        if self.max_in_flight_requests_per_connection < 1:
            raise UserError("max_in_flight_requests_per_connection is at least 1")
        if self.delivery_timeout_ms < self.linger_ms + self.request_timeout_ms:
            raise UserError("delivery_timeout_ms is at least linger_ms + request_timeout_ms")

    def _cannot(self) -> str:
        if self.acks_number != -1:
            return "idempotence needs acks=all"
        if self.retries == 0:
            return "idempotence needs retries"
        if self.max_in_flight_requests_per_connection > IDEMPOTENT_IN_FLIGHT_MAX:
            return "idempotence needs max_in_flight_requests_per_connection of at most 5"
        return ""

    @property
    def acks_number(self) -> int:
        """As in the protocol: -1 for all in-sync replicas."""
        return ACKS[str(self.acks)]

    @property
    def is_idempotent(self) -> bool:
        """Whether each record is stored once and in order, whatever is sent twice."""
        return not self._cannot() if self.enable_idempotence is None else self.enable_idempotence

    @property
    def codec(self) -> Codec:
        """How batches are compressed."""
        return Codec[self.compression.upper()]
