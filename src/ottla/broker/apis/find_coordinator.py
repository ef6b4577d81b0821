"""FindCoordinator: nobody coordinates groups or transactions yet, and clients are told so.

The API itself must be there: without it librdkafka silently gives up lz4.
"""

from __future__ import annotations

from ottla.base.errors import ErrorCode
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.wire.messages.find_coordinator import (
    Coordinator,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)

SINGLE_KEY_FORM = range(4)
"""Versions that ask for one key (KIP-699)."""
NOBODY = -1
WHY = "consumer groups and transactions are not supported by this version of Ottla"


@handles(FindCoordinatorRequest, versions="0-6")
def find_coordinator(
    request: FindCoordinatorRequest, call: Call, broker: Broker
) -> FindCoordinatorResponse:
    """Refuse every key as one whose coordinator is not available."""
    error = ErrorCode.COORDINATOR_NOT_AVAILABLE
    if call.version in SINGLE_KEY_FORM:
        return FindCoordinatorResponse(
            error_code=error, error_message=WHY, node_id=NOBODY, host="", port=NOBODY
        )
    return FindCoordinatorResponse(
        coordinators=[
            Coordinator(
                key=key, node_id=NOBODY, host="", port=NOBODY, error_code=error, error_message=WHY
            )
            for key in request.coordinator_keys
        ]
    )
