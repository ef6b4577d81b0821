"""Kafka's tools about the cluster itself; `tests/interop/java_tools` compares them with Kafka's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition
from ottla.cli.scripts.reassignment_plan import Target, proposed, read_plan, written
from ottla.cli.scripts.release_levels import level_of, levels_of, name_of, needs
from ottla.cli.scripts.running import run
from ottla.client.metadata import Node
from ottla.testing import TemporaryBroker
from tests.unit.cli.scripts.conftest import Ran, Script

FEATURES = "kafka-features"
QUORUM = "kafka-metadata-quorum"
REASSIGN = "kafka-reassign-partitions"


@pytest.fixture(scope="module", autouse=True)
def topic(broker: TemporaryBroker) -> str:
    return broker.create_topic("moved", partitions=2)


# -- kafka-cluster ---------------------------------------------------------------------------------


def cluster(broker: TemporaryBroker, capsys: pytest.CaptureFixture[str], *words: str) -> Ran:
    capsys.readouterr()
    code = run("kafka-cluster", [*words, "--bootstrap-server", broker.bootstrap])
    return Ran(code, *capsys.readouterr())


def test_the_cluster_tells_its_id_and_brokers(
    broker: TemporaryBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    told = cluster(broker, capsys, "cluster-id")
    assert told.out.startswith("Cluster ID: ")
    assert len(told.out.split()[-1]) == 22
    host, port = broker.bootstrap.split(":")
    for more in ((), ("--include-fenced-brokers",)):
        listed = cluster(broker, capsys, "list-endpoints", *more).lines
        assert listed[0].split() == ["ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE"]
        assert listed[1].split() == ["1", host, port, "null", "unfenced", "broker"]
    assert cluster(broker, capsys, "unregister", "--id", "7").code == 1
    assert cluster(broker, capsys, "unregister").code == 1
    assert run("kafka-cluster", ["cluster-id"]) == 1


# -- kafka-features --------------------------------------------------------------------------------


def test_features_are_described_and_changed(script: Script) -> None:
    told = script(FEATURES, "describe").lines
    of_metadata = next(line for line in told if "metadata.version" in line)
    assert of_metadata.split()[:8] == [
        *("Feature:", "metadata.version", "SupportedMinVersion:", "3.3-IV3"),
        *("SupportedMaxVersion:", "4.3-IV0", "FinalizedVersionLevel:", "4.3-IV0"),
    ]
    assert of_metadata.split()[-1].isdecimal()
    could = script(FEATURES, "downgrade", "--feature", "transaction.version=1", "--dry-run")
    assert could == (0, "transaction.version can be downgraded to 1.\n", "")
    done = script(FEATURES, "upgrade", "--release-version", "4.3")
    assert done.code == 0
    assert "metadata.version was upgraded to 30." in done.lines
    refused = script(FEATURES, "upgrade", "--feature", "bogus=1", "--feature", "share.version=1")
    assert refused.code == 1
    assert refused.lines[0].startswith("Could not upgrade bogus to 1. ")
    assert refused.err == "2 out of 2 operation(s) failed.\n"


@pytest.mark.parametrize(
    "words",
    [
        ("upgrade",),
        ("upgrade", "--feature", "group.version"),
        ("upgrade", "--feature", "group.version=x"),
        ("upgrade", "--feature", "group.version=1", "--feature", "group.version=1"),
        ("upgrade", "--release-version", "1.0"),
        ("upgrade", "--release-version", "4.3", "--metadata", "4.3"),
        ("feature-dependencies", "--feature", "bogus=1"),
        ("bogus",),
        (),
    ],
)
def test_levels_that_make_no_sense_are_refused(script: Script, words: tuple[str, ...]) -> None:
    told = script(FEATURES, *words)
    assert (told.code, told.out, bool(told.err)) == (1, "", True)


def test_a_release_stands_for_its_last_level() -> None:
    assert (level_of("3.3"), level_of("4.2"), level_of("4.2-IV0"), name_of(30)) == (
        *(7, 29, 28),
        "4.3-IV0",
    )
    assert levels_of(level_of("4.1")) == {
        "kraft.version": 1,
        "transaction.version": 2,
        "group.version": 1,
        "eligible.leader.replicas.version": 1,
        "share.version": 0,
        "streams.version": 0,
    }
    assert needs("eligible.leader.replicas.version", 1) == (("metadata.version", 23),)
    assert needs("transaction.version", 2) == ()
    for name, level in (("transaction.version", 3), ("metadata.version", 31)):
        with pytest.raises(UserError):
            needs(name, level)


# -- kafka-metadata-quorum -------------------------------------------------------------------------


def test_the_quorum_is_described(script: Script) -> None:
    status = dict(line.split(":", 1) for line in script(QUORUM, "describe", "--status").lines)
    assert status["LeaderId"].strip() == "1"
    assert status["MaxFollowerLag"].strip() == "0"
    (voter,) = json.loads(status["CurrentVoters"])
    assert voter["id"] == 1
    assert json.loads(status["CurrentObservers"]) == []
    heads, row = script(QUORUM, "describe", "--replication").lines
    told = dict(zip(heads.split("\t"), (word.strip() for word in row.split("\t")), strict=True))
    assert (told["NodeId"], told["Status       ".strip()], told["Lag"]) == ("1", "Leader", "0")
    human = script(QUORUM, "describe", "--replication", "--human-readable").lines[1]
    assert human.count(" ms ago") == 2
    for words in (("describe",), ("add-controller",), ("describe", "--status", "--human-readable")):
        assert script(QUORUM, *words).code == 1


# -- kafka-leader-election -------------------------------------------------------------------------


def test_leaders_are_elected_where_that_is_needed(script: Script, tmp_path: Path) -> None:
    elect = ("kafka-leader-election", "--election-type", "preferred")
    one = script(*elect, "--topic", "moved", "--partition", 1)
    assert one == (0, "Valid replica already elected for partitions moved-1\n", "")
    assert script(*elect, "--all-topic-partitions") == (0, "", "")
    missing = script(*elect, "--topic", "moved", "--partition", 7)
    assert missing.code == 1
    assert missing.out.startswith("Error completing leader election (PREFERRED) for partition: ")
    plan = tmp_path / "plan.json"
    for text in ("nonsense", '{"partitions": []}', '{"partitions": [{"topic": "moved"}]}'):
        plan.write_text(text)
        assert script(*elect, "--path-to-json-file", plan).code == 1
    for words in (("--topic", "moved"), ("--partition", "1"), ()):
        assert script(*elect, *words).code == 1


# -- kafka-reassign-partitions ---------------------------------------------------------------------


def plan_file(folder: Path, *partitions: dict[str, object]) -> Path:
    path = folder / "plan.json"
    path.write_text(json.dumps({"version": 1, "partitions": list(partitions)}))
    return path


def moved(*replicas: int, **more: object) -> dict[str, object]:
    return {"topic": "moved", "partition": 0, "replicas": [*replicas], **more}


def test_a_plan_is_carried_out_verified_and_cancelled(script: Script, tmp_path: Path) -> None:
    plan = plan_file(tmp_path, moved(1))
    begun = script(REASSIGN, "--execute", "--reassignment-json-file", plan)
    assert begun.lines[-1] == "Successfully started partition reassignment for moved-0"
    (rollback,) = (line for line in begun.lines if line.startswith("{"))
    assert json.loads(rollback)["partitions"][0]["log_dirs"] != ["any"]
    verified = script(REASSIGN, "--verify", "--reassignment-json-file", plan)
    assert verified.lines[1] == "Reassignment of partition moved-0 is completed."
    assert verified.lines[-1] == "Clearing topic-level throttles on topic moved"
    cancelled = script(
        REASSIGN, "--cancel", "--preserve-throttles", "--reassignment-json-file", plan
    )
    assert cancelled.lines == [
        "None of the specified partition reassignments are active.",
        "None of the specified partition moves are active.",
    ]
    assert script(REASSIGN, "--list").out == "No partition reassignments found.\n"


def test_a_limit_on_copies_between_directories_is_set_and_taken_back(
    script: Script, tmp_path: Path
) -> None:
    place = json.loads(script("kafka-log-dirs", "--describe").lines[-1])
    (path,) = (each["logDir"] for broker in place["brokers"] for each in broker["logDirs"])
    plan = plan_file(tmp_path, moved(1, log_dirs=[path]))
    limit = ("--replica-alter-log-dirs-throttle", 2000)
    begun = script(REASSIGN, "--execute", *limit, "--reassignment-json-file", plan)
    assert "The replica-alter-dir throttle limit was set to 2000 B/s" in begun.lines
    assert begun.lines[-1].startswith(f"Successfully started moving log directory to {path} for ")
    name = "replica.alter.log.dirs.io.max.bytes.per.second"
    assert f"{name}=2000 " in script("kafka-configs", "--broker", 1, "--describe").out
    verified = script(REASSIGN, "--verify", "--reassignment-json-file", plan)
    assert "Reassignment of replica moved-0-1 completed successfully." in verified.lines
    assert f"{name}=" not in script("kafka-configs", "--broker", 1, "--describe").out


@pytest.mark.parametrize(
    "partitions",
    [
        [],
        [moved()],
        [moved(1), moved(1)],
        [moved(1, 1)],
        [moved(2)],
        [moved(1, log_dirs=[])],
        [{"topic": "nosuch", "partition": 0, "replicas": [1]}],
        [{"topic": "moved", "partition": 7, "replicas": [1]}],
        [{"topic": "moved"}],
    ],
)
def test_plans_that_cannot_be_are_refused(
    script: Script, tmp_path: Path, partitions: list[dict[str, object]]
) -> None:
    plan = plan_file(tmp_path, *partitions)
    told = script(REASSIGN, "--execute", "--reassignment-json-file", plan)
    assert told.code == 1
    assert told.out.startswith("Error: ")


@pytest.mark.parametrize(
    "words",
    [
        ("--execute",),
        ("--list", "--execute"),
        ("--verify", "--reassignment-json-file", "x", "--additional"),
        ("--generate", "--broker-list", "1"),
        ("--bogus",),
    ],
)
def test_reassignments_that_make_no_sense_fail(script: Script, words: tuple[str, ...]) -> None:
    told = script(REASSIGN, *words)
    assert (told.code, told.out, bool(told.err)) == (1, "", True)


def test_a_plan_is_generated(script: Script, tmp_path: Path) -> None:
    topics = tmp_path / "topics.json"
    topics.write_text('{"version": 1, "topics": [{"topic": "moved"}]}')
    generate = (REASSIGN, "--generate", "--topics-to-move-json-file", topics)
    told = script(*generate, "--broker-list", "1,2")
    current, plan = (json.loads(line) for line in told.lines if line.startswith("{"))
    assert len(current["partitions"]) == 2
    assert plan["partitions"][1] == {
        "topic": "moved",
        "partition": 1,
        "replicas": [1],
        "log_dirs": ["any"],
    }
    assert script(*generate, "--broker-list", "1,x").code == 1
    assert script(*generate, "--broker-list", "1,1").code == 1


def nodes(*racks: str | None) -> list[Node]:
    return [Node(number, "host", 9092, rack) for number, rack in enumerate(racks, 1)]


def test_a_generated_plan_spreads_leaders_and_takes_other_racks_first() -> None:
    counts = {TopicPartition("t", index): 2 for index in range(4)}
    plan = proposed(counts, nodes("a", "a", "b", "b"), rack_aware=True)
    assert sorted(target.replicas[0] for target in plan.values()) == [1, 2, 3, 4]
    for target in plan.values():
        assert {broker in (1, 2) for broker in target.replicas} == {True, False}
    plain = proposed(counts, nodes("a", "a", "b", "b"), rack_aware=False)
    assert [target.replicas for target in plain.values()] == [(1, 2), (2, 3), (3, 4), (4, 1)]
    with pytest.raises(UserError, match="2 replicas, for 1 brokers"):
        proposed(counts, nodes(None), rack_aware=True)
    with pytest.raises(UserError, match="some have none"):
        proposed(counts, nodes("a", None), rack_aware=True)


def test_a_plan_that_was_written_is_read_as_it_was(tmp_path: Path) -> None:
    plan = {
        TopicPartition("a", 1): Target((1, 2), ("any", "/disk")),
        TopicPartition("b", 0): Target((3,), ("any",)),
    }
    path = tmp_path / "plan.json"
    path.write_text(written(plan))
    assert read_plan(str(path)) == plan
    assert plan[TopicPartition("a", 1)].named_dirs == {2: "/disk"}
