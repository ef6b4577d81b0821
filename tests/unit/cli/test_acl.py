"""`ottla acl`: who may do what."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ottla.testing import TemporaryBroker
from tests.support.command_line import CommandLine

WITH_AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}


@pytest.fixture(scope="module")
def controlled() -> Iterator[CommandLine]:
    """A cluster that keeps ACLs, and allows us everything."""
    with TemporaryBroker(WITH_AUTHORIZER, form="memory") as broker:
        yield CommandLine(broker)


Entry = tuple[object, ...]


def entries(line: CommandLine, verb: str, *arguments: str) -> set[Entry]:
    rows = line.rows("acl", verb, *arguments)
    return {
        (row["resource_type"], row["resource_name"], row["operation"], row["permission"])
        for row in rows
    }


def test_entries_are_made_listed_by_filter_and_deleted(controlled: CommandLine) -> None:
    made = controlled.rows(
        *("acl", "create", "--principal", "User:a", "--topic", "orders", "--cluster"),
        *("--operation", "describe", "--deny", "--host", "10.0.0.1"),
    )
    assert len(made) == 2
    assert {
        "resource_type": "topic",
        "resource_name": "orders",
        "pattern_type": "literal",
        "principal": "User:a",
        "host": "10.0.0.1",
        "operation": "describe",
        "permission": "deny",
    } in made
    of_a = ("--principal", "User:a")
    both = {
        ("topic", "orders", "describe", "deny"),
        ("cluster", "kafka-cluster", "describe", "deny"),
    }
    assert entries(controlled, "list", *of_a) == both
    assert entries(controlled, "list", *of_a, "--cluster") == {*both} - {
        ("topic", "orders", "describe", "deny")
    }
    assert entries(controlled, "list", *of_a, "--permission", "allow") == set()
    assert entries(controlled, "list", *of_a, "--operation", "read") == set()
    assert entries(controlled, "list", *of_a, "--host", "10.0.0.2") == set()
    assert entries(controlled, "list", *of_a, "--host", "10.0.0.1") == both
    assert entries(controlled, "delete", *of_a, "--topic", "orders") == {
        ("topic", "orders", "describe", "deny")
    }
    assert len(controlled.run("acl", "delete", *of_a).stdout.splitlines()) == 2
    assert entries(controlled, "list", *of_a) == set()


def test_a_producer_and_a_consumer_are_given_what_they_need(controlled: CommandLine) -> None:
    create = ("acl", "create", "--principal", "User:p")
    controlled.run(*create, "--producer", "--idempotent", "--topic", "t", "--transactional-id", "x")
    assert entries(controlled, "delete", "--principal", "User:p") == {
        ("topic", "t", "write", "allow"),
        ("topic", "t", "describe", "allow"),
        ("topic", "t", "create", "allow"),
        ("transactional-id", "x", "write", "allow"),
        ("transactional-id", "x", "describe", "allow"),
        ("cluster", "kafka-cluster", "idempotent-write", "allow"),
    }
    controlled.run(*create, "--consumer", "--topic", "t", "--group", "g")
    assert entries(controlled, "delete", "--principal", "User:p") == {
        ("topic", "t", "read", "allow"),
        ("topic", "t", "describe", "allow"),
        ("group", "g", "read", "allow"),
    }


def test_a_prefix_covers_names_that_match_it(controlled: CommandLine) -> None:
    create = ("acl", "create", "--principal", "User:x", "--operation", "read")
    controlled.run(*create, "--topic", "bill", "--prefixed")
    matching = entries(controlled, "list", "--topic", "billing", "--pattern", "match")
    assert matching == {("topic", "bill", "read", "allow")}
    assert entries(controlled, "list", "--topic", "billing", "--pattern", "literal") == set()
    gone = entries(controlled, "delete", "--topic", "bill", "--pattern", "prefixed")
    assert gone == {("topic", "bill", "read", "allow")}


@pytest.mark.parametrize(
    "arguments",
    [
        ["create", "--principal", "User:a", "--topic", "t"],
        ["create", "--topic", "t", "--operation", "read"],
        ["create", "--principal", "User:a", "--operation", "read"],
        ["create", "--principal", "User:a", "--consumer", "--topic", "t"],
        ["create", "--principal", "User:a", "--producer"],
        ["create", "--principal", "User:a", "--producer", "--deny", "--topic", "t"],
        ["create", "--principal", "User:a", "--operation", "read", "--idempotent", "--topic", "t"],
        ["delete"],
        ["list", "--operation", "sing"],
    ],
)
def test_what_makes_no_sense_is_wrong_usage(controlled: CommandLine, arguments: list[str]) -> None:
    assert "Error:" in controlled.run("acl", *arguments, code=2).stderr


def test_a_cluster_that_controls_nothing_says_so_with_a_way_out(shared_line: CommandLine) -> None:
    told = shared_line.refusal("acl", "list")
    assert told.startswith("ottla: SECURITY_DISABLED: ")
    assert "authorizer.class.name" in told
