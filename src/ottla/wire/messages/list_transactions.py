"""ListTransactions (key 66): the transactional ids that this broker coordinates (KIP-664).

Versions: 1 those open for long (KIP-994) · 2 by pattern (KIP-1152).
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Array,
    Int16,
    Int32,
    Int64,
    Message,
    NullableString,
    String,
    Structure,
    message,
    since,
)


@message(key=66, versions="0-2", flexible="0+")
class ListTransactionsRequest(Message, kw_only=True):
    """Which transactions; they must pass every filter, and an empty one lets all pass."""

    state_filters: Array[String] = []
    producer_id_filters: Array[Int64] = []
    duration_filter: Annotated[Int64, since(1)] = -1
    """Open for longer than so many milliseconds; below 0, all."""
    transactional_id_pattern: Annotated[NullableString, since(2)] = None
    """A regular expression in the syntax of RE2 for the whole id; null or empty, all."""


@message(key=66, versions="0-2", flexible="0+")
class ListTransactionsResponse(Message, kw_only=True):
    """The transactions, without those that the client may not see.

    COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, INVALID_REGULAR_EXPRESSION since
    version 2.
    """

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    unknown_state_filters: Array[String] = []
    """Names in the filter that are no states."""
    transaction_states: Array[TransactionState] = []


class TransactionState(Structure, kw_only=True):
    """One transactional id and its state, as DescribeTransactions names it."""

    transactional_id: String
    producer_id: Int64
    transaction_state: String
