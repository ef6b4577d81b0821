"""What a request does to one transactional id."""

from __future__ import annotations

from typing import Final, NamedTuple

from ottla.base.errors import ErrorCode
from ottla.transactions.transaction import NO_IDENTITY, Transaction


class Step(NamedTuple):
    """An answer, and the transaction as it is from now on; None where it stays as it was.

    `producer` (id and epoch) is for the client. `resumable_epoch` is the epoch before this one, of
    a client that may not have heard of the change and ask again (KIP-360); -1 where nobody may.
    """

    error: ErrorCode = ErrorCode.NONE
    transaction: Transaction | None = None
    producer: tuple[int, int] = NO_IDENTITY
    resumable_epoch: int | None = None
    needs_producer_id: bool = False


NEEDS_PRODUCER_ID: Final = Step(needs_producer_id=True)
"""Ask again with a producer id that nobody ever had."""


def refused(error: ErrorCode) -> Step:
    return Step(error)
