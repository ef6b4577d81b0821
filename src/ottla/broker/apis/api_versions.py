"""ApiVersions: what this broker serves, derived from what registered itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ottla.base.errors import ErrorCode
from ottla.base.registry import Registry
from ottla.broker.broker import Broker
from ottla.broker.client_telemetry import ClientSoftware
from ottla.broker.handlers import Call, Handler, handlers, handles, served_range
from ottla.broker.served_apis import served_apis
from ottla.metadata.feature_updates import KRAFT_VERSION
from ottla.metadata.features import GROUP_VERSION, SUPPORTED, TRANSACTION_VERSION
from ottla.wire.messages.api_versions import (
    ApiVersion,
    ApiVersionsRequest,
    ApiVersionsResponse,
    FinalizedFeatureKey,
    SupportedFeatureKey,
)
from ottla.wire.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from ottla.wire.messages.end_txn import EndTxnRequest
from ottla.wire.schema import Message

NAMES_SOFTWARE = 3
"""From this version a client says what software it is (KIP-511)."""
LOWEST_LEVEL_MAY_BE_ZERO = 4
"""Older clients cannot read a feature whose lowest level is 0 (KAFKA-17011)."""
NAMES_CLUSTER = 5
"""From this version a client says which cluster and node it means to reach (KIP-1242)."""

SHOWN_BY: Final[Mapping[str, tuple[type[Message], int]]] = {
    TRANSACTION_VERSION: (EndTxnRequest, 5),
    GROUP_VERSION: (ConsumerGroupHeartbeatRequest, 1),
}
"""Features, and in which request clients meet them."""

_SOFTWARE = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?")


@handles(ApiVersionsRequest, versions="0-5")
def api_versions(request: ApiVersionsRequest, call: Call, broker: Broker) -> ApiVersionsResponse:
    """Answer with the table; refuse a nameless client and one that means another cluster."""
    error = _check(request, call, broker)
    if error:
        return ApiVersionsResponse(error_code=error)
    if call.version >= NAMES_SOFTWARE:
        call.connection.session = ClientSoftware(
            request.client_software_name, request.client_software_version
        )
    image = broker.metadata.image
    served = served_apis(broker.settings)
    return ApiVersionsResponse(
        api_keys=served_ranges(served),
        supported_features=[
            SupportedFeatureKey(name=name, min_version=levels.min, max_version=levels.max)
            for name, levels in sorted(SUPPORTED.items())
            if not _is_out_of_reach(name, served)
            and (levels.min > 0 or call.version >= LOWEST_LEVEL_MAY_BE_ZERO)
        ],
        finalized_features_epoch=image.next_offset - 1,
        finalized_features=[
            FinalizedFeatureKey(name=name, max_version_level=level, min_version_level=level)
            for name, level in sorted(_finalized(broker).items())
            if level > 0 and not _is_out_of_reach(name, served)
        ],
    )


def _finalized(broker: Broker) -> Mapping[str, int]:
    """The levels of the metadata, and the one that the quorum keeps by itself."""
    return {**broker.metadata.image.features, KRAFT_VERSION: broker.metadata.kraft_version}


def _is_out_of_reach(feature: str, served: Registry[int, Handler]) -> bool:
    """Whether `ottla.api.versions` takes away what a client would use the feature by.

    Clients that are told of the feature rely on those versions, and do not look for them.
    """
    if feature not in SHOWN_BY:
        return False
    request, version = SHOWN_BY[feature]
    handler = served.get(request.API_KEY)
    return handler is None or version not in handler.versions


def served_ranges(served: Registry[int, Handler] = handlers) -> list[ApiVersion]:
    """Every API that is served, by its key."""
    in_order = sorted(served.values(), key=lambda handler: handler.api_key)
    return [served_range(handler) for handler in in_order]


def _check(request: ApiVersionsRequest, call: Call, broker: Broker) -> ErrorCode:
    if call.version >= NAMES_SOFTWARE and not (
        _SOFTWARE.fullmatch(request.client_software_name)
        and _SOFTWARE.fullmatch(request.client_software_version)
    ):
        return ErrorCode.INVALID_REQUEST
    if call.version >= NAMES_CLUSTER and (
        request.cluster_id not in (None, broker.cluster_id)
        or request.node_id not in (-1, broker.node_id)
    ):
        return ErrorCode.REBOOTSTRAP_REQUIRED
    return ErrorCode.NONE
