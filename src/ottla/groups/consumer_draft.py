"""What one command wants of a consumer group: reads through to the group, writes records.

A decision often builds on what it has just decided: a member comes, so the epoch grows, so there is
another target, so the member moves on. The group itself changes only when the records are replayed.
"""

from __future__ import annotations

from collections.abc import Mapping

from ottla.groups import consumer_records as build
from ottla.groups.consumer_member import JOINING, ConsumerMember
from ottla.groups.consumer_state import ConsumerState, ResolvedRegex
from ottla.groups.topics_view import TopicPartition
from ottla.wire.payloads.records import CoordinatorRecord


class ConsumerDraft:
    """Only what differs becomes a record."""

    def __init__(self, group: ConsumerState) -> None:
        self.group = group
        self.group_id = group.group_id
        self.records: list[CoordinatorRecord] = []
        self.epoch = group.epoch
        self.metadata_hash = group.metadata_hash
        self.target_epoch = group.target_epoch
        self._members: dict[str, ConsumerMember] | None = None
        self._instances: dict[str, str] | None = None
        self._target: dict[str, frozenset[TopicPartition]] | None = None
        self._regexes: dict[str, ResolvedRegex] | None = None
        self._owners: dict[TopicPartition, str | None] = {}

    # -- reading ---------------------------------------------------------------------------------

    @property
    def members(self) -> Mapping[str, ConsumerMember]:
        return self.group.members if self._members is None else self._members

    @property
    def regexes(self) -> Mapping[str, ResolvedRegex]:
        return self.group.regexes if self._regexes is None else self._regexes

    def instance(self, instance_id: str) -> ConsumerMember | None:
        """The static member of that instance."""
        instances = self.group.instances if self._instances is None else self._instances
        member_id = instances.get(instance_id)
        return None if member_id is None else self.members.get(member_id)

    def share_of(self, member_id: str) -> frozenset[TopicPartition]:
        """What a member shall have."""
        target = self.group.target if self._target is None else self._target
        return target.get(member_id, frozenset())

    def owner(self, partition: TopicPartition) -> str | None:
        """Who holds a partition, or has not said that it let go of it."""
        if partition in self._owners:
            return self._owners[partition]
        return self.group.owners.get(partition)

    # -- members ---------------------------------------------------------------------------------

    def say(self, member: ConsumerMember) -> None:
        """Take over what a member says of itself; a new one is a member by this."""
        before = self.members.get(member.member_id)
        if before is None or not member.says_the_same_as(before):
            self.records.append(build.member_record(self.group_id, member))
        self._put(member)

    def stand(self, member: ConsumerMember) -> None:
        """Take over what a member, which has been said, holds."""
        before = self.members[member.member_id]
        if not member.stands_where(before):
            self.records.append(build.standing_record(self.group_id, member))
        self._put(member)

    def remove(self, member_id: str) -> None:
        """A member goes, with everything."""
        member = self._own_members().pop(member_id)
        self._release(member)
        self._unlink(member)
        self._own_target().pop(member_id, None)
        self.records += build.member_tombstones(self.group_id, member_id)

    def take_over(self, known: ConsumerMember, member_id: str) -> ConsumerMember:
        """A static member is back under another member id: it gets all that was its own."""
        share = self.share_of(known.member_id)
        self.remove(known.member_id)
        self.group.forget(known.member_id)
        member = known.but(member_id=member_id, epoch=JOINING, previous_epoch=JOINING)
        self.say(member)
        self.aim(member_id, share)
        return member

    def _put(self, member: ConsumerMember) -> None:
        before = self.members.get(member.member_id)
        if before is member:
            return
        if before is not None:
            self._release(before)
            self._unlink(before)
        self._own_members()[member.member_id] = member
        for partition in member.held:
            self._owners[partition] = member.member_id
        if member.instance_id is not None:
            self._own_instances()[member.instance_id] = member.member_id

    def _release(self, member: ConsumerMember) -> None:
        for partition in member.held:
            if self.owner(partition) == member.member_id:
                self._owners[partition] = None

    def _unlink(self, member: ConsumerMember) -> None:
        instances = self._own_instances()
        if member.instance_id and instances.get(member.instance_id) == member.member_id:
            del instances[member.instance_id]

    # -- the group -------------------------------------------------------------------------------

    def bump(self, metadata_hash: int) -> None:
        """The next epoch: a new target is needed."""
        self.epoch += 1
        self.metadata_hash = metadata_hash
        self.records.append(build.group_record(self.group_id, self.epoch, metadata_hash))

    def aim(self, member_id: str, share: frozenset[TopicPartition]) -> None:
        """What one member shall have."""
        if share != self.share_of(member_id):
            self._own_target()[member_id] = share
            self.records.append(build.target_record(self.group_id, member_id, share))

    def aimed(self, *, now_ms: int) -> None:
        """Every member has been told what it shall have in this epoch."""
        self.target_epoch = self.epoch
        self.records.append(build.target_epoch_record(self.group_id, self.epoch, now_ms))

    def resolve(self, regex: str, topics: frozenset[str], *, version: int, now_ms: int) -> None:
        """What an expression stands for."""
        self._own_regexes()[regex] = ResolvedRegex(topics, version)
        self.records.append(
            build.regex_record(self.group_id, regex, topics, version=version, now_ms=now_ms)
        )

    def drop_regex(self, regex: str) -> None:
        """Nobody subscribes to it any more."""
        del self._own_regexes()[regex]
        self.records.append(build.regex_tombstone(self.group_id, regex))

    # -- copies, when something changes ----------------------------------------------------------

    def _own_members(self) -> dict[str, ConsumerMember]:
        if self._members is None:
            self._members = dict(self.group.members)
        return self._members

    def _own_instances(self) -> dict[str, str]:
        if self._instances is None:
            self._instances = dict(self.group.instances)
        return self._instances

    def _own_target(self) -> dict[str, frozenset[TopicPartition]]:
        if self._target is None:
            self._target = dict(self.group.target)
        return self._target

    def _own_regexes(self) -> dict[str, ResolvedRegex]:
        if self._regexes is None:
            self._regexes = dict(self.group.regexes)
        return self._regexes
