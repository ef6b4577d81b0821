"""ListTransactions: the transactional ids that this broker coordinates."""

from __future__ import annotations

from ottla.base.errors import ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.transactions.listing import Filter
from ottla.wire.messages.list_transactions import (
    ListTransactionsRequest,
    ListTransactionsResponse,
)


@handles(ListTransactionsRequest, versions="0-2")
async def list_transactions(
    request: ListTransactionsRequest, call: Call, broker: Broker
) -> ListTransactionsResponse:
    """Those that pass every filter."""
    try:
        wanted = Filter.of(request)
        found = await broker.transactions.list_transactions(wanted)
    except ProtocolError as refused:
        return ListTransactionsResponse(error_code=refused.code)
    return ListTransactionsResponse(
        unknown_state_filters=wanted.unknown_states, transaction_states=found
    )
