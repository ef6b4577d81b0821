"""`ottla partition`: who leads and holds partitions; on one broker nothing moves."""

from __future__ import annotations

import pytest

from tests.support.command_line import CommandLine


def test_the_only_replica_leads_already(shared_line: CommandLine) -> None:
    shared_line.run("topic", "create", "led", "-p", "2")
    assert shared_line.rows("partition", "elect-leaders", "led:1") == [
        {"topic": "led", "partition": 1, "elected": False}
    ]
    assert shared_line.rows("partition", "elect-leaders") == []
    shared_line.run("partition", "elect-leaders", "led", "--unclean", "--yes")
    refused = shared_line.run("partition", "elect-leaders", "led:7", code=1)
    assert "led has no partition 7, only 0 to 1" in refused.stderr


def test_a_partition_moves_only_where_a_broker_is(shared_line: CommandLine) -> None:
    shared_line.run("topic", "create", "moved")
    told = shared_line.run("partition", "reassign", "moved", "--replicas", "1").stdout
    assert told == "reassigned moved-0\n"
    (row,) = shared_line.rows("partition", "reassign", "moved:0", "--replicas", "2", code=1)
    assert row["error"] == "INVALID_REPLICA_ASSIGNMENT"
    (row,) = shared_line.rows("partition", "reassign", "moved:0", "--cancel", code=1)
    assert row["error"] == "NO_REASSIGNMENT_IN_PROGRESS"
    assert shared_line.rows("partition", "reassignments") == []
    assert shared_line.rows("partition", "reassignments", "moved") == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["reassign", "moved"],
        ["reassign", "moved", "--replicas", "1", "--cancel"],
        ["reassign", "moved", "--replicas", "one"],
        ["reassign", "--cancel"],
        ["elect-leaders", "moved:x"],
    ],
)
def test_what_makes_no_sense_is_wrong_usage(shared_line: CommandLine, arguments: list[str]) -> None:
    assert "Error:" in shared_line.run("partition", *arguments, code=2).stderr
