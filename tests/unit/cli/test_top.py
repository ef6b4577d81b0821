"""`ottla top --once`: rates of topics and lag of groups, for programs and for people."""

from __future__ import annotations

from tests.support.command_line import CommandLine

QUICK = ("--interval", "1ms")


def test_topics_and_groups_are_told_once(line: CommandLine) -> None:
    topic = line.broker.create_topic(partitions=2)
    line.run("produce", topic, *"abcde")
    line.run("consume", topic, "-g", "billing", "-n", "2")
    (told,) = line.rows("top", "--once", *QUICK)
    assert told["brokers"] == 1
    (seen,) = told["topics"]
    assert (seen["topic"], seen["partitions"], seen["records"]) == (topic, 2, 5)
    assert seen["size_bytes"] > 0
    (group,) = told["groups"]
    assert (group["group"], group["state"], group["lag"]) == ("billing", "Empty", 3)
    text = line.run("top", *QUICK).stdout
    assert topic in text
    assert "billing" in text


def test_the_brokers_own_topics_are_told_on_demand(line: CommandLine) -> None:
    line.run("consume", line.broker.create_topic(), "-g", "billing", "-e", "--idle", "1ms")
    (told,) = line.rows("top", "--internal", *QUICK)
    assert "__consumer_offsets" in {topic["topic"] for topic in told["topics"]}


def test_a_cluster_that_is_not_there_is_refused(line: CommandLine) -> None:
    line.broker.stop()
    assert line.broker.bootstrap in line.refusal("top")
