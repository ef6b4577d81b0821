"""`ottla config`: settings of everything that has any."""

from __future__ import annotations

import pytest

from tests.support.command_line import CommandLine


def own(line: CommandLine, *what: str) -> dict[str, object]:
    return {row["key"]: row["value"] for row in line.rows("config", "describe", *what)}


def test_settings_are_set_added_to_taken_from_and_unset(shared_line: CommandLine) -> None:
    shared_line.run("topic", "create", "settled")
    of = ("topic", "settled")
    before = own(shared_line, *of)
    told = shared_line.run("config", "set", *of, "retention.ms=5000", "cleanup.policy=delete")
    assert told.stdout == "set retention.ms, cleanup.policy of topic settled\n"
    shared_line.run("config", "set", *of, "cleanup.policy+=compact")
    assert own(shared_line, *of)["cleanup.policy"] == "delete,compact"
    shared_line.run("config", "set", *of, "cleanup.policy-=delete")
    assert own(shared_line, *of)["cleanup.policy"] == "compact"
    told = shared_line.run("config", "unset", *of, "retention.ms", "cleanup.policy")
    assert told.stdout == "unset retention.ms, cleanup.policy of topic settled\n"
    assert own(shared_line, *of) == before


def test_unsetting_what_is_not_set_here_is_told_and_what_nobody_knows_is_refused(
    line: CommandLine,
) -> None:
    line.run("topic", "create", "unsettled", "-c", "retention.ms=5000")
    of = ("config", "unset", "topic", "unsettled")
    told = line.run(*of, "retention.ms", "segment.ms").stdout
    assert told.splitlines() == [
        "unset retention.ms of topic unsettled",
        "segment.ms of topic unsettled was not set",
    ]
    told = line.run(*of, "retention.ms").stdout
    assert told == "retention.ms of topic unsettled was not set\n"
    assert "retention.mss: topic unsettled has no such" in line.refusal(*of, "retention.mss")
    (row,) = line.rows(*of, "retention.mss", "segment.ms", code=1)
    assert (row["unset"], row["not_set"], row["unknown"]) == (
        [],
        ["segment.ms"],
        ["retention.mss"],
    )
    assert line.run("config", "unset", "broker", "1", "log.retention.ms").stdout == (
        "log.retention.ms of broker 1 was not set\n"
    )
    assert line.run("config", "unset", "broker", "all", "mistyped").stdout == (
        "mistyped of broker all was not set\n"
    )


@pytest.mark.parametrize(
    ("of", "change"),
    [
        (("broker", "all"), "log.retention.ms=5000"),
        (("broker", "1"), "log.retention.ms=5000"),
        (("broker-logger", "1"), "ottla.broker=DEBUG"),
        (("group", "g"), "consumer.session.timeout.ms=50000"),
        (("client-metrics", "s"), "interval.ms=1000"),
    ],
)
def test_whatever_has_settings_lets_go_of_them(
    line: CommandLine, of: tuple[str, str], change: str
) -> None:
    line.run("config", "set", *of, change)
    key = change.partition("=")[0]
    told = line.run("config", "unset", *of, key, "--validate-only").stdout
    assert told == f"could unset {key} of {' '.join(of)}\n"
    told = line.run("config", "unset", *of, key).stdout
    assert told == f"unset {key} of {' '.join(of)}\n"


def test_asking_only_changes_nothing(shared_line: CommandLine) -> None:
    shared_line.run("topic", "create", "asked-only")
    of = ("topic", "asked-only")
    shared_line.run("config", "set", *of, "retention.ms=5000", "--validate-only")
    assert "retention.ms" not in own(shared_line, *of)
    assert "retention.ms" in shared_line.refusal(
        "config", "set", *of, "retention.ms=soon", "--validate-only"
    )


def test_all_settings_are_told_with_where_they_come_from(shared_line: CommandLine) -> None:
    shared_line.run("topic", "create", "told-all")
    rows = {
        row["key"]: row
        for row in shared_line.rows("config", "describe", "topic", "told-all", "--all")
    }
    assert len(rows) > 30
    assert rows["retention.ms"] == {
        "key": "retention.ms",
        "value": "604800000",
        "source": "default",
        "type": "long",
        "read_only": False,
        "sensitive": False,
    }


def test_one_setting_is_told_with_its_synonyms_and_meaning(shared_line: CommandLine) -> None:
    shared_line.run("topic", "create", "told-one", "-c", "segment.ms=60000")
    (row,) = shared_line.rows(
        "config", "describe", "topic", "told-one", "segment.ms", "--synonyms", "--docs"
    )
    assert row["synonyms"][0] == {"key": "segment.ms", "value": "60000", "source": "topic"}
    assert row["documentation"]
    table = shared_line.run(
        "config", "describe", "topic", "told-one", "segment.ms", "--synonyms"
    ).stdout
    assert "segment.ms=60000 (topic)" in table


def test_brokers_loggers_groups_and_subscriptions_have_settings(line: CommandLine) -> None:
    line.run("config", "set", "broker", "all", "log.retention.ms=123456")
    assert own(line, "broker", "all")["log.retention.ms"] == "123456"
    line.run("config", "set", "broker", "1", "log.retention.ms=654321")
    assert own(line, "broker", "1", "log.retention.ms") == {"log.retention.ms": "654321"}
    line.run("config", "set", "broker-logger", "1", "ottla.broker=DEBUG")
    assert own(line, "broker-logger", "1", "ottla.broker") == {"ottla.broker": "DEBUG"}
    line.run("config", "set", "group", "g", "consumer.session.timeout.ms=50000")
    line.run("config", "set", "client-metrics", "s", "interval.ms=1000")
    kinds = {row["kind"] for row in line.rows("config", "list")}
    assert kinds == {"broker", "broker-logger", "group", "client-metrics"}
    assert line.rows("config", "list", "group") == [{"kind": "group", "name": "g"}]


@pytest.mark.parametrize(
    "arguments",
    [
        ["describe", "broker", "one"],
        ["describe", "broker-logger", "all"],
        ["describe", "planet", "x"],
        ["set", "topic", "x", "retention.ms"],
        ["set", "topic", "x"],
    ],
)
def test_what_makes_no_sense_is_wrong_usage(shared_line: CommandLine, arguments: list[str]) -> None:
    assert "Error:" in shared_line.run("config", *arguments, code=2).stderr


def test_a_setting_that_is_not_there_is_told_after_those_that_are(
    shared_line: CommandLine,
) -> None:
    shared_line.run("topic", "create", "mistyped")
    of = ("config", "describe", "topic", "mistyped", "retention.ms", "retention.mss")
    assert [row["key"] for row in shared_line.rows(*of, code=1)] == ["retention.ms"]
    told = shared_line.refusal(*of)
    assert "retention.mss" in told
    assert "--all" in told
    shared_line.run("config", "describe", "broker", "all", "num.partitions")


def test_a_thing_that_is_not_there_is_refused(shared_line: CommandLine) -> None:
    assert "nosuch" in shared_line.refusal("config", "describe", "topic", "nosuch")
    refused = shared_line.rows("config", "set", "topic", "nosuch", "retention.ms=1", code=1)
    assert refused == [
        {
            "kind": "topic",
            "name": "nosuch",
            "error": "UNKNOWN_TOPIC_OR_PARTITION",
            "message": refused[0]["message"],
        }
    ]
