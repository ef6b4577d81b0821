"""ApiVersions: what this broker serves, derived from what registered itself."""

from __future__ import annotations

import re

from ottla.base.errors import ErrorCode
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handlers, handles, served_range
from ottla.metadata.features import SUPPORTED
from ottla.wire.messages.api_versions import (
    ApiVersion,
    ApiVersionsRequest,
    ApiVersionsResponse,
    FinalizedFeatureKey,
    SupportedFeatureKey,
)

NAMES_SOFTWARE = 3
"""From this version a client says what software it is (KIP-511)."""
LOWEST_LEVEL_MAY_BE_ZERO = 4
"""Older clients cannot read a feature whose lowest level is 0 (KAFKA-17011)."""
NAMES_CLUSTER = 5
"""From this version a client says which cluster and node it means to reach (KIP-1242)."""

_SOFTWARE = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?")


@handles(ApiVersionsRequest, versions="0-5")
def api_versions(request: ApiVersionsRequest, call: Call, broker: Broker) -> ApiVersionsResponse:
    """Answer with the table; refuse a nameless client and one that means another cluster."""
    error = _check(request, call, broker)
    if error:
        return ApiVersionsResponse(error_code=error)
    image = broker.metadata.image
    return ApiVersionsResponse(
        api_keys=served_ranges(),
        supported_features=[
            SupportedFeatureKey(name=name, min_version=levels.min, max_version=levels.max)
            for name, levels in sorted(SUPPORTED.items())
            if levels.min > 0 or call.version >= LOWEST_LEVEL_MAY_BE_ZERO
        ],
        finalized_features_epoch=image.next_offset - 1,
        finalized_features=[
            FinalizedFeatureKey(name=name, max_version_level=level, min_version_level=level)
            for name, level in sorted(image.features.items())
            if level > 0
        ],
    )


def served_ranges() -> list[ApiVersion]:
    """Every API that registered, by its key."""
    in_order = sorted(handlers.values(), key=lambda handler: handler.api_key)
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
