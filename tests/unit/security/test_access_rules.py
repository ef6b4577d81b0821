"""Who may do what, by all ACLs together: as Apache Kafka's StandardAuthorizer decides."""

from __future__ import annotations

import pytest

from ottla.security.access_rules import AccessRules
from ottla.security.acl import Acl, AclResourceType, Operation, PatternType, Permission
from ottla.security.hosts import host_key

TOPIC = AclResourceType.TOPIC
READ, WRITE, DESCRIBE, ALL = Operation.READ, Operation.WRITE, Operation.DESCRIBE, Operation.ALL
ALICE, HOST = "User:alice", "192.0.2.7"


def acl(
    name: str,
    operation: Operation = READ,
    *,
    deny: bool = False,
    prefixed: bool = False,
    principal: str = ALICE,
    host: str = "*",
    kind: AclResourceType = TOPIC,
) -> Acl:
    return Acl(
        kind,
        name,
        PatternType.PREFIXED if prefixed else PatternType.LITERAL,
        principal,
        host,
        operation,
        Permission.DENY if deny else Permission.ALLOW,
    )


def may(*acls: Acl, operation: Operation = READ, name: str = "orders", **options: object) -> bool:
    rules = AccessRules(acls, **options)  # type: ignore[arg-type]  # the options of AccessRules
    return rules.allows(ALICE, HOST, operation, TOPIC, name)


def test_nobody_may_what_no_acl_allows() -> None:
    assert not may()
    assert not may(acl("other"))
    assert not may(acl("orders", principal="User:bob"))
    assert not may(acl("orders", WRITE))
    assert not may(acl("orders", kind=AclResourceType.GROUP))


@pytest.mark.parametrize(
    "allowing",
    [
        acl("orders"),
        acl("*"),
        acl("ord", prefixed=True),
        acl("orders", prefixed=True),
        acl("orders", ALL),
        acl("orders", principal="User:*"),
        acl("orders", host=HOST),
        acl("orders", host=f"::ffff:{HOST}"),
    ],
)
def test_one_acl_that_covers_it_is_enough(allowing: Acl) -> None:
    assert may(allowing)


def test_a_prefix_longer_than_the_name_does_not_cover_it() -> None:
    assert not may(acl("orders-eu", prefixed=True))
    assert may(acl("x", prefixed=True), acl("orders-eu", prefixed=True), name="orders-eu-1")


def test_an_acl_of_another_host_does_not_count() -> None:
    assert not may(acl("orders", host="192.0.2.8"))


@pytest.mark.parametrize(
    "denying",
    [
        acl("orders", deny=True),
        acl("*", deny=True),
        acl("o", deny=True, prefixed=True),
        acl("orders", ALL, deny=True),
        acl("orders", deny=True, principal="User:*"),
    ],
)
def test_what_is_denied_is_stronger_than_what_is_allowed(denying: Acl) -> None:
    assert not may(acl("orders"), denying)
    assert not may(denying, acl("orders"))


@pytest.mark.parametrize(
    "operation", [READ, WRITE, Operation.DELETE, Operation.ALTER, DESCRIBE, ALL]
)
def test_who_may_use_a_resource_may_look_at_it(operation: Operation) -> None:
    assert may(acl("orders", operation), operation=DESCRIBE)
    assert not may(acl("orders", Operation.CREATE), operation=DESCRIBE)


def test_who_may_alter_settings_may_see_them() -> None:
    asked = Operation.DESCRIBE_CONFIGS
    assert may(acl("orders", Operation.ALTER_CONFIGS), operation=asked)
    assert not may(acl("orders", READ), operation=asked)


def test_who_is_denied_to_use_a_resource_may_still_look_at_it() -> None:
    assert may(acl("orders", DESCRIBE), acl("orders", READ, deny=True), operation=DESCRIBE)


def test_super_users_may_everything() -> None:
    assert may(acl("orders", ALL, deny=True), super_users=frozenset({ALICE}))
    assert not may(super_users=frozenset({"User:bob"}))


def test_a_resource_without_acls_may_be_for_everybody() -> None:
    assert may(allow_if_no_acl=True)
    assert may(acl("other"), allow_if_no_acl=True)
    assert not may(acl("orders", principal="User:bob"), allow_if_no_acl=True)
    assert not may(acl("o", WRITE, prefixed=True), allow_if_no_acl=True)


# -- some resource ---------------------------------------------------------------------------------


def may_some(*acls: Acl, **options: object) -> bool:
    rules = AccessRules(acls, **options)  # type: ignore[arg-type]  # the options of AccessRules
    return rules.allows_any(ALICE, HOST, WRITE, TOPIC)


def test_some_topic_may_be_written_where_any_acl_allows_it() -> None:
    assert may_some(acl("a", WRITE))
    assert may_some(acl("*", WRITE))
    assert may_some(acl("a", ALL, prefixed=True))
    assert may_some(allow_if_no_acl=True)
    assert may_some(acl("a", WRITE, deny=True), super_users=frozenset({ALICE}))
    assert not may_some()
    assert not may_some(acl("a", READ))
    assert not may_some(acl("a", WRITE, principal="User:bob"))
    assert not may_some(acl("a", WRITE, host="192.0.2.8"))


def test_some_topic_may_not_be_written_where_all_that_is_allowed_is_denied() -> None:
    assert not may_some(acl("a", WRITE), acl("a", WRITE, deny=True))
    assert not may_some(acl("abc", WRITE), acl("ab", WRITE, deny=True, prefixed=True))
    assert not may_some(acl("abc", WRITE, prefixed=True), acl("abc", ALL, deny=True, prefixed=True))
    assert not may_some(acl("a", WRITE), acl("*", WRITE, deny=True))
    assert may_some(acl("abc", WRITE), acl("abcd", WRITE, deny=True, prefixed=True))
    assert may_some(acl("abc", WRITE, prefixed=True), acl("abc", WRITE, deny=True))
    assert may_some(acl("*", WRITE), acl("abc", WRITE, deny=True))


# -- hosts -----------------------------------------------------------------------------------------


def test_one_host_has_one_form() -> None:
    assert host_key("::1") == host_key("0:0:0:0:0:0:0:1")
    assert host_key("::ffff:192.0.2.7") == "192.0.2.7"
    assert host_key("no address") == "no address"
