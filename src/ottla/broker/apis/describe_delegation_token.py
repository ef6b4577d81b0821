"""DescribeDelegationToken: the tokens there are, secrets included (KIP-48)."""

from __future__ import annotations

from ottla.base.errors import ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.delegation_tokens import logged_in, token_rules
from ottla.broker.handlers import Call, handles
from ottla.metadata.delegation_tokens import tokens
from ottla.security.acl import AclResourceType, Operation
from ottla.security.tokens import Principal, parse_principal, secret_of
from ottla.wire.messages.describe_delegation_token import (
    DescribedDelegationToken,
    DescribedDelegationTokenRenewer,
    DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse,
)
from ottla.wire.payloads.metadata import DelegationTokenRecord

NAMES_REQUESTER = 3
"""From this version somebody may ask for another's token (KIP-373)."""


@handles(DescribeDelegationTokenRequest, versions="1-3")
def describe_delegation_token(
    request: DescribeDelegationTokenRequest, call: Call, broker: Broker
) -> DescribeDelegationTokenResponse:
    """Tokens of some owners, or all, as far as who asks may see them."""
    try:
        asker, rules = logged_in(call), token_rules(broker.settings)
    except ProtocolError as refused:
        return DescribeDelegationTokenResponse(error_code=refused.code)
    owners = None
    if request.owners is not None:
        owners = {str(Principal(*each)) for each in _pairs(request)}
    return DescribeDelegationTokenResponse(
        tokens=[
            _told(token, rules.secret_key, call.version)
            for token in tokens(broker.metadata.image)
            if (owners is None or token.owner in owners) and _may_see(token, asker, call, broker)
        ]
    )


def _pairs(request: DescribeDelegationTokenRequest) -> list[tuple[str, str]]:
    return [(owner.principal_type, owner.principal_name) for owner in request.owners or ()]


def _may_see(token: DelegationTokenRecord, asker: Principal, call: Call, broker: Broker) -> bool:
    """Who has a part in a token sees it; others by an ACL on it, or on its owner (KIP-373)."""
    if str(asker) in (token.owner, token.requester, *token.renewers) or broker.authorizer is None:
        return True
    access = broker.authorizer.access_of(call.connection).quietly
    return access.to(
        Operation.DESCRIBE, AclResourceType.DELEGATION_TOKEN, token.token_id
    ) or access.to(Operation.DESCRIBE_TOKENS, AclResourceType.USER, token.owner)


def _told(token: DelegationTokenRecord, secret_key: str, version: int) -> DescribedDelegationToken:
    owner, requester = parse_principal(token.owner), parse_principal(token.requester)
    told = DescribedDelegationToken(
        principal_type=owner.kind,
        principal_name=owner.name,
        issue_timestamp=token.issue_timestamp,
        expiry_timestamp=token.expiration_timestamp,
        max_timestamp=token.max_timestamp,
        token_id=token.token_id,
        hmac=secret_of(token.token_id, secret_key),
        renewers=[
            DescribedDelegationTokenRenewer(principal_type=kind, principal_name=name)
            for kind, name in map(parse_principal, token.renewers)
        ],
    )
    if version >= NAMES_REQUESTER:
        told.token_requester_principal_type = requester.kind
        told.token_requester_principal_name = requester.name
    return told
