"""A member of a group of the consumer protocol (KIP-848): all it does is ConsumerGroupHeartbeat.

The coordinator assigns. A member tells what it wants when that has changed, and everything after it
has joined or an answer was lost; what it holds it tells when the reader has let go or taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.client.backoff import Backoff
from ottla.client.consumer.group.classic_protocol import by_topic
from ottla.client.consumer.group.errors import FencedMemberError, GroupError
from ottla.client.consumer.group.member import NEVER, Ask, Identity
from ottla.client.consumer.group.ownership import Ownership
from ottla.client.consumer.options import ConsumerOptions
from ottla.client.consumer.subscription import Subscription
from ottla.client.remedies import Remedy, known_error, remedy_of
from ottla.wire.messages.consumer_group_heartbeat import (
    Assignment,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    OwnedTopicPartitions,
)
from ottla.wire.schema import Message

JOINS: Final = 0
LEAVES: Final = -1
LEAVES_FOR_A_WHILE: Final = -2
"""A static member, whose partitions wait for it."""

_OUT: Final = {ErrorCode.FENCED_MEMBER_EPOCH, ErrorCode.UNKNOWN_MEMBER_ID}
_LOST: Final = {*_OUT, ErrorCode.STALE_MEMBER_EPOCH}
_OTHERS_NAME: Final = {ErrorCode.FENCED_INSTANCE_ID, ErrorCode.UNRELEASED_INSTANCE_ID}
_NO_REGEX: Final = ""
"""What takes a subscription by expression back."""


class Phase(Enum):
    """Where a member stands."""

    OUT = "no member"
    JOINING = "has asked to join, or will"
    JOINED = "a member"
    FENCED = "out for good"


class ConsumerMember:
    """See `member.Member`. `member_id` is new for each run of a program (KIP-1082)."""

    def __init__(self, options: ConsumerOptions, member_id: str, backoff: Backoff) -> None:
        assert options.group_id is not None
        self._group_id = options.group_id
        self._options = options
        self._member_id = member_id
        self._backoff = backoff
        self.ownership = Ownership(tells_always=False)
        self.error: Exception | None = None
        self.phase = Phase.OUT
        self.unnamed: Mapping[bytes, list[int]] | None = None
        """An assignment by topic ids, until `name` knows their topics."""
        self._named: dict[bytes, str] | None = None
        """Of it, what was known when it was looked at last."""
        self.topic_ids: dict[str, bytes] = {}
        """Of topics that were assigned."""
        self._epoch = -1
        self._wants: dict[str, Any] | None = None
        self._sent: dict[str, Any] = {}
        """What the coordinator knows of this member; empty where that is not sure."""
        self._is_prepared = False
        self._must_tell = False
        self._interval_ms = float(options.heartbeat_interval_ms)
        self._asked_at_ms = -float("inf")
        self._retry_at_ms = 0.0
        self._asked: dict[str, Any] = {}

    @property
    def identity(self) -> Identity:
        """See `Member`."""
        joined = self.is_joined
        member_id = self._member_id if joined else ""
        return Identity(member_id, self._epoch if joined else -1, self._options.group_instance_id)

    @property
    def is_joined(self) -> bool:
        """See `Member`."""
        return self._epoch > 0

    # -- what is wanted --------------------------------------------------------------------------

    def subscribe(self, subscription: Subscription, topics: frozenset[str]) -> None:
        """See `Member`."""
        regex = subscription.expression
        if regex is None and self._wants and "subscribed_topic_regex" in self._wants:
            # For good: nobody knows whether the coordinator has heard it.
            regex = _NO_REGEX
        wants: dict[str, Any] = {"subscribed_topic_names": sorted(topics)}
        if regex is not None:
            wants["subscribed_topic_regex"] = regex
        if wants != self._wants:
            self._wants = wants
            self._must_tell = True

    @property
    def wants_preparation(self) -> bool:
        """See `Member`."""
        return self.phase is Phase.OUT and self._wants is not None and not self._is_prepared

    def to_give_back(self) -> frozenset[TopicPartition]:
        """See `Member`."""
        return self.ownership.owned

    def prepared(self) -> None:
        """See `Member`."""
        self._is_prepared = True
        self.phase = Phase.JOINING
        self._epoch = JOINS
        self._sent = {}

    def reconciled(self) -> None:
        """See `Member`."""
        self.ownership.take_revoked()
        self._must_tell = True

    # -- asking ----------------------------------------------------------------------------------

    def ask(self, now_ms: float) -> Ask | None:
        """See `Member`."""
        if self.due_at_ms() > now_ms:
            return None
        self._asked_at_ms = now_ms
        self._must_tell = False
        self._asked = everything = self._everything()
        changed = {name: value for name, value in everything.items() if self._differs(name, value)}
        request = ConsumerGroupHeartbeatRequest(
            group_id=self._group_id,
            member_id=self._member_id,
            member_epoch=self._epoch,
            instance_id=self._options.group_instance_id,
            **changed,
        )
        return Ask(
            ConsumerGroupHeartbeatRequest, lambda version: request, ConsumerGroupHeartbeatResponse
        )

    def due_at_ms(self) -> float:
        """See `Member`."""
        if self.phase not in (Phase.JOINING, Phase.JOINED):
            return NEVER
        if self._must_tell or self.phase is Phase.JOINING:
            return self._retry_at_ms
        return max(self._asked_at_ms + self._interval_ms, self._retry_at_ms)

    def _differs(self, name: str, value: Any) -> bool:
        return name not in self._sent or self._sent[name] != value

    def _everything(self) -> dict[str, Any]:
        options = self._options
        told: dict[str, Any] = {
            "rebalance_timeout_ms": options.max_poll_interval_ms,
            "topic_partitions": self._held(),
            **(self._wants or {}),
        }
        if options.client_rack:
            told["rack_id"] = options.client_rack
        if options.group_remote_assignor:
            told["server_assignor"] = options.group_remote_assignor
        return told

    def _held(self) -> list[OwnedTopicPartitions]:
        """What is owned; nothing from whoever joins."""
        owned = self.ownership.owned if self._epoch > 0 else ()
        return [
            OwnedTopicPartitions(topic_id=self.topic_ids[topic], partitions=indexes)
            for topic, indexes in by_topic(owned).items()
            if topic in self.topic_ids
        ]

    # -- answers ---------------------------------------------------------------------------------

    def answered(self, answer: Message, now_ms: float) -> None:
        """See `Member`."""
        assert isinstance(answer, ConsumerGroupHeartbeatResponse)
        if self.phase not in (Phase.JOINING, Phase.JOINED):
            return
        if answer.error_code:
            self._refused(answer, now_ms)
            return
        self._backoff.reset()
        self._sent = self._asked
        self._member_id = answer.member_id or self._member_id
        self._epoch = answer.member_epoch
        self.phase = Phase.JOINED
        self._is_prepared = False
        if answer.heartbeat_interval_ms > 0:
            self._interval_ms = answer.heartbeat_interval_ms
        if answer.assignment is not None:
            self._assigned(answer.assignment)

    def _assigned(self, assignment: Assignment) -> None:
        self._named = None
        self.unnamed = {
            topic.topic_id: list(topic.partitions) for topic in assignment.topic_partitions
        }

    def name(self, names: Mapping[bytes, str]) -> None:
        """Take of the assignment that came what is known by name; the rest waits for its name."""
        unnamed = self.unnamed
        if unnamed is None:
            return
        found = {topic_id: names[topic_id] for topic_id in unnamed if topic_id in names}
        known = {**(self._named or {}), **found}
        if known == self._named:
            return  # or the coordinator would be told the same without end
        self._named = known
        if len(known) == len(unnamed):
            self.unnamed = None
        self.topic_ids.update({name: topic_id for topic_id, name in known.items()})
        given = frozenset(
            TopicPartition(name, index)
            for topic_id, name in known.items()
            for index in unnamed[topic_id]
        )
        if given == self.ownership.owned and self.ownership.step() is None:
            # Nothing for the reader to do; the coordinator waits for a word all the same.
            self._must_tell = True
        else:
            self.ownership.assign(given)

    def _refused(self, answer: ConsumerGroupHeartbeatResponse, now_ms: float) -> None:
        code = known_error(answer.error_code)
        remedy = remedy_of(code)
        if code in _LOST:
            self._lose()
        elif code in _OTHERS_NAME:
            self._end(code, answer.error_message or "the instance id is another member's")
        elif remedy is Remedy.FIND_COORDINATOR:
            self.failed(now_ms)
        elif remedy.retriable:
            self._must_tell = True
            self._retry_at_ms = now_ms + self._backoff.next_ms()
        else:
            message = answer.error_message or f"group {self._group_id!r} does not take this member"
            self.refused(GroupError(code, message), now_ms)

    def failed(self, now_ms: float) -> None:
        """See `Member`: what the coordinator has learned of it is not sure."""
        self._sent = {}
        self._must_tell = True
        self._retry_at_ms = now_ms + self._backoff.next_ms()

    def refused(self, error: Exception, now_ms: float) -> None:
        """See `Member`."""
        self.error = error
        self._lose()
        self._retry_at_ms = now_ms + self._backoff.next_ms()

    # -- losing ----------------------------------------------------------------------------------

    def _lose(self) -> None:
        """Join as if new, once the reader knows that all is lost."""
        self.phase = Phase.OUT
        self._epoch = -1
        self._is_prepared = False
        self.unnamed = None
        self.ownership.lose()

    def _end(self, code: ErrorCode, message: str) -> None:
        self._lose()
        self.phase = Phase.FENCED
        self.error = FencedMemberError(code, message)

    def commit_refused(self, code: int, identity: Identity) -> None:
        """See `Member`: of a new epoch the next heartbeat tells."""
        if identity != self.identity:
            return
        if known_error(code) in _OUT:
            self._lose()
        else:
            self._must_tell = True

    def leave(self, reason: str) -> Ask | None:
        """See `Member`."""
        phase = self.phase
        is_static = self._options.group_instance_id is not None
        self._wants = None
        self._lose()
        if phase is Phase.FENCED:
            self.phase = phase
        if phase not in (Phase.JOINING, Phase.JOINED):
            return None
        request = ConsumerGroupHeartbeatRequest(
            group_id=self._group_id,
            member_id=self._member_id,
            member_epoch=LEAVES_FOR_A_WHILE if is_static else LEAVES,
            instance_id=self._options.group_instance_id,
        )
        return Ask(
            ConsumerGroupHeartbeatRequest, lambda version: request, ConsumerGroupHeartbeatResponse
        )
