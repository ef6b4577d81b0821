"""A shard of groups on its own: what its runtime does, done by hand in a time of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from ottla.base.effects import NEVER, Effects, Moment, ProducerIdentity, Ticket
from ottla.base.errors import ErrorCode
from ottla.groups.classic_group import ClassicGroup
from ottla.groups.classic_join import Joining
from ottla.groups.config import GroupConfig
from ottla.groups.group import Committer
from ottla.groups.offset_commits import OffsetToCommit, OffsetToDelete
from ottla.groups.shard import GroupShard
from ottla.wire.messages.describe_groups import DescribedGroup
from ottla.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.messages.join_group import JoinGroupResponse
from ottla.wire.messages.leave_group import LeaveGroupResponse, MemberIdentity
from ottla.wire.messages.offset_fetch import (
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
    OffsetFetchResponseGroup,
)
from ottla.wire.messages.sync_group import (
    SyncGroupRequest,
    SyncGroupRequestAssignment,
    SyncGroupResponse,
)
from ottla.wire.payloads.consumer_protocol import (
    ConsumerProtocolSubscription,
    encode_consumer_protocol,
)
from ottla.wire.payloads.coordinator import GROUP_RECORDS
from ottla.wire.payloads.records import CoordinatorRecord

T = TypeVar("T")

START_MS = 1_795_000_000_000
DAY_MS = 86_400_000
SESSION_MS = 10_000
REBALANCE_MS = 60_000
DEFAULTS = GroupConfig(
    session_timeout_ms_min=6000,
    session_timeout_ms_max=1_800_000,
    initial_rebalance_delay_ms=0,
    size_max=100,
    offset_metadata_length_max=20,
    offsets_retention_ms=7 * DAY_MS,
    offsets_check_interval_ms=600_000,
)


def reads(*topics: str, owns: str = "") -> bytes:
    """What a consumer tells of itself; `owns` stands for what changes when it gives some up."""
    user_data = owns.encode() or None
    subscription = ConsumerProtocolSubscription(topics=list(topics), user_data=user_data)
    return encode_consumer_protocol(subscription)


RANGE = [("range", reads("t"))]


class Logged(NamedTuple):
    """A record as the log has it, or a transaction's marker."""

    key: bytes
    value: bytes | None
    producer: ProducerIdentity | None
    marker: bool | None = None


class GroupBench:
    """Commands in, answers by ticket out; records go through their bytes."""

    def __init__(self, log: Iterable[Logged] = (), **config: int) -> None:
        self.config = GroupConfig(**{**_fields(DEFAULTS), **config})
        self.elapsed_ms = 0
        self.log: list[Logged] = list(log)
        self.answers: dict[Ticket, Any] = {}
        self.waiting: set[Ticket] = set()
        self._next_ticket = 0
        self.load()

    # -- what the runtime does ---------------------------------------------------------------------

    @property
    def now(self) -> Moment:
        return Moment(START_MS + self.elapsed_ms, self.elapsed_ms)

    def make_shard(self) -> GroupShard:
        """One that knows nothing yet."""
        return GroupShard(self.config)

    def load(self) -> None:
        """A shard of what the log says."""
        self.shard = self.make_shard()
        for offset, logged in enumerate(self.log):
            self._replay(offset, logged)
        self.take(self.shard.loaded(self.now))

    def reload(self, error: ErrorCode = ErrorCode.NOT_COORDINATOR) -> None:
        """The broker crashed, or its log failed: those who wait hear it, the rest is read again."""
        self._answer(self.shard.unloaded(error))
        for ticket in list(self.waiting):
            self._answer([(ticket, error)])
        self.load()

    def run(
        self, command: Callable[[GroupShard, Ticket, Moment], Effects[CoordinatorRecord]]
    ) -> Ticket:
        self._next_ticket += 1
        ticket = self._next_ticket
        self.waiting.add(ticket)
        self.take(command(self.shard, ticket, self.now))
        return ticket

    def take(self, effects: Effects[CoordinatorRecord]) -> None:
        for record in effects.records:
            encoded = record.encoded(self.now.now_ms)
            assert encoded.key is not None
            logged = Logged(encoded.key, encoded.value, effects.producer)
            self.log.append(logged)
            self._replay(len(self.log) - 1, logged)
        self._answer(effects.replies)

    def end_transaction(self, producer: ProducerIdentity, *, is_committed: bool) -> None:
        self.log.append(Logged(b"", None, producer, is_committed))
        self._replay(len(self.log) - 1, self.log[-1])

    def _replay(self, offset: int, logged: Logged) -> None:
        if logged.marker is not None:
            assert logged.producer is not None
            self.shard.replay_marker(logged.producer, is_committed=logged.marker)
            return
        key = GROUP_RECORDS.decode_key(logged.key)
        value = logged.value
        decoded = None if value is None else GROUP_RECORDS.decode_value(key.API_KEY, value)
        self.shard.replay(key, decoded, offset=offset, producer=logged.producer)

    def _answer(self, replies: Iterable[tuple[Ticket, object]]) -> None:
        for ticket, response in replies:
            assert ticket in self.waiting, "answered twice"
            self.waiting.remove(ticket)
            self.answers[ticket] = response

    def advance(self, ms: int) -> None:
        """Let time pass, and do what becomes due at its time."""
        end_ms = self.elapsed_ms + ms
        while (due_ms := self.shard.next_deadline_ms) <= end_ms:
            assert due_ms < NEVER
            self.elapsed_ms = max(self.elapsed_ms, due_ms)
            self.take(self.shard.expire(self.now))
        self.elapsed_ms = end_ms

    # -- requests ----------------------------------------------------------------------------------

    def join(
        self,
        member_id: str = "",
        *,
        group: str = "g",
        client: str = "c",
        instance: str | None = None,
        protocols: list[tuple[str, bytes]] = RANGE,
        protocol_type: str = "consumer",
        session_ms: int = SESSION_MS,
        rebalance_ms: int = REBALANCE_MS,
        id_first: bool = False,
        may_skip: bool = True,
        reason: str | None = None,
    ) -> Ticket:
        joining = Joining(
            member_id=member_id,
            fresh_id=f"{client}-{self._next_ticket + 1}",
            group_instance_id=instance,
            client_id=client,
            client_host="/192.0.2.7",
            session_timeout_ms=session_ms,
            rebalance_timeout_ms=rebalance_ms,
            protocol_type=protocol_type,
            protocols=protocols,
            reason=reason,
            id_first=id_first,
            may_skip_assignment=may_skip,
        )
        return self.run(lambda shard, ticket, now: shard.join(group, joining, ticket, now))

    def sync(
        self,
        member_id: str,
        generation: int,
        assignments: dict[str, bytes] | None = None,
        *,
        instance: str | None = None,
        protocol_type: str | None = None,
        protocol: str | None = None,
    ) -> Ticket:
        request = SyncGroupRequest(
            group_id="g",
            generation_id=generation,
            member_id=member_id,
            group_instance_id=instance,
            protocol_type=protocol_type,
            protocol_name=protocol,
            assignments=[
                SyncGroupRequestAssignment(member_id=each, assignment=assignment)
                for each, assignment in (assignments or {}).items()
            ],
        )
        return self.run(lambda shard, ticket, now: shard.sync(request, ticket, now))

    def heartbeat(self, member_id: str, generation: int, instance: str | None = None) -> ErrorCode:
        request = HeartbeatRequest(
            group_id="g",
            generation_id=generation,
            member_id=member_id,
            group_instance_id=instance,
        )
        ticket = self.run(lambda shard, ticket, now: shard.heartbeat(request, ticket, now))
        return ErrorCode(self.answer(ticket, HeartbeatResponse).error_code)

    def leave(self, *members: str | tuple[str, str | None]) -> list[ErrorCode]:
        """By id, or by id and instance id."""
        leaving = [
            MemberIdentity(member_id=each)
            if isinstance(each, str)
            else MemberIdentity(member_id=each[0], group_instance_id=each[1])
            for each in members
        ]
        ticket = self.run(lambda shard, ticket, now: shard.leave("g", leaving, ticket, now))
        response = self.answer(ticket, LeaveGroupResponse)
        if response.error_code:
            return [ErrorCode(response.error_code)]
        return [ErrorCode(member.error_code) for member in response.members]

    def commit(
        self,
        offset: int,
        member_id: str = "",
        generation: int = -1,
        *,
        group: str = "g",
        topic: str = "t",
        partition: int = 0,
        instance: str | None = None,
        metadata: str | None = None,
        version: int = 9,
        retention_ms: int = -1,
        producer: ProducerIdentity | None = None,
    ) -> ErrorCode:
        wanted = OffsetToCommit(topic, partition, offset, 3, metadata)
        committer = Committer(generation, member_id, instance)
        self.run(
            lambda shard, ticket, now: shard.commit(
                group,
                committer,
                [wanted],
                ticket,
                now,
                version=version,
                retention_ms=retention_ms,
                producer=producer,
            )
        )
        return ErrorCode(wanted.error_code)

    def fetch(
        self,
        *places: tuple[str, int],
        group: str = "g",
        require_stable: bool = False,
        member_id: str | None = None,
        member_epoch: int = -1,
    ) -> OffsetFetchResponseGroup:
        """Of all partitions where none is named."""
        asked = OffsetFetchRequestGroup(
            group_id=group,
            member_id=member_id,
            member_epoch=member_epoch,
            topics=[
                OffsetFetchRequestTopics(name=topic, partition_indexes=[partition])
                for topic, partition in places
            ]
            or None,
        )
        ticket = self.run(
            lambda shard, ticket, now: shard.fetch(
                asked, ticket, now, require_stable=require_stable
            )
        )
        return self.answer(ticket, OffsetFetchResponseGroup)

    def offset(
        self, topic: str = "t", partition: int = 0, *, group: str = "g", stable: bool = False
    ) -> int | ErrorCode:
        """The committed offset of a partition, or why it is not told."""
        found = self.fetch((topic, partition), group=group, require_stable=stable)
        (answer,) = found.topics[0].partitions
        return ErrorCode(answer.error_code) if answer.error_code else answer.committed_offset

    def delete_offset(self, topic: str = "t", partition: int = 0) -> tuple[ErrorCode, ErrorCode]:
        """The error of the whole, and of the partition."""
        wanted = OffsetToDelete(topic, partition)
        ticket = self.run(
            lambda shard, ticket, now: shard.delete_offsets("g", [wanted], ticket, now)
        )
        return self.answer(ticket, ErrorCode), ErrorCode(wanted.error_code)

    def delete_group(self, group: str = "g") -> ErrorCode:
        return self.answer(
            self.run(lambda shard, ticket, now: shard.delete(group, ticket, now)), ErrorCode
        )

    def describe(self, group: str = "g") -> DescribedGroup:
        return self.answer(
            self.run(lambda shard, ticket, now: shard.describe(group, ticket, now)),
            DescribedGroup,
        )

    # -- answers -----------------------------------------------------------------------------------

    def answer(self, ticket: Ticket, answer_type: type[T]) -> T:
        assert ticket in self.answers, "it still waits"
        answer = self.answers[ticket]
        assert isinstance(answer, answer_type), answer
        return answer

    def joined(self, ticket: Ticket) -> JoinGroupResponse:
        return self.answer(ticket, JoinGroupResponse)

    def join_error(self, ticket: Ticket) -> ErrorCode:
        return ErrorCode(self.joined(ticket).error_code)

    def synced(self, ticket: Ticket) -> SyncGroupResponse:
        return self.answer(ticket, SyncGroupResponse)

    def sync_error(self, ticket: Ticket) -> ErrorCode:
        return ErrorCode(self.synced(ticket).error_code)

    @property
    def group(self) -> ClassicGroup:
        found = self.shard.groups["g"]
        assert isinstance(found, ClassicGroup)
        return found

    @property
    def generation(self) -> int:
        return self.group.generation

    # -- short ways --------------------------------------------------------------------------------

    def stable(self, members: int = 2, **joining: Any) -> list[str]:
        """A group of so many dynamic members, each with an assignment; their ids, leader first."""
        return self.stabilise([self.join(**joining) for _ in range(members)])

    def stable_static(self, *instances: str, **joining: Any) -> list[str]:
        """A group of these static members; their ids, leader first."""
        return self.stabilise([self.join(instance=name, **joining) for name in instances])

    def rejoin_all(self, *tickets: Ticket, **joining: Any) -> list[str]:
        """All join again but those of `tickets`, who have; then everybody gets an assignment."""
        members = self.group.members.values()
        absent = [each.member_id for each in members if each.join_ticket is None]
        more = [self.join(member_id, **joining) for member_id in absent]
        return self.stabilise([*tickets, *more])

    def stabilise(self, tickets: list[Ticket]) -> list[str]:
        """Give those who joined their assignments; their ids, leader first."""
        self.advance(0)
        answers = [self.joined(ticket) for ticket in tickets]
        assert not any(answer.error_code for answer in answers), answers
        generation = answers[0].generation_id
        ids = [answer.member_id for answer in answers]
        leader = answers[0].leader
        ids.sort(key=lambda member_id: member_id != leader)
        assigned = {member_id: member_id.encode() for member_id in ids}
        for member_id in ids:
            given = assigned if member_id == leader else {}
            ticket = self.sync(member_id, generation, given)
            assert self.synced(ticket).assignment == member_id.encode()
        return ids


def _fields(config: GroupConfig) -> dict[str, int]:
    return {name: getattr(config, name) for name in config.__struct_fields__}
