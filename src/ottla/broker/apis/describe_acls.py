"""DescribeAcls: who may do what."""

from __future__ import annotations

from ottla.base.errors import ErrorCode
from ottla.broker.acl_requests import NO_AUTHORIZER, filter_of
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.metadata.acls import acls, matching
from ottla.wire.messages.describe_acls import (
    AclDescription,
    DescribeAclsRequest,
    DescribeAclsResource,
    DescribeAclsResponse,
)


@handles(DescribeAclsRequest, versions="1-3")
def describe_acls(request: DescribeAclsRequest, call: Call, broker: Broker) -> DescribeAclsResponse:
    """The entries that a filter matches, by resource."""
    wanted = filter_of(request)
    if broker.authorizer is None:
        return DescribeAclsResponse(
            error_code=ErrorCode.SECURITY_DISABLED, error_message=NO_AUTHORIZER
        )
    resources: dict[tuple[int, str, int], DescribeAclsResource] = {}
    for acl in sorted(matching(acls(broker.metadata.image), wanted).values()):
        resource = resources.setdefault(
            (acl.resource_type, acl.resource_name, acl.pattern_type),
            DescribeAclsResource(
                resource_type=acl.resource_type,
                resource_name=acl.resource_name,
                pattern_type=acl.pattern_type,
                acls=[],
            ),
        )
        resource.acls.append(
            AclDescription(
                principal=acl.principal,
                host=acl.host,
                operation=acl.operation,
                permission_type=acl.permission,
            )
        )
    return DescribeAclsResponse(resources=list(resources.values()))
