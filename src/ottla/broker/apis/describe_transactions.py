"""DescribeTransactions: what the coordinator knows of transactional ids."""

from __future__ import annotations

from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.wire.messages.describe_transactions import (
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
)


@handles(DescribeTransactionsRequest, versions="0")
async def describe_transactions(
    request: DescribeTransactionsRequest, call: Call, broker: Broker
) -> DescribeTransactionsResponse:
    """Each id by itself."""
    return DescribeTransactionsResponse(
        transaction_states=[
            await broker.transactions.describe(transactional_id)
            for transactional_id in request.transactional_ids
        ]
    )
