"""DescribeClientQuotas: who has which quotas (KIP-546)."""

from __future__ import annotations

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.metadata.client_quotas import QuotaMatch, find_client_quotas
from ottla.wire.messages.describe_client_quotas import (
    ComponentData,
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
    EntityData,
    EntryData,
    ValueData,
)

EXACT = 0
DEFAULT = 1
ANY = 2


@handles(DescribeClientQuotasRequest, versions="0-1")
def describe_client_quotas(
    request: DescribeClientQuotasRequest, call: Call, broker: Broker
) -> DescribeClientQuotasResponse:
    """Tell all that fit the filter."""
    try:
        matches = [_match(component) for component in request.components]
        found = list(find_client_quotas(broker.metadata.image, matches, strict=request.strict))
    except ProtocolError as refused:
        return DescribeClientQuotasResponse(
            error_code=refused.code, error_message=refused.message, entries=None
        )
    return DescribeClientQuotasResponse(
        entries=[
            EntryData(
                entity=[
                    EntityData(entity_type=kind, entity_name=name)
                    for kind, name in sorted(entity, key=lambda part: part[0])
                ],
                values=[ValueData(key=key, value=value) for key, value in quotas.items()],
            )
            for entity, quotas in found
        ]
    )


def _match(component: ComponentData) -> QuotaMatch:
    """Raises ProtocolError where the kind of the match and its name do not go together."""
    kind, match_type = component.entity_type, component.match_type
    if match_type not in (EXACT, DEFAULT, ANY):
        raise ProtocolError(
            ErrorCode.INVALID_REQUEST,
            f"a match is exact (0), of the default (1) or of any (2), not {match_type}",
        )
    if (match_type == EXACT) != (component.match is not None):
        raise ProtocolError(
            ErrorCode.INVALID_REQUEST,
            f"a name belongs to an exact match and to no other: {kind!r} is asked for wrongly",
        )
    return QuotaMatch(kind, component.match, any=match_type == ANY)
