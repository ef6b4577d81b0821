"""What a user may set of a consumer: Kafka's names with underscores, and Kafka's defaults."""

from __future__ import annotations

from typing import Final, Literal, get_args

from msgspec import Struct

from ottla.base.errors import UserError
from ottla.base.limits import MIB
from ottla.client.options import ClusterOptions

AutoOffsetReset = Literal["earliest", "latest", "none"]
IsolationLevel = Literal["read_uncommitted", "read_committed"]

_AT_LEAST_ONE: Final = (
    "fetch_max_bytes",
    "max_partition_fetch_bytes",
    "buffer_memory",
    "max_poll_records",
)


class ConsumerOptions(Struct, frozen=True, kw_only=True):
    """Kafka's consumer settings of the same names; `buffer_memory` is ours."""

    auto_offset_reset: AutoOffsetReset = "latest"
    """Where to begin without a position, and where a position is out of range."""
    isolation_level: IsolationLevel = "read_uncommitted"
    fetch_min_bytes: int = 1
    fetch_max_bytes: int = 50 * MIB
    """One answer of one node; a first batch that is larger comes all the same (KIP-74)."""
    fetch_max_wait_ms: int = 500
    max_partition_fetch_bytes: int = 1 * MIB
    """One partition in one answer; while so much of it is here, it is not fetched."""
    buffer_memory: int = 64 * MIB
    """Fetched batches that nobody has taken, as they came; each leader has an equal share. One
    batch for each leader may come on top."""
    max_poll_records: int = 500
    check_crcs: bool = True
    allow_auto_create_topics: bool = True

    def __post_init__(self) -> None:
        """Raises UserError for what is impossible."""
        if self.auto_offset_reset not in get_args(AutoOffsetReset):
            raise UserError(
                f"auto_offset_reset is earliest, latest or none, not {self.auto_offset_reset!r}"
            )
        if self.isolation_level not in get_args(IsolationLevel):
            raise UserError(
                f"isolation_level is read_uncommitted or read_committed: {self.isolation_level!r}"
            )
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise UserError(f"{name} is at least 1")
        if self.fetch_min_bytes < 0 or self.fetch_max_wait_ms < 0:
            raise UserError("fetch_min_bytes and fetch_max_wait_ms are at least 0")

    def check_with(self, cluster: ClusterOptions) -> None:
        """Raises UserError where a node that waits as it was told would be taken for dead."""
        if self.fetch_max_wait_ms >= cluster.request_timeout_ms:
            raise UserError("fetch_max_wait_ms is less than request_timeout_ms")

    @property
    def is_committed(self) -> bool:
        """Whether only records of committed transactions, and of none, are read."""
        return self.isolation_level == "read_committed"
