"""Our assignors beside those of Apache Kafka, on the same groups."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from ottla.base.ids import TopicPartition
from ottla.client.consumer.assignors import BY_NAME, GroupMember, TopicShape
from tests.support.assignor_groups import Group, Shares, after, check_complete, reader, some_group
from tests.support.java import CLASS_PATH, needs_java

pytestmark = [pytest.mark.interop, needs_java]

SOURCE = Path(__file__).parents[1] / "java" / "AssignorOracle.java"
GROUPS = 400
SEED = 20


class Oracle:
    """A process of Java that assigns what it is told, line by line."""

    def __init__(self) -> None:
        quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"
        command = ["java", quiet, "-cp", CLASS_PATH, str(SOURCE)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def ask(self, question: Mapping[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def assign(self, assignor: str, group: Group) -> Shares:
        members, topics = group
        answer = self.ask(
            {
                "assignor": assignor,
                "members": [_member(member) for member in members],
                "topics": {
                    topic: [sorted(racks) for racks in shape.partition_racks]
                    for topic, shape in topics.items()
                },
            }
        )
        return {
            member_id: sorted(TopicPartition(topic, index) for topic, index in share)
            for member_id, share in answer.items()
        }

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


def _member(member: GroupMember) -> dict[str, Any]:
    told = member.user_data
    return {
        "member_id": member.member_id,
        "group_instance_id": member.group_instance_id,
        "topics": sorted(member.topics),
        "owned": [list(partition) for partition in member.owned],
        "generation": member.generation,
        "rack": member.rack,
        "user_data": None if told is None else base64.b64encode(told).decode(),
    }


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    made = Oracle()
    yield made
    made.close()


def assign(name: str, group: Group) -> Shares:
    return {member: sorted(share) for member, share in BY_NAME[name].assign(*group).items()}


@pytest.mark.parametrize("with_racks", [False, True], ids=["no-racks", "racks"])
@pytest.mark.parametrize("name", ["range", "roundrobin"])
def test_every_member_gets_what_java_gives_it(oracle: Oracle, name: str, with_racks: bool) -> None:
    rng = Random(SEED)
    for _ in range(GROUPS):
        group = some_group(rng, with_racks=with_racks)
        assert assign(name, group) == oracle.assign(name, group)


# -- sticky ----------------------------------------------------------------------------------------


def unevenness(shares: Shares) -> int:
    """Java's balance score: how far the shares differ, over all pairs."""
    return sum(abs(len(one) - len(other)) for one, other in combinations(shares.values(), 2))


def moved(members: Sequence[GroupMember], shares: Shares) -> int:
    """How many partitions went from a member that still reads them to another."""
    owners = {partition: each.member_id for each in members for partition in each.owned}
    topics = {each.member_id: each.topics for each in members}
    return sum(
        owners.get(partition, member_id) != member_id
        and partition.topic in topics[owners[partition]]
        for member_id, share in shares.items()
        for partition in share
    )


def changed(rng: Random, group: Group, shares: Shares) -> Group:
    """Some time later: members have left, others have come, or a topic has grown."""
    members, topics = after(BY_NAME["sticky"], group[0], shares, 1), dict(group[1])
    event = rng.randrange(3)
    if event == 0 and len(members) > 1:
        members = members[: rng.randint(1, len(members) - 1)]
    elif event == 1:
        topic = min(topics)
        topics[topic] = TopicShape.of(topics[topic].partition_count + 3)
    else:
        members += [
            GroupMember(member_id=f"n{number}", topics=rng.choice(members).topics)
            for number in range(rng.randint(1, 3))
        ]
    return members, topics


def fresh_group(rng: Random, *, alike: bool) -> Group:
    """All read something: where not, Java's sticky ones give partitions to who does not read them.

    They take a first member without topics for one that reads the same as the second.
    """
    members, topics = some_group(rng, alike=alike)
    reading = [each for each in members if each.topics] or [reader("m0", *topics)]
    return [msgspec.structs.replace(each, owned=(), generation=-1) for each in reading], topics


def test_where_all_read_the_same_shares_and_moves_are_as_few_as_javas(oracle: Oracle) -> None:
    rng = Random(SEED)
    for _ in range(GROUPS):
        group = fresh_group(rng, alike=True)
        group = changed(rng, group, oracle.assign("sticky", group))
        ours, javas = assign("sticky", group), oracle.assign("sticky", group)
        assert unevenness(ours) == unevenness(javas)
        assert moved(group[0], ours) == moved(group[0], javas)


def test_where_members_differ_shares_are_as_even_as_javas_for_fewer_moves(oracle: Oracle) -> None:
    rng = Random(SEED)
    our_moves = java_moves = 0
    for _ in range(GROUPS):
        group = fresh_group(rng, alike=False)
        group = changed(rng, group, oracle.assign("sticky", group))
        ours, javas = assign("sticky", group), oracle.assign("sticky", group)
        check_complete(*group, ours)
        assert unevenness(ours) <= unevenness(javas)
        # More even shares may take more moves, so these tell nothing.
        if unevenness(ours) == unevenness(javas):
            our_moves += moved(group[0], ours)
            java_moves += moved(group[0], javas)
    assert java_moves > 0
    assert our_moves <= java_moves


@pytest.mark.parametrize("name", ["sticky", "cooperative-sticky"])
def test_members_tell_their_leader_the_same_bytes(oracle: Oracle, name: str) -> None:
    owned = [TopicPartition("x", 1), TopicPartition("x", 2)]
    question = {"assignor": name, "owned": [list(each) for each in owned], "generation": 7}
    javas = base64.b64decode(oracle.ask(question))
    assert BY_NAME[name].user_data(owned, 7) == javas


def test_a_cooperative_group_comes_to_rest_with_either_leader(oracle: Oracle) -> None:
    rng = Random(SEED)
    ours = BY_NAME["cooperative-sticky"]
    for _ in range(GROUPS // 4):
        members, topics = fresh_group(rng, alike=rng.random() < 0.5)
        shares: Shares = {}
        for generation in range(8):
            leads = generation % 2
            shares = (
                oracle.assign(ours.name, (members, topics))
                if leads
                else ours.assign(members, topics)
            )
            members = after(ours, members, shares, generation)
        check_complete(members, topics, shares)
        assert ours.assign(members, topics) == {m: sorted(share) for m, share in shares.items()}
