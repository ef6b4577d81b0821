"""`admin.groups` for plain calls."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from ottla.base.ids import TopicPartition
from ottla.blocking.client import Runner
from ottla.client.admin.group_descriptions import (
    GroupDescription,
    GroupListing,
    GroupState,
    GroupType,
)
from ottla.client.admin.groups import Groups as AsyncioGroups
from ottla.client.admin.groups import MemberToRemove
from ottla.client.admin.offset_resets import OffsetReset, ResetTo
from ottla.client.admin.outcomes import Outcomes
from ottla.client.admin.rebalances import RebalanceDescription
from ottla.client.offset_and_metadata import OffsetAndMetadata


class Groups:
    """`admin.groups`: the twin of the asyncio one."""

    def __init__(self, run: Runner, inner: AsyncioGroups) -> None:
        self._run = run
        self._inner = inner

    def list(
        self,
        *,
        states: Collection[GroupState] = (),
        types: Collection[GroupType] = (),
        timeout_s: float | None = None,
    ) -> tuple[GroupListing, ...]:
        """All groups by id, of these states (Kafka 2.6) and types (3.7); empty lets all pass.

        Raises the error of the first broker that could not be asked; `list_by_broker` tells what
        the others have said.
        """
        return self._run(lambda: self._inner.list(states=states, types=types, timeout_s=timeout_s))

    def list_by_broker(
        self,
        *,
        states: Collection[GroupState] = (),
        types: Collection[GroupType] = (),
        timeout_s: float | None = None,
    ) -> Outcomes[int, tuple[GroupListing, ...]]:
        """The groups that each broker coordinates, by the broker's id."""
        return self._run(
            lambda: self._inner.list_by_broker(states=states, types=types, timeout_s=timeout_s)
        )

    def describe(
        self,
        *group_ids: str,
        authorized_operations: bool = False,
        timeout_s: float | None = None,
    ) -> Outcomes[str, GroupDescription]:
        """Groups of either protocol with their members, by id.

        One that is not there is refused with GROUP_ID_NOT_FOUND, whatever the broker's version.
        """
        return self._run(
            lambda: self._inner.describe(
                *group_ids, authorized_operations=authorized_operations, timeout_s=timeout_s
            )
        )

    def delete(self, *group_ids: str, timeout_s: float | None = None) -> Outcomes[str, None]:
        """Delete groups and their offsets, by id; NON_EMPTY_GROUP while a group has members."""
        return self._run(lambda: self._inner.delete(*group_ids, timeout_s=timeout_s))

    def offsets(
        self,
        group_id: str,
        partitions: Iterable[TopicPartition] | None = None,
        *,
        require_stable: bool = False,
        timeout_s: float | None = None,
    ) -> dict[TopicPartition, OffsetAndMetadata | None]:
        """Committed offsets of a group: all there are, or those of `partitions`, None for none.

        With `require_stable` (Kafka 2.5), offsets of open transactions are waited for.
        """
        return self._run(
            lambda: self._inner.offsets(
                group_id, partitions, require_stable=require_stable, timeout_s=timeout_s
            )
        )

    def offsets_of_many(
        self,
        groups: Mapping[str, Iterable[TopicPartition] | None],
        *,
        require_stable: bool = False,
        timeout_s: float | None = None,
    ) -> Outcomes[str, dict[TopicPartition, OffsetAndMetadata | None]]:
        """The same of many groups, by id."""
        return self._run(
            lambda: self._inner.offsets_of_many(
                groups, require_stable=require_stable, timeout_s=timeout_s
            )
        )

    def alter_offsets(
        self,
        group_id: str,
        offsets: Mapping[TopicPartition, int | OffsetAndMetadata],
        *,
        timeout_s: float | None = None,
    ) -> Outcomes[TopicPartition, None]:
        """Commit offsets for a group without members, which is made where there is none."""
        return self._run(lambda: self._inner.alter_offsets(group_id, offsets, timeout_s=timeout_s))

    def delete_offsets(
        self,
        group_id: str,
        partitions: Iterable[TopicPartition],
        *,
        timeout_s: float | None = None,
    ) -> Outcomes[TopicPartition, None]:
        """Forget offsets of topics that no member reads: GROUP_SUBSCRIBED_TO_TOPIC otherwise."""
        return self._run(
            lambda: self._inner.delete_offsets(group_id, partitions, timeout_s=timeout_s)
        )

    def plan_reset(
        self,
        group_id: str,
        to: ResetTo,
        partitions: Iterable[TopicPartition] | None = None,
        *,
        timeout_s: float | None = None,
    ) -> Outcomes[TopicPartition, OffsetReset]:
        """Where a reset would lead, for `partitions` or all that have an offset. Changes nothing.

        plan = (await admin.groups.plan_reset("billing", ToTime(ms))).all()
        await admin.groups.alter_offsets(
            "billing", {partition: reset.offset for partition, reset in plan.items()}
        )
        """
        return self._run(
            lambda: self._inner.plan_reset(group_id, to, partitions, timeout_s=timeout_s)
        )

    def rebalances(
        self, group_id: str, *, timeout_s: float | None = None
    ) -> tuple[RebalanceDescription, ...]:
        """The last rebalances of a group and their causes, the newest last. Only Ottla knows them.

        Raises UnsupportedByBrokerError elsewhere, GROUP_ID_NOT_FOUND for a group that is not there.
        """
        return self._run(lambda: self._inner.rebalances(group_id, timeout_s=timeout_s))

    def remove_members(
        self,
        group_id: str,
        members: Iterable[MemberToRemove] | None = None,
        *,
        reason: str | None = None,
        timeout_s: float | None = None,
    ) -> Outcomes[MemberToRemove, None]:
        """Remove members of a classic group, or all where None. `reason` is for the broker's log.

        A static member is named by its `group_instance_id` (Kafka 2.4), any by its member id.
        """
        return self._run(
            lambda: self._inner.remove_members(
                group_id, members, reason=reason, timeout_s=timeout_s
            )
        )
