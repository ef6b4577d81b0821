"""How many partitions one request of administration may name."""

from __future__ import annotations

from collections.abc import Iterable, Sized

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import PARTITIONS_NAMED_PER_REQUEST_MAX


def check_partitions_named(topics: Iterable[Sized]) -> None:
    """Raises ProtocolError(INVALID_REQUEST), which no answer should tell of each partition."""
    count = sum(map(len, topics))
    if count > PARTITIONS_NAMED_PER_REQUEST_MAX:
        raise ProtocolError(
            ErrorCode.INVALID_REQUEST,
            f"the request names {count} partitions: {PARTITIONS_NAMED_PER_REQUEST_MAX} are the "
            "most, split it",
        )
