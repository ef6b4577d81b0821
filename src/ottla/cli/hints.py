"""What a person can do about refusals whose codes do not say it, and where nobody answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ottla.base.errors import ErrorCode
from ottla.cli.output import RefusedItemsError

_OF_TOPICS: Final = "`ottla topic list` shows the topics, `ottla topic describe` their partitions"
_OF_BROKERS: Final = "`ottla cluster brokers` lists the brokers"
_OF_ACLS: Final = "this takes an ACL: `ottla acl list` shows those that there are"

_HINTS: Final = {
    ErrorCode.SECURITY_DISABLED: "the brokers have no authorizer.class.name: they allow everything",
    ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED: "the brokers have no delegation.token.secret.key",
    ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: (
        "tokens are for connections whose user is known, by SASL or by a certificate"
    ),
    ErrorCode.CLUSTER_AUTHORIZATION_FAILED: "ask for an ACL on the cluster: ottla acl create",
    ErrorCode.TOPIC_AUTHORIZATION_FAILED: _OF_ACLS,
    ErrorCode.GROUP_AUTHORIZATION_FAILED: _OF_ACLS,
    ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: _OF_ACLS,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION: _OF_TOPICS,
    ErrorCode.OFFSET_OUT_OF_RANGE: "`ottla topic offsets` shows where partitions begin and end",
    ErrorCode.BROKER_NOT_AVAILABLE: _OF_BROKERS,
    ErrorCode.BROKER_ID_NOT_REGISTERED: _OF_BROKERS,
    ErrorCode.LOG_DIR_NOT_FOUND: "`ottla disk describe` shows the directories that brokers have",
    ErrorCode.GROUP_ID_NOT_FOUND: "`ottla group list` shows the groups",
    ErrorCode.TRANSACTIONAL_ID_NOT_FOUND: "`ottla txn list` shows the transactional ids",
    ErrorCode.INVALID_REGULAR_EXPRESSION: "brokers take regular expressions in RE2's syntax",
    ErrorCode.UNSUPPORTED_VERSION: "`ottla cluster api-versions` shows what the brokers take",
}
_OF_UNREACHABLE: Final = (
    "is a broker there? `ottla serve` starts one, --bootstrap-server names another"
)


def hint_for(error: Exception) -> str:
    """Each on a further line, or nothing."""
    return "".join(f"\n  {hint}" for hint in dict.fromkeys(_hints(error)))


def _hints(error: Exception) -> Iterator[str]:
    if isinstance(error, RefusedItemsError):
        for each in error.errors:
            yield from _hints(each)
        return
    code = getattr(error, "code", None)
    if isinstance(code, ErrorCode) and code in _HINTS:
        yield _HINTS[code]
    elif _is_unreachable(error):
        yield _OF_UNREACHABLE


def _is_unreachable(error: Exception) -> bool:
    from ottla.client.errors import NodeUnreachableError

    return isinstance(error, NodeUnreachableError)
