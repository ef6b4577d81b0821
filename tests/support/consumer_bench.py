"""A shard with consumer groups in it, and members that behave as real clients do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ottla.base.errors import ErrorCode
from ottla.groups.consumer_config import ConsumerConfig
from ottla.groups.consumer_group import ConsumerGroup
from ottla.groups.consumer_heartbeat import Caller
from ottla.groups.consumer_member import ConsumerMember, Held
from ottla.groups.shard import GroupShard
from ottla.groups.topics_view import KnownTopics, TopicFacts, TopicPartition, TopicsView
from ottla.wire.messages.consumer_group_describe import DescribedGroup
from ottla.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    OwnedTopicPartitions,
)
from tests.support.group_bench import GroupBench, Logged

Response = ConsumerGroupHeartbeatResponse
HEARTBEAT_MS = 1000
SESSION_MS = 10_000
REVOKE_MS = 5000


def topic_id(name: str) -> bytes:
    """Of a topic of the tests."""
    return name.encode().ljust(16, b".")[:16]


def facts(name: str, partitions: int) -> TopicFacts:
    return TopicFacts(name, topic_id(name), ((),) * partitions)


class ConsumerBench(GroupBench):
    """`topics` by name, each with its number of partitions."""

    def __init__(
        self,
        topics: Mapping[str, int] | None = None,
        *,
        log: Iterable[Logged] = (),
        consumer: ConsumerConfig | None = None,
    ) -> None:
        self.known = KnownTopics()
        self.consumer = consumer or ConsumerConfig(
            session_timeout_ms=SESSION_MS, heartbeat_interval_ms=HEARTBEAT_MS
        )
        self.set_topics({"t": 6} if topics is None else topics)
        super().__init__(log)

    def make_shard(self) -> GroupShard:
        return GroupShard(self.config, self.consumer, self.known)

    def set_topics(self, topics: Mapping[str, int]) -> None:
        """The cluster's topics are these from now on."""
        self.known.view = TopicsView(facts(name, count) for name, count in topics.items())

    def send(self, version: int = 1, **fields: Any) -> Response:
        """One heartbeat as it is."""
        request = ConsumerGroupHeartbeatRequest(group_id="g", **fields)
        caller = Caller("client", "/192.0.2.7", version)
        ticket = self.run(
            lambda shard, ticket, now: shard.consumer_heartbeat(request, caller, ticket, now)
        )
        response = self.answers.pop(ticket)
        assert isinstance(response, Response)
        return response

    def group(self) -> ConsumerGroup:  # type: ignore[override]  # of the other protocol
        group = self.shard.groups["g"]
        assert isinstance(group, ConsumerGroup)
        return group

    def describe_consumers(self, group_id: str = "g") -> DescribedGroup:
        ticket = self.run(lambda shard, ticket, now: shard.consumer_describe(group_id, ticket, now))
        described = self.answers.pop(ticket)
        assert isinstance(described, DescribedGroup)
        return described

    def kept(self) -> dict[str, Any]:
        """All that the group's records say, to compare."""
        group = self.group()
        return {
            "epoch": group.epoch,
            "hash": group.metadata_hash,
            "target_epoch": group.target_epoch,
            "target": {member: share for member, share in group.target.items() if share},
            "members": {each.member_id: _plain(each) for each in group.members.values()},
            "owners": dict(group.owners),
            "instances": dict(group.instances),
            "regexes": dict(group.regexes),
        }


def _plain(member: ConsumerMember) -> dict[str, Any]:
    fields = {name: getattr(member, name) for name in msgspec.structs.asdict(member)}
    return fields | {"assigned": dict(member.assigned), "revoking": dict(member.revoking)}


class Client:
    """A member that follows the protocol; what it reads is `holds`."""

    def __init__(
        self,
        bench: ConsumerBench,
        member_id: str,
        *topics: str,
        instance: str | None = None,
        assignor: str | None = None,
        regex: str | None = None,
    ) -> None:
        self.bench = bench
        self.member_id = member_id
        self.topics: tuple[str, ...] = topics
        self.instance = instance
        self.assignor = assignor
        self.regex = regex
        self.epoch = 0
        self.holds: frozenset[TopicPartition] = frozenset()
        self.assigned: frozenset[TopicPartition] | None = None
        self.revokes = True
        """Whether it gives back what it is told to, at once."""

    def _fields(self, *, is_whole: bool) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "member_id": self.member_id,
            "member_epoch": self.epoch,
            "instance_id": self.instance,
            "topic_partitions": owned(self.holds),
        }
        if is_whole:
            fields["rebalance_timeout_ms"] = REVOKE_MS
            fields["subscribed_topic_names"] = list(self.topics)
            fields["subscribed_topic_regex"] = self.regex
            fields["server_assignor"] = self.assignor
        return fields

    def beat(self, *, is_whole: bool = False, loses_answer: bool = False) -> Response:
        """Send a heartbeat, and do what its answer says."""
        response = self.bench.send(**self._fields(is_whole=is_whole or self.epoch == 0))
        if loses_answer:
            return response
        fenced = (ErrorCode.FENCED_MEMBER_EPOCH, ErrorCode.UNKNOWN_MEMBER_ID)
        if response.error_code in fenced:
            self.epoch, self.holds, self.assigned = 0, frozenset(), None
        elif not response.error_code:
            self.epoch = response.member_epoch
            self._take(response)
        return response

    def _take(self, response: Response) -> None:
        if response.assignment is not None:
            self.assigned = frozenset(
                (topic.topic_id, index)
                for topic in response.assignment.topic_partitions
                for index in topic.partitions
            )
        if self.assigned is not None and (self.revokes or self.holds <= self.assigned):
            self.holds = self.assigned

    def leave(self, epoch: int = -1) -> Response:
        response = self.bench.send(
            member_id=self.member_id, member_epoch=epoch, instance_id=self.instance
        )
        self.epoch, self.holds, self.assigned = 0, frozenset(), None
        return response

    @property
    def numbers(self) -> list[int]:
        """Of the partitions that it reads, whatever their topic."""
        return sorted(index for _, index in self.holds)


def owned(partitions: Iterable[TopicPartition]) -> list[OwnedTopicPartitions]:
    return [
        OwnedTopicPartitions(topic_id=topic_id, partitions=[index])
        for topic_id, index in sorted(partitions)
    ]


def settle(*clients: Client, rounds: int = 12) -> None:
    """Heartbeats in turn, often enough for everybody to have what it shall have."""
    for _ in range(rounds):
        for client in clients:
            client.beat()


def assigned_numbers(held: Held) -> list[int]:
    return sorted(index for _, index in held)
