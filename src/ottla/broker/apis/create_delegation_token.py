"""CreateDelegationToken: a secret by which others act for a user (KIP-48)."""

from __future__ import annotations

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.delegation_tokens import logged_in, token_rules
from ottla.broker.handlers import Call, handles
from ottla.broker.identities import principal_of
from ottla.metadata.delegation_tokens import WantedToken, decide_create_token
from ottla.security.acl import AclResourceType, Operation
from ottla.security.tokens import Principal, secret_of
from ottla.wire.messages.create_delegation_token import (
    CreateDelegationTokenRequest,
    CreateDelegationTokenResponse,
)

NEVER = -1
NAMES_REQUESTER = 3
"""From this version somebody may ask for another's token (KIP-373)."""


@handles(CreateDelegationTokenRequest, versions="1-3")
async def create_delegation_token(
    request: CreateDelegationTokenRequest, call: Call, broker: Broker
) -> CreateDelegationTokenResponse:
    """Make a token for who asks, or for another where that is allowed (KIP-373)."""
    requester = principal_of(call.connection)
    owner = requester
    if request.owner_principal_name:
        owner = Principal(request.owner_principal_type or "", request.owner_principal_name)
    response = CreateDelegationTokenResponse(
        principal_type=owner.kind,
        principal_name=owner.name,
        issue_timestamp=NEVER,
        expiry_timestamp=NEVER,
        max_timestamp=NEVER,
        token_id="",
        hmac=b"",
    )
    if call.version >= NAMES_REQUESTER:
        response.token_requester_principal_type = requester.kind
        response.token_requester_principal_name = requester.name
    wanted = WantedToken(
        owner,
        requester,
        [Principal(each.principal_type, each.principal_name) for each in request.renewers],
        request.max_lifetime_ms,
    )
    try:
        logged_in(call)
        _check_owner(wanted, call, broker)
        await _fill(response, wanted, broker)
    except ProtocolError as refused:
        response.error_code = refused.code
    return response


def _check_owner(wanted: WantedToken, call: Call, broker: Broker) -> None:
    if broker.authorizer is None or wanted.owner == wanted.requester:
        return
    access = broker.authorizer.access_of(call.connection)
    if not access.to(Operation.CREATE_TOKENS, AclResourceType.USER, str(wanted.owner)):
        raise ProtocolError(
            ErrorCode.DELEGATION_TOKEN_AUTHORIZATION_FAILED,
            "who asks may not make tokens for this owner",
        )


async def _fill(
    response: CreateDelegationTokenResponse, wanted: WantedToken, broker: Broker
) -> None:
    rules = token_rules(broker.settings)
    token = await broker.metadata.decided(
        lambda image: decide_create_token(
            image, wanted, rules=rules, rng=broker.rng, now_ms=broker.clock.now_ms()
        )
    )
    response.issue_timestamp = token.issue_timestamp
    response.expiry_timestamp = token.expiration_timestamp
    response.max_timestamp = token.max_timestamp
    response.token_id = token.token_id
    response.hmac = secret_of(token.token_id, rules.secret_key)
