"""CreateAcls: allow and deny."""

from __future__ import annotations

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.acl_requests import NO_AUTHORIZER, check_numbers
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.metadata.acls import AclCreated, decide_create_acls
from ottla.security.acl import Acl
from ottla.wire.messages.create_acls import (
    AclCreation,
    AclCreationResult,
    CreateAclsRequest,
    CreateAclsResponse,
)


@handles(CreateAclsRequest, versions="1-3")
async def create_acls(request: CreateAclsRequest, call: Call, broker: Broker) -> CreateAclsResponse:
    """Each entry is made, or refused, by itself."""
    wanted = [_acl(creation) for creation in request.creations]
    try:
        results = await _created(wanted, broker)
    except ProtocolError as refused:
        results = [AclCreated(refused.code, refused.message)] * len(wanted)
    return CreateAclsResponse(
        results=[
            AclCreationResult(error_code=result.error_code, error_message=result.error_message)
            for result in results
        ]
    )


async def _created(wanted: list[Acl], broker: Broker) -> list[AclCreated]:
    if broker.authorizer is None:
        raise ProtocolError(ErrorCode.SECURITY_DISABLED, NO_AUTHORIZER)
    return await broker.metadata.decided(
        lambda image: decide_create_acls(image, wanted, rng=broker.rng)
    )


def _acl(creation: AclCreation) -> Acl:
    check_numbers(
        creation.resource_type,
        creation.resource_pattern_type,
        creation.operation,
        creation.permission_type,
    )
    return Acl(
        resource_type=creation.resource_type,
        resource_name=creation.resource_name,
        pattern_type=creation.resource_pattern_type,
        principal=creation.principal,
        host=creation.host,
        operation=creation.operation,
        permission=creation.permission_type,
    )
