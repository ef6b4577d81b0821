"""`ottla cluster`, `ottla disk` and `ottla telemetry`, on one broker."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.support.command_line import CommandLine


def test_the_cluster_tells_who_it_is(shared_line: CommandLine) -> None:
    (row,) = shared_line.rows("cluster", "describe")
    assert len(row["cluster_id"]) == 22
    assert (row["controller"], row["brokers"]) == (1, [1])
    (row,) = shared_line.rows("cluster", "describe", "--operations")
    assert "describe" in row["operations"]


def test_brokers_are_listed_with_their_addresses(shared_line: CommandLine) -> None:
    (row,) = shared_line.rows("cluster", "brokers")
    assert row == {
        "broker": 1,
        "host": "memory",
        "port": 9092,
        "rack": None,
        "controller": True,
        "fenced": False,
    }
    assert shared_line.rows("cluster", "brokers", "--fenced") == [row]


def test_apis_are_listed_by_key_and_name(shared_line: CommandLine) -> None:
    rows = shared_line.rows("cluster", "api-versions", "--broker", "1")
    assert rows[0] == {"broker": 1, "key": 0, "api": "Produce", "first": 0, "last": 13}
    assert len(rows) > 50
    assert [row["key"] for row in rows] == sorted(row["key"] for row in rows)


def test_features_are_told_with_their_levels(shared_line: CommandLine) -> None:
    levels = {row["feature"]: row for row in shared_line.rows("cluster", "features")}
    assert levels["transaction.version"]["max_level"] == 2
    assert levels["metadata.version"]["level"] >= 7


def test_a_person_is_asked_before_a_level_sinks_whatever_is_lost(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("ottla.cli.confirmation.sys", terminal)
    sink = ("cluster", "set-feature", "group.version=0", "--downgrade")
    told = line.run(*sink, "unsafe", stdin="n\n", code=1).stderr
    assert "nothing was done" in told
    line.run(*sink, "unsafe", "--validate-only")
    levels = {row["feature"]: row["level"] for row in line.rows("cluster", "features")}
    assert levels["group.version"] == 1
    assert line.run(*sink, "unsafe", "--yes").stdout == "set group.version\n"


def test_a_data_directory_is_told_with_what_lies_in_it(shared_line: CommandLine) -> None:
    shared_line.run("topic", "create", "on-disk", "-p", "2")
    (directory,) = shared_line.rows("disk", "describe", "on-disk")
    assert (directory["broker"], directory["replicas"], directory["error"]) == (1, 2, None)
    replicas = shared_line.rows("disk", "describe", "on-disk:1", "--replicas", "--broker", "1")
    assert [(row["topic"], row["partition"], row["future"]) for row in replicas] == [
        ("on-disk", 1, False)
    ]
    (row,) = shared_line.rows("disk", "move", "on-disk:0", "--to", "/nowhere", code=1)
    assert row["error"] == "LOG_DIR_NOT_FOUND"
    assert (row["broker"], row["topic"], row["partition"]) == (1, "on-disk", 0)
    told = shared_line.run("disk", "move", "on-disk:0", "--to", directory["path"]).stdout
    assert told == f"moving to {directory['path']}: on-disk-0 on broker 1\n"


def test_subscriptions_are_made_changed_and_deleted(line: CommandLine) -> None:
    line.run("telemetry", "set", "all", "--metrics", "*", "--interval", "1m")
    line.run("telemetry", "set", "all", "--match", "client_id=billing.*")
    expected = {
        "name": "all",
        "metrics": ["*"],
        "interval_ms": 60_000,
        "match": ["client_id=billing.*"],
    }
    assert line.rows("telemetry", "describe", "all") == [expected]
    assert line.rows("telemetry", "list") == [expected]
    assert line.run("telemetry", "delete", "all").stdout == "deleted all\n"
    assert line.rows("telemetry", "list") == []
    assert "nothing to set" in line.run("telemetry", "set", "all", code=2).stderr
    for verb in ("describe", "delete"):
        assert "no subscription 'all'" in line.refusal("telemetry", verb, "all")


def test_the_quorum_tells_its_leader_and_how_far_it_is(shared_line: CommandLine) -> None:
    (row,) = shared_line.rows("cluster", "quorum")
    assert (row["node"], row["role"], row["lag"]) == (1, "leader", 0)
    assert row["log_end_offset"] >= row["high_watermark"] > 0
    assert shared_line.run("cluster", "quorum").stdout.startswith("leader 1, epoch ")


def test_a_feature_is_set_to_another_level(line: CommandLine) -> None:
    down = ("cluster", "set-feature", "transaction.version=1")
    refused = line.rows(*down, code=1)
    assert (refused[0]["feature"], refused[0]["level"]) == ("transaction.version", 1)
    line.run(*down, "--downgrade", "safe", "--validate-only")
    levels = {row["feature"]: row["level"] for row in line.rows("cluster", "features")}
    assert levels["transaction.version"] == 2
    assert line.run(*down, "--downgrade", "safe").stdout == "set transaction.version\n"
    levels = {row["feature"]: row["level"] for row in line.rows("cluster", "features")}
    assert levels["transaction.version"] == 1
    assert "Error:" in line.run("cluster", "set-feature", "a=high", code=2).stderr


def test_only_a_broker_that_is_gone_is_forgotten(shared_line: CommandLine) -> None:
    assert "7" in shared_line.refusal("cluster", "unregister", "7")
    assert "broker 1" in shared_line.refusal("cluster", "unregister", "1", "--yes")
