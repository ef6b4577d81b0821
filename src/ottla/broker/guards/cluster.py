"""What is asked of the cluster as a whole: one right each, or the whole request is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ottla.base.errors import ErrorCode
from ottla.broker.guard import Gate, guards
from ottla.security.acl import Operation
from ottla.wire.messages import (
    alter_client_quotas,
    alter_partition_reassignments,
    alter_replica_log_dirs,
    alter_user_scram_credentials,
    create_acls,
    delete_acls,
    describe_user_scram_credentials,
    elect_leaders,
)
from ottla.wire.messages.describe_acls import DescribeAclsRequest, DescribeAclsResponse
from ottla.wire.messages.describe_client_quotas import (
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
)
from ottla.wire.messages.describe_log_dirs import DescribeLogDirsRequest, DescribeLogDirsResponse
from ottla.wire.messages.describe_quorum import DescribeQuorumRequest, DescribeQuorumResponse
from ottla.wire.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
)
from ottla.wire.messages.unregister_broker import UnregisterBrokerRequest, UnregisterBrokerResponse
from ottla.wire.messages.update_features import UpdateFeaturesRequest, UpdateFeaturesResponse
from ottla.wire.schema import Message

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)

DENIED = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
WHY = "the client may not do this to the cluster"
TELLS_ERROR_OF_ALL = 1
"""From this version of ElectLeaders the answer has an error of its own."""


def _needs(
    request_type: type[Request],
    operation: Operation,
    refused: Callable[[Request, int], Response],
) -> None:
    """Guard an API by one right to the cluster; `refused` answers a request of a version."""

    @guards(request_type)
    async def guard(request: Request, gate: Gate[Request, Response]) -> Response:
        if gate.access.to_cluster(operation):
            return await gate.serve(request)
        return refused(request, gate.call.version)


# -- one error for all -----------------------------------------------------------------------------

_needs(
    DescribeAclsRequest,
    Operation.DESCRIBE,
    lambda _, __: DescribeAclsResponse(error_code=DENIED, error_message=WHY),
)
_needs(
    DescribeLogDirsRequest,
    Operation.DESCRIBE,
    lambda _, __: DescribeLogDirsResponse(error_code=DENIED),
)
_needs(
    DescribeQuorumRequest,
    Operation.DESCRIBE,
    lambda _, __: DescribeQuorumResponse(error_code=DENIED, error_message=WHY),
)
_needs(
    ListPartitionReassignmentsRequest,
    Operation.DESCRIBE,
    lambda _, __: ListPartitionReassignmentsResponse(error_code=DENIED, error_message=WHY),
)
_needs(
    DescribeClientQuotasRequest,
    Operation.DESCRIBE_CONFIGS,
    lambda _, __: DescribeClientQuotasResponse(error_code=DENIED, error_message=WHY, entries=None),
)
_needs(
    UpdateFeaturesRequest,
    Operation.ALTER,
    lambda _, __: UpdateFeaturesResponse(error_code=DENIED, error_message=WHY),
)
_needs(
    UnregisterBrokerRequest,
    Operation.ALTER,
    lambda _, __: UnregisterBrokerResponse(error_code=DENIED, error_message=WHY),
)

# -- an error for each -----------------------------------------------------------------------------


def _no_acls_made(
    request: create_acls.CreateAclsRequest, version: int
) -> create_acls.CreateAclsResponse:
    refusal = create_acls.AclCreationResult(error_code=DENIED, error_message=WHY)
    return create_acls.CreateAclsResponse(results=[refusal] * len(request.creations))


def _no_acls_deleted(
    request: delete_acls.DeleteAclsRequest, version: int
) -> delete_acls.DeleteAclsResponse:
    refusal = delete_acls.DeleteAclsFilterResult(error_code=DENIED, error_message=WHY)
    return delete_acls.DeleteAclsResponse(filter_results=[refusal] * len(request.filters))


def _no_passwords_told(
    request: describe_user_scram_credentials.DescribeUserScramCredentialsRequest, version: int
) -> describe_user_scram_credentials.DescribeUserScramCredentialsResponse:
    return describe_user_scram_credentials.DescribeUserScramCredentialsResponse(
        error_code=DENIED,
        error_message=WHY,
        results=[
            describe_user_scram_credentials.DescribeUserScramCredentialsResult(
                user=user.name, error_code=DENIED, error_message=WHY
            )
            for user in request.users or ()
        ],
    )


def _no_passwords_set(
    request: alter_user_scram_credentials.AlterUserScramCredentialsRequest, version: int
) -> alter_user_scram_credentials.AlterUserScramCredentialsResponse:
    users = [each.name for each in request.deletions] + [each.name for each in request.upsertions]
    return alter_user_scram_credentials.AlterUserScramCredentialsResponse(
        results=[
            alter_user_scram_credentials.AlterUserScramCredentialsResult(
                user=user, error_code=DENIED, error_message=WHY
            )
            for user in sorted(set(users))
        ]
    )


def _no_quotas_set(
    request: alter_client_quotas.AlterClientQuotasRequest, version: int
) -> alter_client_quotas.AlterClientQuotasResponse:
    return alter_client_quotas.AlterClientQuotasResponse(
        entries=[
            alter_client_quotas.EntryResult(
                error_code=DENIED,
                error_message=WHY,
                entity=[
                    alter_client_quotas.EntityOfResult(
                        entity_type=part.entity_type, entity_name=part.entity_name
                    )
                    for part in entry.entity
                ],
            )
            for entry in request.entries
        ]
    )


def _no_replicas_moved(
    request: alter_replica_log_dirs.AlterReplicaLogDirsRequest, version: int
) -> alter_replica_log_dirs.AlterReplicaLogDirsResponse:
    topics: dict[str, list[int]] = {}
    for directory in request.dirs:
        for topic in directory.topics:
            topics.setdefault(topic.name, []).extend(topic.partitions)
    return alter_replica_log_dirs.AlterReplicaLogDirsResponse(
        results=[
            alter_replica_log_dirs.AlterReplicaLogDirTopicResult(
                topic_name=name,
                partitions=[
                    alter_replica_log_dirs.AlterReplicaLogDirPartitionResult(
                        partition_index=index, error_code=DENIED
                    )
                    for index in indexes
                ],
            )
            for name, indexes in topics.items()
        ]
    )


def _nobody_elected(
    request: elect_leaders.ElectLeadersRequest, version: int
) -> elect_leaders.ElectLeadersResponse:
    response = elect_leaders.ElectLeadersResponse(
        replica_election_results=[
            elect_leaders.ReplicaElectionResult(
                topic=topic.topic,
                partition_result=[
                    elect_leaders.PartitionResult(
                        partition_id=index, error_code=DENIED, error_message=WHY
                    )
                    for index in topic.partitions
                ],
            )
            for topic in request.topic_partitions or ()
        ]
    )
    if version >= TELLS_ERROR_OF_ALL:
        response.error_code = DENIED
    return response


def _nothing_reassigned(
    request: alter_partition_reassignments.AlterPartitionReassignmentsRequest, version: int
) -> alter_partition_reassignments.AlterPartitionReassignmentsResponse:
    return alter_partition_reassignments.AlterPartitionReassignmentsResponse(
        error_code=DENIED,
        error_message=WHY,
        responses=[
            alter_partition_reassignments.ReassignableTopicResponse(
                name=topic.name,
                partitions=[
                    alter_partition_reassignments.ReassignablePartitionResponse(
                        partition_index=partition.partition_index,
                        error_code=DENIED,
                        error_message=WHY,
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in request.topics
        ],
    )


_needs(create_acls.CreateAclsRequest, Operation.ALTER, _no_acls_made)
_needs(delete_acls.DeleteAclsRequest, Operation.ALTER, _no_acls_deleted)
_needs(
    describe_user_scram_credentials.DescribeUserScramCredentialsRequest,
    Operation.DESCRIBE,
    _no_passwords_told,
)
_needs(
    alter_user_scram_credentials.AlterUserScramCredentialsRequest,
    Operation.ALTER,
    _no_passwords_set,
)
_needs(alter_client_quotas.AlterClientQuotasRequest, Operation.ALTER_CONFIGS, _no_quotas_set)
_needs(alter_replica_log_dirs.AlterReplicaLogDirsRequest, Operation.ALTER, _no_replicas_moved)
_needs(elect_leaders.ElectLeadersRequest, Operation.ALTER, _nobody_elected)
_needs(
    alter_partition_reassignments.AlterPartitionReassignmentsRequest,
    Operation.ALTER,
    _nothing_reassigned,
)
