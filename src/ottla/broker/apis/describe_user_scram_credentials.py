"""DescribeUserScramCredentials: who has a password of which strength; never a secret."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ottla.base.errors import ErrorCode
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.metadata.scram_credentials import scram_credentials
from ottla.wire.messages.describe_user_scram_credentials import (
    CredentialInfo,
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
    DescribeUserScramCredentialsResult,
)
from ottla.wire.payloads.metadata import UserScramCredentialRecord


@handles(DescribeUserScramCredentialsRequest, versions="0")
def describe_user_scram_credentials(
    request: DescribeUserScramCredentialsRequest, call: Call, broker: Broker
) -> DescribeUserScramCredentialsResponse:
    """Each user by itself; all of them where none is named."""
    known = scram_credentials(broker.metadata.image)
    times = Counter(user.name for user in request.users or ()) or Counter(sorted(known))
    return DescribeUserScramCredentialsResponse(
        results=[_described(user, count, known.get(user)) for user, count in times.items()]
    )


def _described(
    user: str, count: int, credentials: Sequence[UserScramCredentialRecord] | None
) -> DescribeUserScramCredentialsResult:
    if count > 1:
        return DescribeUserScramCredentialsResult(
            user=user,
            error_code=ErrorCode.DUPLICATE_RESOURCE,
            error_message="the user is asked about more than once",
        )
    if credentials is None:
        return DescribeUserScramCredentialsResult(
            user=user,
            error_code=ErrorCode.RESOURCE_NOT_FOUND,
            error_message="the user has no credential",
        )
    return DescribeUserScramCredentialsResult(
        user=user,
        credential_infos=[
            CredentialInfo(mechanism=each.mechanism, iterations=each.iterations)
            for each in credentials
        ],
    )
