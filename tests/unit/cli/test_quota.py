"""`ottla quota`: limits of users, clients and addresses."""

from __future__ import annotations

import pytest

from tests.support.command_line import CommandLine


def test_quotas_are_set_told_and_removed(line: CommandLine) -> None:
    told = line.run("quota", "set", "--user", "alice", "producer_byte_rate=1000").stdout
    assert told == "set producer_byte_rate of user alice\n"
    line.run("quota", "set", "--user", "alice", "--client-id-default", "consumer_byte_rate=5e6")
    line.run("quota", "set", "--ip-default", "connection_creation_rate=20")
    assert line.rows("quota", "describe") == [
        {
            "user": None,
            "client_id": None,
            "ip": "<default>",
            "quotas": {"connection_creation_rate": 20.0},
        },
        {
            "user": "alice",
            "client_id": "<default>",
            "ip": None,
            "quotas": {"consumer_byte_rate": 5e6},
        },
        {"user": "alice", "client_id": None, "ip": None, "quotas": {"producer_byte_rate": 1000.0}},
    ]
    table = line.run("quota", "describe", "--user", "alice", "--strict").stdout.splitlines()
    assert table[1].split() == ["alice", "-", "-", "producer_byte_rate=1000"]
    assert len(table) == 2
    told = line.run("quota", "unset", "--user", "alice", "producer_byte_rate").stdout
    assert told == "unset producer_byte_rate of user alice\n"
    told = line.run("quota", "unset", "--user", "alice", "producer_byte_rate").stdout
    assert told == "producer_byte_rate of user alice was not set\n"
    assert len(line.rows("quota", "describe", "--user", "alice")) == 1
    line.run("quota", "set", "--user", "bob", "request_percentage=1", "--validate-only")
    assert line.rows("quota", "describe", "--user", "bob") == []


def test_a_refusal_names_whose_quota_it_was(shared_line: CommandLine) -> None:
    told = shared_line.refusal("quota", "set", "--client-id", "app", "nosuch=1")
    assert told.startswith("ottla: client-id app: ")
    (row,) = shared_line.rows("quota", "set", "--client-id", "app", "nosuch=1", code=1)
    assert (row["client_id"], row["error"]) == ("app", "INVALID_REQUEST")


@pytest.mark.parametrize(
    "arguments",
    [
        ["set", "producer_byte_rate=1"],
        ["set", "--user", "a", "producer_byte_rate=much"],
        ["set", "--user", "a", "producer_byte_rate"],
        ["set", "--user", "a", "--user-default", "producer_byte_rate=1"],
        ["unset", "producer_byte_rate"],
        ["describe", "--strict"],
    ],
)
def test_what_makes_no_sense_is_wrong_usage(shared_line: CommandLine, arguments: list[str]) -> None:
    assert "Error:" in shared_line.run("quota", *arguments, code=2).stderr
