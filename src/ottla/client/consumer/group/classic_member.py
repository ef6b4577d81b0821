"""A member of a classic group: JoinGroup, SyncGroup, Heartbeat, LeaveGroup.

The reader lets go first (`prepared`), then the group agrees without it, and it takes what came of
that with its next read. Only the leader of a generation sees all members, and assigns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final

from msgspec import Struct

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import TopicPartition
from ottla.client.backoff import Backoff
from ottla.client.consumer.assignors import Assignor, GroupMember, Rebalancing, TopicShape
from ottla.client.consumer.group.classic_protocol import (
    assignments_of,
    members_of,
    partitions_of,
    subscription_bytes,
)
from ottla.client.consumer.group.errors import FencedMemberError, GroupError
from ottla.client.consumer.group.member import NEVER, Ask, Identity
from ottla.client.consumer.group.ownership import Ownership
from ottla.client.consumer.options import ConsumerOptions
from ottla.client.consumer.subscription import Subscription
from ottla.client.remedies import known_error, remedy_of
from ottla.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.messages.join_group import (
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    JoinGroupResponse,
)
from ottla.wire.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity
from ottla.wire.messages.sync_group import (
    SyncGroupRequest,
    SyncGroupRequestAssignment,
    SyncGroupResponse,
)
from ottla.wire.payloads.consumer_protocol import PROTOCOL_TYPE
from ottla.wire.schema import Message

JOIN_GRACE_MS: Final = 5_000
"""How much longer than the group waits for its members the answer to a JoinGroup may take."""

_LEAVES_BY_LIST_FROM: Final = 3
_LOST: Final = {ErrorCode.ILLEGAL_GENERATION, ErrorCode.UNKNOWN_MEMBER_ID}


class Phase(Enum):
    """Where a member stands."""

    OUT = "no member"
    JOINING = "waiting for the group to be complete"
    LEADING = "has to assign"
    SYNCING = "waiting for its assignment"
    STABLE = "in a generation"
    FENCED = "out for good"


class Election(Struct):
    """What the leader of a generation has to decide."""

    members: list[GroupMember]
    skip: bool
    """Whether everybody keeps what it has (KIP-814)."""

    @property
    def topics(self) -> frozenset[str]:
        """What anybody reads."""
        return frozenset().union(*(member.topics for member in self.members))


class ClassicMember:
    """See `member.Member`."""

    def __init__(
        self, options: ConsumerOptions, assignors: Sequence[Assignor], backoff: Backoff
    ) -> None:
        assert options.group_id is not None
        self._group_id = options.group_id
        self._options = options
        self._assignors = {assignor.name: assignor for assignor in assignors}
        self._backoff = backoff
        # One assignor that knows only the old way makes all of them work in it (KIP-429).
        kinds = {assignor.rebalancing for assignor in assignors}
        self._is_eager = Rebalancing.EAGER in kinds
        self.ownership = Ownership(tells_always=True)
        self.error: Exception | None = None
        self.phase = Phase.OUT
        self.election: Election | None = None
        """What to assign, in phase LEADING; `assign` does it."""
        self._member_id = ""
        self._generation = -1
        self._protocol = ""
        self._topics: frozenset[str] | None = None
        self._rejoin: str | None = None
        """Why to join, if so."""
        self._is_prepared = False
        self._is_called = False
        self._assignments: list[SyncGroupRequestAssignment] = []
        self._given: tuple[frozenset[TopicPartition], int] = (frozenset(), -1)
        """What was assigned last, and in which generation."""
        self._led: Mapping[str, TopicShape] | None = None
        """What the leader assigned of."""
        self._led_topics: frozenset[str] = frozenset()
        self._heartbeat_at_ms = 0.0
        self._retry_at_ms = 0.0
        self._asked_at_ms = 0.0

    @property
    def identity(self) -> Identity:
        """See `Member`."""
        return Identity(self._member_id, self._generation, self._options.group_instance_id)

    @property
    def is_joined(self) -> bool:
        """See `Member`."""
        return self._generation >= 0

    # -- what is wanted --------------------------------------------------------------------------

    def subscribe(self, subscription: Subscription, topics: frozenset[str]) -> None:
        """See `Member`."""
        if topics != self._topics:
            is_first = self._topics is None
            self._topics = topics
            self.rejoin("joining" if is_first else "the topics it reads have changed")

    def rejoin(self, reason: str) -> None:
        """Take part in the next generation, which this brings about unless it has begun."""
        if self._rejoin is None and self.phase is not Phase.FENCED:
            self._rejoin = reason

    @property
    def wants_preparation(self) -> bool:
        """See `Member`."""
        return (
            self._rejoin is not None
            and not self._is_prepared
            and self.phase in (Phase.OUT, Phase.STABLE)
        )

    def to_give_back(self) -> frozenset[TopicPartition]:
        """See `Member`."""
        owned = self.ownership.owned
        if self._is_eager:
            return owned
        wanted = self._topics or frozenset()
        return frozenset(partition for partition in owned if partition.topic not in wanted)

    def prepared(self) -> None:
        """See `Member`."""
        self._is_prepared = True

    def reconciled(self) -> None:
        """See `Member`."""
        if self.ownership.take_revoked() and not self._is_eager:
            self.rejoin("it has given partitions back, which others wait for")

    def watched_topics(self) -> frozenset[str]:
        """What the leader must notice changes of."""
        return self._led_topics if self.phase is Phase.STABLE else frozenset()

    def look_at(self, shapes: Mapping[str, TopicShape]) -> None:
        """What the leader's topics look like now."""
        if self.phase is Phase.STABLE and self._led is not None and self._differs(shapes):
            self.rejoin("topics have other partitions than those that were assigned")

    def _differs(self, shapes: Mapping[str, TopicShape]) -> bool:
        assert self._led is not None
        if self._options.client_rack:
            return dict(shapes) != dict(self._led)
        return _counts(shapes) != _counts(self._led)

    # -- asking ----------------------------------------------------------------------------------

    def ask(self, now_ms: float) -> Ask | None:
        """See `Member`."""
        if self._retry_at_ms > now_ms:
            return None
        self._asked_at_ms = now_ms
        if self.phase is Phase.SYNCING:
            return self._sync()
        if self._may_join:
            return self._join()
        if self.phase is Phase.STABLE and self._heartbeat_at_ms <= now_ms:
            return self._heartbeat()
        return None

    @property
    def _may_join(self) -> bool:
        can = self.phase in (Phase.OUT, Phase.STABLE, Phase.JOINING)
        return can and self._rejoin is not None and self._is_prepared

    def due_at_ms(self) -> float:
        """See `Member`."""
        if self.phase is Phase.SYNCING or self._may_join:
            return self._retry_at_ms
        if self.phase is Phase.STABLE:
            return max(self._heartbeat_at_ms, self._retry_at_ms)
        return NEVER

    def _join(self) -> Ask:
        options = self._options
        self.phase = Phase.JOINING
        owned = self.ownership.owned
        given, generation = self._given
        request = JoinGroupRequest(
            group_id=self._group_id,
            session_timeout_ms=options.session_timeout_ms,
            rebalance_timeout_ms=options.max_poll_interval_ms,
            member_id=self._member_id,
            group_instance_id=options.group_instance_id,
            protocol_type=PROTOCOL_TYPE,
            protocols=[
                JoinGroupRequestProtocol(
                    name=name,
                    metadata=subscription_bytes(
                        self._topics or (),
                        owned,
                        generation=self._generation,
                        rack=options.client_rack or None,
                        user_data=assignor.user_data(sorted(given), generation),
                    ),
                )
                for name, assignor in self._assignors.items()
            ],
            reason=self._rejoin,
        )
        timeout_ms = options.max_poll_interval_ms + JOIN_GRACE_MS
        return Ask(JoinGroupRequest, lambda version: request, JoinGroupResponse, timeout_ms)

    def _sync(self) -> Ask:
        request = SyncGroupRequest(
            group_id=self._group_id,
            generation_id=self._generation,
            member_id=self._member_id,
            group_instance_id=self._options.group_instance_id,
            protocol_type=PROTOCOL_TYPE,
            protocol_name=self._protocol,
            assignments=self._assignments,
        )
        timeout_ms = self._options.max_poll_interval_ms + JOIN_GRACE_MS
        return Ask(SyncGroupRequest, lambda version: request, SyncGroupResponse, timeout_ms)

    def _heartbeat(self) -> Ask:
        request = HeartbeatRequest(
            group_id=self._group_id,
            generation_id=self._generation,
            member_id=self._member_id,
            group_instance_id=self._options.group_instance_id,
        )
        timeout_ms = self._options.session_timeout_ms
        return Ask(HeartbeatRequest, lambda version: request, HeartbeatResponse, timeout_ms)

    # -- answers ---------------------------------------------------------------------------------

    def answered(self, answer: Message, now_ms: float) -> None:
        """See `Member`."""
        match answer:
            case JoinGroupResponse():
                self._joined(answer, now_ms)
            case SyncGroupResponse():
                self._synced(answer, now_ms)
            case HeartbeatResponse():
                self._told(answer.error_code, now_ms)

    def failed(self, now_ms: float) -> None:
        """See `Member`: nobody knows whether it was done."""
        self._retry_at_ms = now_ms + self._backoff.next_ms()
        if self.phase is Phase.SYNCING:
            self._start_over("the answer to its SyncGroup was lost")

    def refused(self, error: Exception, now_ms: float) -> None:
        """See `Member`."""
        self.error = error
        self._retry_at_ms = now_ms + self._backoff.next_ms()
        if self.phase is not Phase.STABLE:
            self._start_over("an error")
            # Whoever reads next has been told, and decides whether to try again.
            self._is_prepared = False

    def _joined(self, answer: JoinGroupResponse, now_ms: float) -> None:
        match answer.error_code:
            case ErrorCode.NONE if answer.protocol_type in (None, PROTOCOL_TYPE):
                self._begin_generation(answer, now_ms)
            case ErrorCode.NONE:
                message = f"the group is one of type {answer.protocol_type!r}, not of consumers"
                code = ErrorCode.INCONSISTENT_GROUP_PROTOCOL
                self.refused(GroupError(code, message), now_ms)
            case ErrorCode.MEMBER_ID_REQUIRED:
                self._member_id = answer.member_id
            case ErrorCode.REBALANCE_IN_PROGRESS:
                self._retry_at_ms = now_ms + self._backoff.next_ms()
            case code:
                self._not_now(code, "to join", now_ms)

    def _begin_generation(self, answer: JoinGroupResponse, now_ms: float) -> None:
        self._backoff.reset()
        self._member_id = answer.member_id
        self._generation = answer.generation_id
        self._protocol = answer.protocol_name or ""
        self._rejoin = None
        self._is_prepared = False
        self._assignments, self._led, self._led_topics = [], None, frozenset()
        self.phase = Phase.SYNCING
        if answer.leader == answer.member_id:
            self._elect(answer, now_ms)

    def _elect(self, answer: JoinGroupResponse, now_ms: float) -> None:
        try:
            members = members_of(answer.members)
        except ProtocolError as error:
            self.refused(error, now_ms)
        else:
            self.election = Election(members, answer.skip_assignment)
            self.phase = Phase.LEADING

    def assign(self, shapes: Mapping[str, TopicShape], now_ms: float) -> None:
        """Decide who reads what, of topics that look like this."""
        election, self.election = self.election, None
        if election is None or self.phase is not Phase.LEADING:
            return
        self._led, self._led_topics = shapes, election.topics
        self.phase = Phase.SYNCING
        if election.skip:
            return
        assignor = self._assignors.get(self._protocol)
        if assignor is None:
            message = f"the group has chosen {self._protocol!r}, which was not offered"
            self.refused(GroupError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, message), now_ms)
            return
        try:
            decided = assignor.assign(election.members, shapes)
        except Exception as error:  # noqa: BLE001 # an assignor may be the program's own
            self.refused(error, now_ms)
            return
        self._assignments = assignments_of(decided)

    def _synced(self, answer: SyncGroupResponse, now_ms: float) -> None:
        match answer.error_code:
            case ErrorCode.NONE:
                self._take(answer, now_ms)
            case ErrorCode.REBALANCE_IN_PROGRESS:
                self._start_over("the next rebalance has begun before this one was over")
            case code:
                self._start_over("its SyncGroup was refused")
                self._not_now(code, "to get its assignment", now_ms)

    def _take(self, answer: SyncGroupResponse, now_ms: float) -> None:
        self._backoff.reset()
        try:
            given = partitions_of(bytes(answer.assignment))
        except ProtocolError as error:
            self.refused(error, now_ms)
            return
        self.phase = Phase.STABLE
        self._heartbeat_at_ms = now_ms + self._options.heartbeat_interval_ms
        self._given = given, self._generation
        self.ownership.assign(given)

    def _told(self, code: int, now_ms: float) -> None:
        """What a heartbeat brought."""
        match code:
            case ErrorCode.NONE:
                self._backoff.reset()
                self._heartbeat_at_ms = self._asked_at_ms + self._options.heartbeat_interval_ms
            case ErrorCode.REBALANCE_IN_PROGRESS:
                self._backoff.reset()
                self._heartbeat_at_ms = self._asked_at_ms + self._options.heartbeat_interval_ms
                self.rejoin("the group rebalances")
            case _:
                self._not_now(code, "to stay", now_ms)

    def _not_now(self, code: int, what: str, now_ms: float) -> None:
        """An error that several answers share."""
        known = known_error(code)
        if known in _LOST:
            self._lose(known)
        elif known is ErrorCode.FENCED_INSTANCE_ID:
            self._fence()
        elif remedy_of(code).retriable:
            self._retry_at_ms = now_ms + self._backoff.next_ms()
        else:
            self.refused(
                GroupError(known, f"group {self._group_id!r} does not allow {what}"), now_ms
            )

    # -- losing ----------------------------------------------------------------------------------

    def _start_over(self, reason: str) -> None:
        """Join again; what the reader has let go, it need not let go again."""
        self.phase = Phase.OUT
        self._rejoin = self._rejoin or reason
        self._is_prepared = not self.to_give_back()

    def _lose(self, code: ErrorCode) -> None:
        """Others have the partitions."""
        if code is not ErrorCode.ILLEGAL_GENERATION:
            self._member_id = ""
        self._generation = -1
        self._rejoin = None
        was_ready = self.phase is not Phase.STABLE and not self.ownership.owned
        self._start_over(f"it was told {code.name}")
        self._is_prepared = was_ready
        self.ownership.lose()

    def _fence(self) -> None:
        self._generation = -1
        self.phase = Phase.FENCED
        self._rejoin = None
        self.ownership.lose()
        self.error = FencedMemberError(
            ErrorCode.FENCED_INSTANCE_ID,
            f"another member is {self._options.group_instance_id!r} in {self._group_id!r} now",
        )

    def commit_refused(self, code: int, identity: Identity) -> None:
        """See `Member`."""
        known = known_error(code)
        # While the group agrees, a refusal only says that it has come further than is known here.
        if identity != self.identity or self.phase is not Phase.STABLE:
            return
        if known in _LOST:
            self._lose(known)
        elif known is ErrorCode.FENCED_INSTANCE_ID:
            self._fence()
        elif known is ErrorCode.REBALANCE_IN_PROGRESS:
            self.rejoin("a commit was refused, since the group rebalances")

    def leave(self, reason: str) -> Ask | None:
        """See `Member`. A static member goes without a word: its place waits for it."""
        member_id, is_static = self._member_id, self._options.group_instance_id is not None
        self._member_id, self._generation = "", -1
        self._topics = None
        self._rejoin = None
        self._is_prepared = False
        self.election = None
        if self.phase is not Phase.FENCED:
            self.phase = Phase.OUT
        self.ownership.lose()
        if not member_id or is_static:
            return None
        return Ask(
            LeaveGroupRequest,
            lambda version: _leave_request(self._group_id, member_id, reason, version),
            LeaveGroupResponse,
        )


def _leave_request(group_id: str, member_id: str, reason: str, version: int) -> LeaveGroupRequest:
    if version < _LEAVES_BY_LIST_FROM:
        return LeaveGroupRequest(group_id=group_id, member_id=member_id)
    member = MemberIdentity(member_id=member_id, reason=reason)
    return LeaveGroupRequest(group_id=group_id, members=[member])


def _counts(shapes: Mapping[str, TopicShape]) -> dict[str, int]:
    return {topic: len(shape.partition_racks) for topic, shape in shapes.items()}
