"""A shard with consumer groups in it, and members that behave as real clients do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ottla.base.effects import Ticket
from ottla.base.errors import ErrorCode
from ottla.groups.consumer_config import ConsumerConfig, ConsumerConfigs
from ottla.groups.consumer_group import ConsumerGroup
from ottla.groups.consumer_heartbeat import Caller
from ottla.groups.consumer_member import ConsumerMember
from ottla.groups.shard import GroupShard
from ottla.groups.topics_view import KnownTopics, TopicFacts, TopicPartition, TopicsView
from ottla.wire.messages.consumer_group_describe import DescribedGroup
from ottla.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    OwnedTopicPartitions,
)
from ottla.wire.messages.heartbeat import HeartbeatRequest
from ottla.wire.messages.join_group import JoinGroupResponse
from ottla.wire.messages.leave_group import MemberIdentity
from ottla.wire.messages.sync_group import SyncGroupResponse
from ottla.wire.payloads.consumer_protocol import (
    AssignedPartitions,
    ConsumerProtocolAssignment,
    decode_assignment,
    decode_subscription,
    encode_consumer_protocol,
)
from tests.support.group_bench import GroupBench, Logged, reads

Response = ConsumerGroupHeartbeatResponse
HEARTBEAT_MS = 1000
SESSION_MS = 10_000
REVOKE_MS = 5000


def topic_id(name: str, life: int = 0) -> bytes:
    """Of a topic of the tests; `life` counts how often it was deleted."""
    return (name + (f"#{life}" if life else "")).encode().ljust(16, b".")[:16]


class ConsumerBench(GroupBench):
    """`topics` by name, each with its number of partitions."""

    def __init__(
        self,
        topics: Mapping[str, int] | None = None,
        *,
        log: Iterable[Logged] = (),
        consumer: ConsumerConfig | None = None,
        **config: int,
    ) -> None:
        self.known = KnownTopics()
        self._deleted: Counter[str] = Counter()
        self.consumer = consumer or ConsumerConfig(
            session_timeout_ms=SESSION_MS, heartbeat_interval_ms=HEARTBEAT_MS
        )
        self.configs = ConsumerConfigs(self.consumer)
        self.set_topics({"t": 6} if topics is None else topics)
        super().__init__(log, **config)

    def make_shard(self) -> GroupShard:
        return GroupShard(self.config, self.configs, self.known)

    def set_topics(self, topics: Mapping[str, int]) -> None:
        """The cluster's topics are these from now on."""
        for name in self.known.view.by_name.keys() - topics.keys():
            self._deleted[name] += 1
        self.known.view = TopicsView(
            TopicFacts(name, topic_id(name, self._deleted[name]), ((),) * count)
            for name, count in topics.items()
        )

    def send(self, version: int = 1, **fields: Any) -> Response:
        """One heartbeat as it is."""
        request = ConsumerGroupHeartbeatRequest(group_id="g", **fields)
        caller = Caller("client", "/192.0.2.7", version)
        ticket = self.run(
            lambda shard, ticket, now: shard.consumer_heartbeat(request, caller, ticket, now)
        )
        response = self.answers.pop(ticket)
        if isinstance(response, ErrorCode):
            return Response(error_code=response)  # the shard was lost under it
        assert isinstance(response, Response)
        return response

    def run_heartbeat(self, member_id: str, generation: int) -> Ticket:
        """A Heartbeat of the classic protocol."""
        request = HeartbeatRequest(group_id="g", generation_id=generation, member_id=member_id)
        return self.run(lambda shard, ticket, now: shard.heartbeat(request, ticket, now))

    def consumers(self) -> ConsumerGroup:
        """The group, which must be of the consumer protocol."""
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
        group = self.consumers()
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
        self.is_unsure = False
        """Whether an answer was lost: then it tells everything, and is told everything."""
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
        response = self.bench.send(
            **self._fields(is_whole=is_whole or self.is_unsure or self.epoch == 0)
        )
        if loses_answer:
            self.is_unsure = True
            return response
        fenced = (ErrorCode.FENCED_MEMBER_EPOCH, ErrorCode.UNKNOWN_MEMBER_ID)
        if response.error_code in fenced:
            self.epoch, self.holds, self.assigned = 0, frozenset(), None
        elif response.error_code:
            self.is_unsure = True
        else:
            self.is_unsure = False
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


class ClassicClient:
    """A member of the classic protocol with an eager assignor: it gives all up to join again.

    Where it leads, it deals partitions out in turn.
    """

    def __init__(self, bench: ConsumerBench, name: str, *topics: str) -> None:
        self.bench = bench
        self.name = name
        self.topics = topics
        self.member_id = ""
        self.generation = -1
        self.holds: frozenset[TopicPartition] = frozenset()
        self.must_join = True
        self._ticket: Ticket | None = None

    def beat(self) -> ErrorCode:
        """One step: take an answer that has come, join again, or show that it lives."""
        if self._ticket is not None:
            return self._look()
        if self.must_join:
            return self._join()
        ticket = self.bench.run_heartbeat(self.member_id, self.generation)
        answer = self.bench.answers.pop(ticket)
        error = answer if isinstance(answer, ErrorCode) else ErrorCode(answer.error_code)
        self._heed(error)
        return error

    def _join(self) -> ErrorCode:
        self.must_join = False
        self.holds = frozenset()
        return self._asked(
            self.bench.join(
                self.member_id,
                client=self.name,
                protocols=[("range", reads(*self.topics))],
                session_ms=SESSION_MS,
                rebalance_ms=REVOKE_MS,
                id_first=True,
            )
        )

    def _asked(self, ticket: Ticket) -> ErrorCode:
        self._ticket = ticket
        return self._look()

    def _look(self) -> ErrorCode:
        assert self._ticket is not None
        answer = self.bench.answers.pop(self._ticket, None)
        if answer is None:
            return ErrorCode.NONE
        self._ticket = None
        if isinstance(answer, JoinGroupResponse) and not answer.error_code:
            return self._joined(answer)
        if isinstance(answer, SyncGroupResponse) and not answer.error_code:
            self._take(answer.assignment)
            return ErrorCode.NONE
        error = answer if isinstance(answer, ErrorCode) else ErrorCode(answer.error_code)
        self.must_join = True
        if error is ErrorCode.MEMBER_ID_REQUIRED:
            self.member_id = answer.member_id
        else:
            self._heed(error)
        return error

    def _joined(self, answer: JoinGroupResponse) -> ErrorCode:
        self.member_id, self.generation = answer.member_id, answer.generation_id
        plan = self._assignments(answer) if answer.leader == self.member_id else None
        return self._asked(self.bench.sync(self.member_id, self.generation, plan))

    def _assignments(self, answer: JoinGroupResponse) -> dict[str, bytes]:
        plan: dict[str, list[AssignedPartitions]] = {m.member_id: [] for m in answer.members}
        readers = {m.member_id: decode_subscription(m.metadata).topics for m in answer.members}
        for topic in self.bench.known.view.by_name.values():
            names = [each for each in plan if topic.name in readers[each]]
            for index in range(topic.partition_count if names else 0):
                taker = names[index % len(names)]
                plan[taker].append(AssignedPartitions(topic=topic.name, partitions=[index]))
        return {
            member_id: encode_consumer_protocol(
                ConsumerProtocolAssignment(assigned_partitions=topics)
            )
            for member_id, topics in plan.items()
        }

    def _take(self, assignment: bytes) -> None:
        topics = decode_assignment(assignment).assigned_partitions if assignment else []
        view = self.bench.known.view
        self.holds = frozenset(
            (facts.topic_id, index)
            for topic in topics
            if (facts := view.named(topic.topic)) is not None
            for index in topic.partitions
        )

    def _heed(self, error: ErrorCode) -> None:
        if error in (ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.ILLEGAL_GENERATION):
            self.holds = frozenset()
            self.must_join = True
            self.generation = -1
            if error is ErrorCode.UNKNOWN_MEMBER_ID:
                self.member_id = ""
        elif error is ErrorCode.REBALANCE_IN_PROGRESS:
            self.must_join = True

    def leave(self) -> None:
        """Send LeaveGroup, and end."""
        leaving = [MemberIdentity(member_id=self.member_id)]
        self.bench.run(lambda shard, ticket, now: shard.leave("g", leaving, ticket, now))
        self.forget()

    def forget(self) -> None:
        """Begin as a new process."""
        self.member_id, self.generation = "", -1
        self.holds = frozenset()
        self.must_join = True
        self._ticket = None
