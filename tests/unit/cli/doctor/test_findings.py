"""What each look makes of what it sees: one fault at a time, and a healthy cluster beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from ottla.base.ids import TopicPartition
from ottla.cli.doctor.addresses import Told, look_at_addresses
from ottla.cli.doctor.clocks import skew_findings
from ottla.cli.doctor.dialling import Dialled, Failure
from ottla.cli.doctor.disks import look_at_disks
from ottla.cli.doctor.examination import advertised_of, version_findings
from ottla.cli.doctor.finding import Finding, Level
from ottla.cli.doctor.groups import Look, Patience, group_findings
from ottla.cli.doctor.partitions import partition_findings
from ottla.cli.groups.lag import PartitionLag
from ottla.client.address import Address
from ottla.client.admin import (
    GroupDescription,
    GroupState,
    GroupType,
    LogDir,
    MemberDescription,
    Outcomes,
    PartitionDescription,
    TopicDescription,
)
from ottla.client.metadata import Node

HERE = Address("kafka.example", 9092)
NODES = [Node(1, "kafka.example", 9092), Node(2, "second.example", 9092)]
CLUSTER = "the-cluster"


def bad(findings: Sequence[Finding]) -> list[tuple[Level, str]]:
    """All but what is fine, with what each is about."""
    return [(each.level, each.about) for each in findings if each.level is not Level.FINE]


# -- addresses -------------------------------------------------------------------------------------


def addresses(
    answers: Mapping[Address, Dialled] | None = None,
    *,
    bootstrap: Sequence[Address] = (HERE,),
    nodes: Sequence[Node] = NODES,
    others: Sequence[Told] = (),
) -> list[Finding]:
    """Every address answers as the cluster's, but these."""

    async def dial(address: Address) -> Dialled:
        usual = Dialled(address=address, cluster_id=CLUSTER)
        return (answers or {}).get(address, usual)

    return asyncio.run(
        look_at_addresses(dial, bootstrap=bootstrap, nodes=nodes, others=others, cluster_id=CLUSTER)
    )


def test_a_cluster_that_answers_everywhere_is_fine() -> None:
    findings = addresses()
    assert bad(findings) == []
    assert findings[0].told == "2 of 2 advertised addresses answer"


@pytest.mark.parametrize("failure", Failure)
def test_an_advertised_address_that_does_not_answer_is_a_problem_with_a_remedy(
    failure: Failure,
) -> None:
    second = NODES[1].address
    findings = addresses({second: Dialled(address=second, failure=failure)})
    assert bad(findings) == [(Level.PROBLEM, "broker 2")]
    assert failure.value in findings[1].told
    assert findings[1].remedy


def test_another_cluster_at_an_advertised_address_is_a_problem() -> None:
    second = NODES[1].address
    findings = addresses({second: Dialled(address=second, cluster_id="another")})
    assert bad(findings) == [(Level.PROBLEM, "broker 2")]


def test_one_of_several_first_addresses_may_be_down() -> None:
    down = Address("old.example", 9092)
    findings = addresses(
        {down: Dialled(address=down, failure=Failure.REFUSED)}, bootstrap=[HERE, down]
    )
    assert bad(findings) == [(Level.WARNING, "old.example:9092")]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "0.0.0.0"])
def test_addresses_that_each_machine_takes_for_itself_are_a_problem(host: str) -> None:
    findings = addresses(nodes=[Node(1, host, 9092)])
    assert (Level.PROBLEM, "broker 1") in bad(findings)


def test_a_local_cluster_may_advertise_the_local_machine() -> None:
    local = Address("localhost", 9092)
    assert bad(addresses(bootstrap=[local], nodes=[Node(1, "localhost", 9092)])) == []


def test_being_told_another_address_than_was_reached_is_noted() -> None:
    findings = addresses(nodes=[Node(1, "other.example", 9092)])
    assert bad(findings) == [(Level.NOTE, "broker 1")]


def test_other_listeners_are_dialled_too_where_they_are_plain() -> None:
    texts = {
        "listeners": "IN://:9092,OUT://0.0.0.0:9093,TLS://0.0.0.0:9094,CONTROLLER://:9095",
        "advertised.listeners": "IN://kafka.example:9092,OUT://out.example:9093,TLS://t.example:1",
        "listener.security.protocol.map": "IN:PLAINTEXT,OUT:PLAINTEXT,TLS:SSL,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
    }
    others = advertised_of(1, texts)
    assert [(each.listener, each.is_plain) for each in others] == [
        ("IN", True),
        ("OUT", True),
        ("TLS", False),
    ]
    out = Address("out.example", 9093)
    findings = addresses({out: Dialled(address=out, failure=Failure.NAME)}, others=others)
    assert bad(findings) == [(Level.WARNING, "broker 1, listener OUT")]


def test_listeners_that_advertise_nothing_count_by_addresses_for_other_machines() -> None:
    texts = {"listeners": "A://:9092,B://0.0.0.0:1,C://localhost:2,D://kafka.example:3"}
    assert [each.listener for each in advertised_of(1, texts)] == ["D"]
    assert advertised_of(1, {"listeners": "nonsense"}) == []


# -- versions, clocks, disks, partitions -----------------------------------------------------------


def test_brokers_of_different_versions_are_told() -> None:
    one = Dialled(address=HERE, apis={0: (0, 13), 1: (4, 18)})
    other = Dialled(address=HERE, apis={0: (0, 12), 1: (4, 18)})
    assert bad(version_findings({1: one, 2: one})) == []
    (_, finding) = version_findings({1: one, 2: other})
    assert (finding.level, finding.about) == (Level.WARNING, "broker 2")
    assert "1 of 2 APIs" in finding.told


@pytest.mark.parametrize(
    ("skew_ms", "level"),
    [(0, None), (1_999, None), (2_000, Level.WARNING), (-400_000, Level.PROBLEM)],
)
def test_clocks_that_differ_are_told(skew_ms: int, level: Level | None) -> None:
    found = skew_findings(1, skew_ms)
    assert [each.level for each in found] == ([] if level is None else [level])


def directory(usable: int | None, *, cordoned: bool = False) -> Outcomes[int, Mapping[str, LogDir]]:
    log_dir = LogDir(
        path="/data",
        error=None,
        total_bytes=None if usable is None else 100,
        usable_bytes=usable,
        is_cordoned=cordoned,
        replicas={},
    )
    return Outcomes({1: {"/data": log_dir}}, {})


@pytest.mark.parametrize(
    ("usable", "levels"), [(50, []), (None, []), (14, [Level.WARNING]), (4, [Level.PROBLEM])]
)
def test_a_disk_that_is_nearly_full_is_told(usable: int | None, levels: list[Level]) -> None:
    assert [level for level, _ in bad(look_at_disks(directory(usable)))] == levels


def test_a_cordoned_directory_is_noted() -> None:
    about = "broker 1, /data"
    assert bad(look_at_disks(directory(50, cordoned=True))) == [(Level.NOTE, about)]


@pytest.mark.parametrize(
    ("partition", "expected"),
    [
        (PartitionDescription(index=0, leader=1, replicas=(1, 2), isr=(1, 2)), []),
        (
            PartitionDescription(index=0, leader=-1, replicas=(1, 2), isr=(2,)),
            [(Level.PROBLEM, "orders-0")],
        ),
        (
            PartitionDescription(index=0, leader=1, replicas=(1, 2), isr=(1,)),
            [(Level.WARNING, "orders-0")],
        ),
        (
            PartitionDescription(index=0, leader=2, replicas=(1, 2), isr=(1, 2)),
            [(Level.NOTE, "")],
        ),
    ],
)
def test_partitions_without_leader_or_replicas_are_told(
    partition: PartitionDescription, expected: list[tuple[Level, str]]
) -> None:
    topic = TopicDescription(name="orders", partitions=(partition,))
    assert bad(partition_findings([topic])) == expected


# -- groups ----------------------------------------------------------------------------------------

ORDERS = TopicPartition("orders", 0)
PATIENCE = Patience(lag_ms=1000, sample_ms=10)


def look(
    committed: int,
    *,
    end: int = 100,
    lag_ms: int | None = 5000,
    state: GroupState = GroupState.STABLE,
    members: int = 1,
) -> Look:
    group = GroupDescription(
        group_id="billing",
        type=GroupType.CLASSIC,
        state=state,
        protocol_type="consumer",
        assignor="range",
        coordinator=None,
        members=tuple(MemberDescription(member_id=f"m{n}") for n in range(members)),
    )
    lag = PartitionLag(partition=ORDERS, committed=committed, first=0, end=end, lag_ms=lag_ms)
    return Look(group=group, lags=[lag])


@pytest.mark.parametrize(
    ("before", "after", "level", "word"),
    [
        (look(90), look(100, lag_ms=0), None, ""),
        (look(90), look(95, lag_ms=900), None, ""),
        (look(90), look(90), Level.PROBLEM, "stands still"),
        (look(90), look(95), Level.WARNING, "late"),
        (look(90, members=0), look(90, members=0), Level.WARNING, "nobody reads"),
        (
            look(90, state=GroupState.PREPARING_REBALANCE),
            look(90, state=GroupState.PREPARING_REBALANCE),
            Level.WARNING,
            "PreparingRebalance",
        ),
    ],
)
def test_groups_that_do_not_get_on_are_told(
    before: Look, after: Look, level: Level | None, word: str
) -> None:
    found = group_findings(before, after, PATIENCE)
    assert [each.level for each in found] == ([] if level is None else [level])
    assert all(word in each.told and each.remedy for each in found)
