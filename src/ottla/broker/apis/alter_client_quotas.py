"""AlterClientQuotas: set and remove quotas (KIP-546)."""

from __future__ import annotations

from ottla.base.errors import ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.metadata.client_quotas import Entity, EntityChange, EntityResult, QuotaChange
from ottla.wire.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
    EntityOfResult,
    EntryData,
)
from ottla.wire.messages.alter_client_quotas import EntryResult as TellEntry


@handles(AlterClientQuotasRequest, versions="0-1")
async def alter_client_quotas(
    request: AlterClientQuotasRequest, call: Call, broker: Broker
) -> AlterClientQuotasResponse:
    """Change, or with `validate_only` judge, each entity by itself."""
    changes = [
        EntityChange(
            _entity(entry),
            [QuotaChange(op.key, None if op.remove else op.value) for op in entry.ops],
        )
        for entry in request.entries
    ]
    try:
        results = await broker.metadata.alter_client_quotas(
            changes, validate_only=request.validate_only
        )
    except ProtocolError as refused:
        results = [EntityResult(change.entity, refused.code, refused.message) for change in changes]
    return AlterClientQuotasResponse(entries=[_told(result) for result in results])


def _entity(entry: EntryData) -> Entity:
    """Of a kind that is given twice the last one counts, as with Apache Kafka."""
    return frozenset({part.entity_type: part.entity_name for part in entry.entity}.items())


def _told(result: EntityResult) -> TellEntry:
    return TellEntry(
        error_code=result.error_code,
        error_message=result.error_message,
        entity=[
            EntityOfResult(entity_type=kind, entity_name=name)
            for kind, name in sorted(result.entity, key=lambda part: part[0])
        ],
    )
