"""What an error code says of a batch that was sent."""

from __future__ import annotations

from enum import Enum
from typing import Final

from ottla.base.errors import ErrorCode
from ottla.client.remedies import remedy_of


class Outcome(Enum):
    """What to do with the batch."""

    STORED = "stored"
    STORED_BEFORE = "stored by an earlier try, at an offset that nobody remembers"
    REPEAT = "surely not stored by this try; send it again"
    REPEAT_IN_DOUBT = "perhaps stored; send it again"
    OUT_OF_ORDER = "surely not stored: what comes before it is missing"
    TOO_LARGE = "refused for its size"
    REFUSED = "refused for good"


_IN_DOUBT: Final = {
    # The records are in the leader's log; only the others' acknowledgement is missing.
    ErrorCode.REQUEST_TIMED_OUT,
    ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    # A disk that failed while it wrote may show the batch again after a restart.
    ErrorCode.KAFKA_STORAGE_ERROR,
}

_SEQUENCE_LOST: Final = {
    ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
    ErrorCode.UNKNOWN_PRODUCER_ID,
    ErrorCode.INVALID_PRODUCER_EPOCH,
}
"""With these the broker has not stored the batch, nor an earlier copy that it remembers."""


def outcome_of(code: ErrorCode, *, idempotent: bool, transactional: bool) -> Outcome:
    """What the code means for the batch.

    In a transaction a gap in the sequences ends the transaction; only what an earlier batch's
    retry explains is repeated. An epoch that is refused there means that somebody else is this
    producer now.
    """
    if code is ErrorCode.NONE:
        return Outcome.STORED
    if code is ErrorCode.DUPLICATE_SEQUENCE_NUMBER:
        return Outcome.STORED_BEFORE
    if code in (ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.RECORD_LIST_TOO_LARGE):
        return Outcome.TOO_LARGE
    if code in _SEQUENCE_LOST and idempotent:
        if transactional and code is ErrorCode.INVALID_PRODUCER_EPOCH:
            return Outcome.REFUSED
        return Outcome.OUT_OF_ORDER
    if not remedy_of(code).retriable:
        return Outcome.REFUSED
    return Outcome.REPEAT_IN_DOUBT if code in _IN_DOUBT else Outcome.REPEAT
