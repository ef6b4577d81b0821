"""What can be an ACL, and which ones a filter means."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.security.acl import (
    Acl,
    AclFilter,
    AclResourceType,
    Operation,
    PatternType,
    Permission,
    check_acl,
)

READ_ORDERS = Acl(
    AclResourceType.TOPIC,
    "orders",
    PatternType.LITERAL,
    "User:alice",
    "*",
    Operation.READ,
    Permission.ALLOW,
)
ANY = AclFilter(1, None, 1, None, None, 1, 1)


@pytest.mark.parametrize(
    "acl",
    [
        READ_ORDERS,
        READ_ORDERS._replace(resource_name="a b/c"),
        READ_ORDERS._replace(resource_name="*", pattern_type=PatternType.PREFIXED),
        READ_ORDERS._replace(principal=":x", host=""),
        READ_ORDERS._replace(operation=Operation.CREATE_TOKENS, permission=Permission.DENY),
        READ_ORDERS._replace(resource_type=4, resource_name="kafka-cluster", pattern_type=4),
    ],
)
def test_what_apache_kafka_takes_is_taken(acl: Acl) -> None:
    check_acl(acl)


@pytest.mark.parametrize(
    "change",
    [
        {"resource_name": ""},
        {"resource_type": 1},
        {"resource_type": 9},
        {"resource_type": 4},
        {"pattern_type": 1},
        {"pattern_type": 2},
        {"pattern_type": 5},
        {"principal": ""},
        {"principal": "alice"},
        {"operation": 1},
        {"operation": 16},
        {"permission": 1},
        {"permission": 4},
    ],
)
def test_what_cannot_be_an_entry_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ProtocolError) as refused:
        check_acl(READ_ORDERS._replace(**change))  # type: ignore[arg-type]  # the fields of an Acl
    assert refused.value.code is ErrorCode.INVALID_REQUEST


def test_a_filter_of_nothing_means_all() -> None:
    assert ANY.matches(READ_ORDERS)


@pytest.mark.parametrize("field", range(7))
def test_a_filter_means_only_what_is_equal_in_all_that_it_names(field: int) -> None:
    same = AclFilter(*READ_ORDERS)
    other: list[object] = [3, "other", 4, "User:bob", "192.0.2.1", 4, 2]
    assert same.matches(READ_ORDERS)
    differing = AclFilter(*[*same[:field], other[field], *same[field + 1 :]])  # type: ignore[arg-type]  # of the field's type
    assert not differing.matches(READ_ORDERS)


@pytest.mark.parametrize(
    ("pattern_type", "name", "found"),
    [
        (PatternType.LITERAL, "orders-eu", {"literal"}),
        (PatternType.PREFIXED, "orders", {"prefixed"}),
        (PatternType.PREFIXED, "orders-eu", set()),
        (PatternType.ANY, "orders", {"prefixed"}),
        (PatternType.MATCH, "orders-eu", {"literal", "prefixed", "every"}),
        (PatternType.MATCH, "other", {"every"}),
        (PatternType.MATCH, None, {"literal", "prefixed", "every"}),
        (9, "orders-eu", set()),
    ],
)
def test_a_filter_names_patterns_or_what_they_cover(
    pattern_type: int, name: str | None, found: set[str]
) -> None:
    patterns = {
        "literal": READ_ORDERS._replace(resource_name="orders-eu"),
        "prefixed": READ_ORDERS._replace(pattern_type=PatternType.PREFIXED),
        "every": READ_ORDERS._replace(resource_name="*"),
    }
    wanted = ANY._replace(resource_name=name, pattern_type=pattern_type)
    assert {kind for kind, acl in patterns.items() if wanted.matches(acl)} == found
