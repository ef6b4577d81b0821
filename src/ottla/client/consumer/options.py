"""What a user may set of a consumer: Kafka's names with underscores, and Kafka's defaults."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, get_args

from msgspec import Struct

from ottla.base.errors import UserError
from ottla.base.limits import MIB
from ottla.client.consumer.assignors import BY_NAME, Assignor
from ottla.client.options import ClusterOptions
from ottla.client.serialization import Deserializer, check_method

GroupProtocol = Literal["classic", "consumer"]
AutoOffsetReset = Literal["earliest", "latest", "none"]
IsolationLevel = Literal["read_uncommitted", "read_committed"]

_AT_LEAST_ONE: Final = (
    "fetch_max_bytes",
    "max_partition_fetch_bytes",
    "buffer_memory",
    "max_poll_records",
    "session_timeout_ms",
    "heartbeat_interval_ms",
    "max_poll_interval_ms",
    "auto_commit_interval_ms",
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
    """Fetched batches that nobody has taken, as they came; each node has an equal share. One
    batch for each request on its way may come on top."""
    max_poll_records: int = 500
    check_crcs: bool = True
    allow_auto_create_topics: bool = True
    client_rack: str = ""
    """Where the program runs, by the words of the brokers' `broker.rack`."""

    group_id: str | None = None
    """Share topics with the others of this name, and commit positions."""
    group_protocol: GroupProtocol = "classic"
    """`consumer` is that of KIP-848, which brokers from 4.0 on speak."""
    group_instance_id: str | None = None
    """A static member: it may come back within its session without a rebalance (KIP-345)."""
    group_remote_assignor: str | None = None
    """Which assignor the brokers shall use; only with `group_protocol="consumer"`."""
    partition_assignment_strategy: Sequence[str | Assignor] = ("range", "cooperative-sticky")
    """Names or assignors, the best first; not with `group_protocol="consumer"`."""
    session_timeout_ms: int = 45_000
    """A classic group puts out who was silent for so long; else the brokers decide."""
    heartbeat_interval_ms: int = 3_000
    max_poll_interval_ms: int = 300_000
    """Who does not read for so long leaves; also how long a rebalance waits for this member."""
    enable_auto_commit: bool = True
    """Whether what was handed out before a read is committed by it: at intervals, and always
    before partitions go."""
    auto_commit_interval_ms: int = 5_000
    exclude_internal_topics: bool = True
    """Whether patterns pass over the brokers' own topics."""
    key_deserializer: Deserializer[Any] | None = None
    """Reads the keys of records that are handed out one by one; None: they stay bytes."""
    value_deserializer: Deserializer[Any] | None = None

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
        for name in ("key_deserializer", "value_deserializer"):
            check_method(name, "deserialize", getattr(self, name))
        self._check_group()

    def _check_group(self) -> None:
        if self.group_protocol not in get_args(GroupProtocol):
            raise UserError(f"group_protocol is classic or consumer, not {self.group_protocol!r}")
        for name in ("group_id", "group_instance_id"):
            if getattr(self, name) == "":
                raise UserError(f"{name} is not empty")
        if self.group_instance_id is not None and self.group_id is None:
            raise UserError("a group_instance_id is that of a member: it needs a group_id")
        if self.group_remote_assignor is not None and self.group_protocol == "classic":
            raise UserError('group_remote_assignor is for group_protocol="consumer"')
        if self.heartbeat_interval_ms >= self.session_timeout_ms:
            raise UserError("heartbeat_interval_ms is less than session_timeout_ms")
        self.assignors()

    def assignors(self) -> list[Assignor]:
        """Those that are offered, the best first. Raises UserError for a name that is unknown."""
        made: list[Assignor] = []
        if isinstance(self.partition_assignment_strategy, str):
            raise UserError("partition_assignment_strategy is a list")
        for named in self.partition_assignment_strategy:
            found = BY_NAME.get(named) if isinstance(named, str) else named
            if found is None:
                known = ", ".join(sorted(BY_NAME))
                raise UserError(f"there is no assignor {named!r}, but {known}")
            made.append(found)
        if not made:
            raise UserError("partition_assignment_strategy names at least one")
        return made

    def check_with(self, cluster: ClusterOptions) -> None:
        """Raises UserError where a node that waits as it was told would be taken for dead."""
        if self.fetch_max_wait_ms >= cluster.request_timeout_ms:
            raise UserError("fetch_max_wait_ms is less than request_timeout_ms")

    @property
    def is_committed(self) -> bool:
        """Whether only records of committed transactions, and of none, are read."""
        return self.isolation_level == "read_committed"
