"""AlterUserScramCredentials: set and remove passwords, which the broker never sees."""

from __future__ import annotations

from ottla.base.errors import ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.metadata.scram_credentials import CredentialResult, decide_alter_scram_credentials
from ottla.wire.messages.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse,
    AlterUserScramCredentialsResult,
)


@handles(AlterUserScramCredentialsRequest, versions="0")
async def alter_user_scram_credentials(
    request: AlterUserScramCredentialsRequest, call: Call, broker: Broker
) -> AlterUserScramCredentialsResponse:
    """Each user by itself."""
    try:
        results = await broker.metadata.decided(
            lambda image: decide_alter_scram_credentials(
                image, request.deletions, request.upsertions
            )
        )
    except ProtocolError as refused:
        users = dict.fromkeys(each.name for each in request.deletions)
        users.update(dict.fromkeys(each.name for each in request.upsertions))
        results = [CredentialResult(user, refused.code, refused.message) for user in users]
    return AlterUserScramCredentialsResponse(
        results=[
            AlterUserScramCredentialsResult(
                user=result.user,
                error_code=result.error_code,
                error_message=result.error_message,
            )
            for result in results
        ]
    )
