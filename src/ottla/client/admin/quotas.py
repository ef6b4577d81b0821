"""Quotas of users, clients and addresses (KIP-546; Kafka 2.6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final, Literal

from msgspec import Struct

from ottla.client.admin.asking import Asking
from ottla.client.admin.outcomes import Answers, Outcomes, check, verdict
from ottla.client.connection import Connection
from ottla.wire.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
    EntityData,
    EntityOfResult,
    EntryData,
    OpData,
)
from ottla.wire.messages.describe_client_quotas import (
    ComponentData,
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
)
from ottla.wire.messages.describe_client_quotas import EntityData as DescribedEntity


class Whose(Enum):
    """Other than by name."""

    DEFAULT = "default"
    """All that have no quota of their own."""
    ANY = "any"
    """In a filter: whoever it is, the default included."""


Default = Literal[Whose.DEFAULT]
Match = str | Whose | None
"""A name, the default, anybody; None leaves that part open."""

_FIELDS: Final = {"user": "user", "client-id": "client_id", "ip": "ip"}
"""Fields of an entity by the protocol's names."""
_EXACT: Final = 0
_DEFAULT: Final = 1
_ANY: Final = 2


class QuotaEntity(Struct, frozen=True, kw_only=True):
    """Whom a quota is for: None where it does not look at that part."""

    user: str | Default | None = None
    client_id: str | Default | None = None
    ip: str | Default | None = None


class Quotas:
    """`admin.quotas`."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def describe(
        self,
        *,
        user: Match = None,
        client_id: Match = None,
        ip: Match = None,
        strict: bool = False,
        timeout_s: float | None = None,
    ) -> dict[QuotaEntity, dict[str, float]]:
        """The quotas of all entities that match, by name as `producer_byte_rate`.

        With `strict`, entities that have other parts, too, are left out.
        """
        wanted = {"user": user, "client-id": client_id, "ip": ip}
        components = [
            _component(kind, match) for kind, match in wanted.items() if match is not None
        ]

        async def ask(node: Connection) -> dict[QuotaEntity, dict[str, float]]:
            request = DescribeClientQuotasRequest(components=components, strict=strict)
            response = await node.call(request, DescribeClientQuotasResponse)
            check(response.error_code, response.error_message, "the quotas")
            return {
                _entity(entry.entity): {value.key: value.value for value in entry.values}
                for entry in response.entries or ()
            }

        return await self._asking.any_one(ask, about="the quotas", timeout_s=timeout_s)

    async def alter(
        self,
        changes: Mapping[QuotaEntity, Mapping[str, float | None]],
        *,
        validate_only: bool = False,
        timeout_s: float | None = None,
    ) -> Outcomes[QuotaEntity, None]:
        """Set quotas, or with None remove them."""

        async def ask(node: Connection, items: Sequence[QuotaEntity]) -> Answers[QuotaEntity, None]:
            request = AlterClientQuotasRequest(
                entries=[
                    EntryData(
                        entity=_parts(item),
                        ops=[
                            OpData(key=key, value=value or 0.0, remove=value is None)
                            for key, value in changes[item].items()
                        ],
                    )
                    for item in items
                ],
                validate_only=validate_only,
            )
            response = await node.call(request, AlterClientQuotasResponse)
            return {
                (item := _entity(entry.entity)): verdict(
                    entry.error_code, entry.error_message, item, None
                )
                for entry in response.entries
            }

        return await self._asking.at_controller(changes, ask, timeout_s=timeout_s)


def _component(kind: str, match: str | Whose) -> ComponentData:
    if isinstance(match, str):
        return ComponentData(entity_type=kind, match_type=_EXACT, match=match)
    code = _DEFAULT if match is Whose.DEFAULT else _ANY
    return ComponentData(entity_type=kind, match_type=code, match=None)


def _parts(entity: QuotaEntity) -> list[EntityData]:
    named = {kind: getattr(entity, field) for kind, field in _FIELDS.items()}
    return [
        EntityData(entity_type=kind, entity_name=None if name is Whose.DEFAULT else name)
        for kind, name in named.items()
        if name is not None
    ]


def _entity(parts: Sequence[EntityOfResult] | Sequence[DescribedEntity]) -> QuotaEntity:
    return QuotaEntity(
        **{
            _FIELDS[part.entity_type]: Whose.DEFAULT
            if part.entity_name is None
            else part.entity_name
            for part in parts
            if part.entity_type in _FIELDS
        }
    )
