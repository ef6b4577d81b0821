"""DeleteAcls: allow and deny no longer."""

from __future__ import annotations

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.acl_requests import NO_AUTHORIZER, filter_of
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.metadata.acls import decide_delete_acls
from ottla.security.acl import Acl, AclFilter
from ottla.wire.messages.delete_acls import (
    DeleteAclsFilterResult,
    DeleteAclsMatchingAcl,
    DeleteAclsRequest,
    DeleteAclsResponse,
)


@handles(DeleteAclsRequest, versions="1-3")
async def delete_acls(request: DeleteAclsRequest, call: Call, broker: Broker) -> DeleteAclsResponse:
    """Whatever any filter matches goes; each filter is told its own matches.

    A filter of a later protocol is refused: it may mean to spare what it seems to match.
    """
    filters = [filter_of(asked) for asked in request.filters]
    try:
        matches = await _deleted(filters, broker)
    except ProtocolError as refused:
        refusal = DeleteAclsFilterResult(error_code=refused.code, error_message=refused.message)
        return DeleteAclsResponse(filter_results=[refusal] * len(filters))
    return DeleteAclsResponse(
        filter_results=[
            DeleteAclsFilterResult(matching_acls=[_told(acl) for acl in found])
            if wanted.is_known
            else DeleteAclsFilterResult(
                error_code=ErrorCode.INVALID_REQUEST, error_message="the filter is not understood"
            )
            for wanted, found in zip(filters, matches, strict=True)
        ]
    )


async def _deleted(filters: list[AclFilter], broker: Broker) -> list[list[Acl]]:
    if broker.authorizer is None:
        raise ProtocolError(ErrorCode.SECURITY_DISABLED, NO_AUTHORIZER)
    return await broker.metadata.decided(lambda image: decide_delete_acls(image, filters))


def _told(acl: Acl) -> DeleteAclsMatchingAcl:
    return DeleteAclsMatchingAcl(
        resource_type=acl.resource_type,
        resource_name=acl.resource_name,
        pattern_type=acl.pattern_type,
        principal=acl.principal,
        host=acl.host,
        operation=acl.operation,
        permission_type=acl.permission,
    )
