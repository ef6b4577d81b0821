"""Access control: who may do what on which resources."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from ottla.client.admin.asking import Asking
from ottla.client.admin.operations import AclOperation
from ottla.client.admin.outcomes import Answers, Outcomes, check, refusal, verdict
from ottla.client.connection import Connection
from ottla.client.errors import RefusedError
from ottla.wire.messages.create_acls import AclCreation, CreateAclsRequest, CreateAclsResponse
from ottla.wire.messages.delete_acls import (
    DeleteAclsFilter,
    DeleteAclsFilterResult,
    DeleteAclsRequest,
    DeleteAclsResponse,
)
from ottla.wire.messages.describe_acls import DescribeAclsRequest, DescribeAclsResponse


class _Number(IntEnum):
    """A number of the protocol; one of a later protocol is UNKNOWN."""

    @classmethod
    def _missing_(cls, value: object) -> _Number:
        return cls(0)


class AclResourceType(_Number):
    """What may be controlled."""

    UNKNOWN = 0
    ANY = 1
    """Only in filters."""
    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    """Its name is `kafka-cluster`."""
    TRANSACTIONAL_ID = 5
    DELEGATION_TOKEN = 6
    USER = 7


class PatternType(_Number):
    """How a resource's name is meant."""

    UNKNOWN = 0
    ANY = 1
    """Only in filters: however it is meant."""
    MATCH = 2
    """Only in filters: whatever covers the name."""
    LITERAL = 3
    """This name; `*` for all."""
    PREFIXED = 4


class Permission(_Number):
    """Which way; what is denied is stronger."""

    UNKNOWN = 0
    ANY = 1
    """Only in filters."""
    DENY = 2
    ALLOW = 3


class AclBinding(NamedTuple):
    """One entry: who, from where, may or may not do what on which resource."""

    resource_type: AclResourceType
    resource_name: str
    principal: str
    """As `User:alice`; `User:*` for all."""
    operation: AclOperation
    permission: Permission = Permission.ALLOW
    host: str = "*"
    pattern_type: PatternType = PatternType.LITERAL


class AclFilter(NamedTuple):
    """What an entry must match; None and ANY let all pass."""

    resource_type: AclResourceType = AclResourceType.ANY
    resource_name: str | None = None
    principal: str | None = None
    operation: AclOperation = AclOperation.ANY
    permission: Permission = Permission.ANY
    host: str | None = None
    pattern_type: PatternType = PatternType.ANY


EVERY_ACL: Final = AclFilter()


class Acls:
    """`admin.acls`. SECURITY_DISABLED where the cluster controls nothing."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def describe(
        self, which: AclFilter = EVERY_ACL, *, timeout_s: float | None = None
    ) -> tuple[AclBinding, ...]:
        """All entries that match, in order."""

        async def ask(node: Connection) -> tuple[AclBinding, ...]:
            request = DescribeAclsRequest(
                resource_type_filter=which.resource_type,
                resource_name_filter=which.resource_name,
                pattern_type_filter=which.pattern_type,
                principal_filter=which.principal,
                host_filter=which.host,
                operation=which.operation,
                permission_type=which.permission,
            )
            response = await node.call(request, DescribeAclsResponse)
            check(response.error_code, response.error_message, "the ACLs")
            return tuple(
                sorted(
                    AclBinding(
                        AclResourceType(resource.resource_type),
                        resource.resource_name,
                        told.principal,
                        AclOperation(told.operation),
                        Permission(told.permission_type),
                        told.host,
                        PatternType(resource.pattern_type),
                    )
                    for resource in response.resources
                    for told in resource.acls
                )
            )

        return await self._asking.any_one(ask, about="the ACLs", timeout_s=timeout_s)

    async def create(
        self, *bindings: AclBinding, timeout_s: float | None = None
    ) -> Outcomes[AclBinding, None]:
        """Make entries; one that is there already is fine."""

        async def ask(node: Connection, items: Sequence[AclBinding]) -> Answers[AclBinding, None]:
            request = CreateAclsRequest(creations=[_creation(item) for item in items])
            response = await node.call(request, CreateAclsResponse)
            # Answers stand in the order of the request.
            return {
                item: verdict(told.error_code, told.error_message, item, None)
                for item, told in zip(items, response.results, strict=False)
            }

        return await self._asking.at_controller(bindings, ask, timeout_s=timeout_s)

    async def delete(
        self, *filters: AclFilter, timeout_s: float | None = None
    ) -> Outcomes[AclFilter, tuple[AclBinding, ...]]:
        """Remove what matches; by filter, the entries that are gone.

        A filter is refused where one of its entries could not be removed.
        """

        async def ask(
            node: Connection, items: Sequence[AclFilter]
        ) -> Answers[AclFilter, tuple[AclBinding, ...]]:
            request = DeleteAclsRequest(filters=[_filter(item) for item in items])
            response = await node.call(request, DeleteAclsResponse)
            return {
                item: _deleted(told, item)
                for item, told in zip(items, response.filter_results, strict=False)
            }

        return await self._asking.at_controller(filters, ask, timeout_s=timeout_s)


def _creation(binding: AclBinding) -> AclCreation:
    return AclCreation(
        resource_type=binding.resource_type,
        resource_name=binding.resource_name,
        resource_pattern_type=binding.pattern_type,
        principal=binding.principal,
        host=binding.host,
        operation=binding.operation,
        permission_type=binding.permission,
    )


def _filter(which: AclFilter) -> DeleteAclsFilter:
    return DeleteAclsFilter(
        resource_type_filter=which.resource_type,
        resource_name_filter=which.resource_name,
        pattern_type_filter=which.pattern_type,
        principal_filter=which.principal,
        host_filter=which.host,
        operation=which.operation,
        permission_type=which.permission,
    )


def _deleted(
    told: DeleteAclsFilterResult, which: AclFilter
) -> tuple[AclBinding, ...] | RefusedError:
    if told.error_code:
        return refusal(told.error_code, told.error_message, which)
    for each in told.matching_acls:
        if each.error_code:
            return refusal(each.error_code, each.error_message, each.resource_name)
    return tuple(
        AclBinding(
            AclResourceType(each.resource_type),
            each.resource_name,
            each.principal,
            AclOperation(each.operation),
            Permission(each.permission_type),
            each.host,
            PatternType(each.pattern_type),
        )
        for each in told.matching_acls
    )
