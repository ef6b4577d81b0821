"""kafka-topics; `tests/interop/java_tools` compares it with Kafka's own."""

from __future__ import annotations

import pytest

from ottla.base.ids import ZERO_UUID, format_uuid
from ottla.cli.scripts.running import run
from ottla.testing import TemporaryBroker
from tests.unit.cli.scripts.conftest import Script

UNKNOWN_ID = format_uuid(b"\1" * 16)


def test_a_topic_is_created_listed_described_and_deleted(script: Script) -> None:
    created = script(
        "kafka-topics", "--create", "--topic", "life", "--partitions", 2,
        "--config", "retention.ms = 1000", "--config", "cleanup.policy=compact",
    )  # fmt: skip
    assert created == (0, "Created topic life.\n", "")
    assert "life" in script("kafka-topics", "--list").lines
    told = script("kafka-topics", "--describe", "--topic", "life").lines
    columns = dict(column.split(": ", 1) for column in told[0].split("\t"))
    assert len(columns.pop("TopicId")) == 22
    assert columns == {
        "Topic": "life",
        "PartitionCount": "2",
        "ReplicationFactor": "1",
        "Configs": "cleanup.policy=compact,min.insync.replicas=1,retention.ms=1000",
    }
    assert told[1:] == [
        f"\tTopic: life\tPartition: {index}\tLeader: 1\tReplicas: 1\tIsr: 1\tElr: \tLastKnownElr: "
        for index in (0, 1)
    ]
    assert script("kafka-topics", "--delete", "--topic", "life") == (0, "", "")
    assert "life" not in script("kafka-topics", "--list").lines


def test_a_topic_that_is_there_is_refused_unless_that_was_allowed(script: Script) -> None:
    assert script("kafka-topics", "--create", "--topic", "twice").code == 0
    again = script("kafka-topics", "--create", "--topic", "twice")
    assert again.code == 1
    # Programs look for these two words.
    assert again.out == "Error while executing topic command : topic 'twice' already exists\n"
    assert again.err == ""
    assert script("kafka-topics", "--create", "--topic", "twice", "--if-not-exists") == (0, "", "")


def test_an_expression_names_topics_and_a_comma_is_an_or(script: Script) -> None:
    for name in ("re-1", "re-2", "re-3"):
        script("kafka-topics", "--create", "--topic", name)
    assert script("kafka-topics", "--list", "--topic", "re-[12]").lines == ["re-1", "re-2"]
    assert script("kafka-topics", "--list", "--topic", "re-1, re-3").lines == ["re-1", "re-3"]
    assert script("kafka-topics", "--list", "--topic", "re").out == "\n"
    assert script("kafka-topics", "--list", "--topic", "re-(").code == 1
    assert script("kafka-topics", "--delete", "--topic", "re-.").code == 0
    assert script("kafka-topics", "--list", "--topic", "re-.").out == "\n"


def test_partitions_are_added_where_they_were_wished(script: Script) -> None:
    script("kafka-topics", "--create", "--topic", "grows", "--replica-assignment", "1,1")
    assert script("kafka-topics", "--alter", "--topic", "grows", "--partitions", 3).code == 0
    placed = ("--partitions", 4, "--replica-assignment", "1,1,1,1")
    assert script("kafka-topics", "--alter", "--topic", "grows", *placed) == (0, "", "")
    told = script("kafka-topics", "--describe", "--topic", "grows")
    assert "PartitionCount: 4" in told.lines[0]
    fewer = script("kafka-topics", "--alter", "--topic", "grows", "--partitions", 2)
    assert fewer.code == 1


@pytest.mark.parametrize("action", ["--describe", "--delete", "--alter --partitions 9"])
def test_an_unknown_topic_fails_unless_it_may_be_missing(script: Script, action: str) -> None:
    asked = (*action.split(), "--topic", "nowhere")
    refused = script("kafka-topics", *asked)
    assert refused.code == 1
    assert refused.lines == [
        "Error while executing topic command : Topic 'nowhere' does not exist as expected"
    ]
    assert script("kafka-topics", *asked, "--if-exists") == (0, "", "")


def test_a_topic_is_described_by_its_id(script: Script, broker: TemporaryBroker) -> None:
    script("kafka-topics", "--create", "--topic", "by-id")
    line = script("kafka-topics", "--describe", "--topic", "by-id").lines[0]
    topic_id = line.split("TopicId: ")[1].split("\t")[0]
    assert script("kafka-topics", "--describe", "--topic-id", topic_id).lines[0] == line
    unknown = script("kafka-topics", "--describe", "--topic-id", UNKNOWN_ID)
    assert (unknown.code, "does not exist as expected" in unknown.out) == (1, True)
    assert script("kafka-topics", "--describe", "--topic-id", "x").code == 1
    zeros = ("--topic-id", format_uuid(ZERO_UUID), "--topic", "by-id")
    assert script("kafka-topics", "--describe", *zeros).lines[0] == line


def test_reports_tell_of_partitions_that_need_somebody(script: Script) -> None:
    least = ("--config", "min.insync.replicas=1")
    script("kafka-topics", "--create", "--topic", "well", *least)
    script("kafka-topics", "--create", "--topic", "lame", "--config", "min.insync.replicas=2")

    def names(report: str) -> list[str]:
        told = script("kafka-topics", "--describe", "--topic", "well,lame", f"--{report}")
        assert told.code == 0
        return [line.split("\t")[1].removeprefix("Topic: ") for line in told.lines]

    assert names("under-min-isr-partitions") == ["lame"]
    assert names("at-min-isr-partitions") == ["well"]
    assert names("under-replicated-partitions") == []
    assert names("unavailable-partitions") == []


def test_overrides_are_shown_without_partitions(script: Script) -> None:
    script("kafka-topics", "--create", "--topic", "set", "--config", "retention.ms=7")
    told = script("kafka-topics", "--describe", "--topic", "set", "--topics-with-overrides")
    assert len(told.lines) == 1
    assert "retention.ms=7" in told.lines[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--create --list", "Command must include exactly one action: --list"),
        ("--topic a", "Command must include exactly one action: --list"),
        ("--create", 'Missing required argument "[topic]"'),
        ("--alter --topic a", 'Missing required argument "[partitions]"'),
        ("--list --partitions 3", 'Option "[partitions]" can\'t be used with option "[list]"'),
        ("--delete --topic a --config a=b", '"[config]" can\'t be used with option "[delete]"'),
        ("--alter --topic a --config a=b", 'can\'t be used with option "[alter]"'),
        (
            "--create --topic a --replica-assignment 1 --partitions 2",
            '"[replica-assignment]" can\'t be used with option "[partitions]"',
        ),
        ("--nonsense", "nonsense is not a recognized option"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused_with_the_usage(
    script: Script, words: str, message: str
) -> None:
    code, out, err = script("kafka-topics", *words.split())
    assert (code, out) == (1, "")
    assert message in err.splitlines()[0]
    assert "--replica-assignment" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--partitions 0", "The partitions must be greater than 0"),
        ("--replication-factor 0", "The replication factor must be between 1 and 32767 inclusive"),
        ("--replica-assignment 1:1,1", "Partition replica lists may not contain duplicate entr"),
        ("--replica-assignment 1:2,1", "Partition 1 has different replication factor: [1]"),
        ("--replica-assignment one", "--replica-assignment one: "),
        ("--config retention.ms", 'it takes the form "key=val"'),
        ("--config retention.ms=", 'it takes the form "key=val"'),
        ("--config nonsense=1", "nonsense"),
    ],
)
def test_what_a_topic_cannot_be_is_told_on_standard_output(
    script: Script, words: str, message: str
) -> None:
    code, out, err = script("kafka-topics", "--create", "--topic", "never", *words.split())
    assert (code, err) == (1, "")
    assert out.startswith("Error while executing topic command : ")
    assert message in out


def test_no_bootstrap_server_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("kafka-topics", ["--list"]) == 1
    assert capsys.readouterr().err.startswith("--bootstrap-server must be specified")


def test_a_cluster_that_is_not_there_is_told_at_once(script: Script) -> None:
    told = script("kafka-topics", "--list", at="127.0.0.1:1")
    assert told.code == 1
    assert told.out.startswith("Error while executing topic command : ")
