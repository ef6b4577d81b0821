"""One member of a classic group."""

from __future__ import annotations

from msgspec import Struct

from ottla.base.effects import NEVER, Ticket
from ottla.wire.messages.describe_groups import DescribedGroupMember
from ottla.wire.payloads.group_metadata import MemberMetadata

Protocols = list[tuple[str, bytes]]
"""The names a member can use and what it tells of itself for each, the best first."""


class ClassicMember(Struct, kw_only=True):
    """`join_ticket` and `sync_ticket` are its requests that wait; `session_deadline_ms` counts
    only while none does. `is_new` until its first generation begins.
    """

    member_id: str
    group_instance_id: str | None
    client_id: str
    client_host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocols: Protocols
    assignment: bytes = b""
    join_ticket: Ticket | None = None
    sync_ticket: Ticket | None = None
    session_deadline_ms: int = NEVER
    is_new: bool = False

    @classmethod
    def restored(cls, kept: MemberMetadata, protocol: str | None) -> ClassicMember:
        """As its group's record tells it; of its protocols only the chosen one is known."""
        timeout_ms = kept.rebalance_timeout
        return cls(
            member_id=kept.member_id,
            group_instance_id=kept.group_instance_id,
            client_id=kept.client_id,
            client_host=kept.client_host,
            session_timeout_ms=kept.session_timeout,
            rebalance_timeout_ms=kept.session_timeout if timeout_ms < 0 else timeout_ms,
            protocols=[(protocol or "", kept.subscription)],
            assignment=kept.assignment,
        )

    @property
    def protocol_names(self) -> set[str]:
        """A request may name one twice; it supports it once."""
        return {name for name, _ in self.protocols}

    def metadata_for(self, protocol: str | None) -> bytes:
        """What it tells of itself for one protocol."""
        return next((metadata for name, metadata in self.protocols if name == protocol), b"")

    @property
    def deadline_ms(self) -> int:
        """When it is taken for dead.

        Who waits for an answer sends no heartbeats, and is not expected to. But a new member may
        have gone while it waited, and nobody would ever notice.
        """
        waits = self.join_ticket is not None or self.sync_ticket is not None
        return NEVER if waits and not self.is_new else self.session_deadline_ms

    def kept(self, protocol: str | None, assignment: bytes) -> MemberMetadata:
        """As the group's record tells it."""
        return MemberMetadata(
            member_id=self.member_id,
            group_instance_id=self.group_instance_id,
            client_id=self.client_id,
            client_host=self.client_host,
            rebalance_timeout=self.rebalance_timeout_ms,
            session_timeout=self.session_timeout_ms,
            subscription=self.metadata_for(protocol),
            assignment=assignment,
        )

    def described(self, protocol: str | None) -> DescribedGroupMember:
        """As DescribeGroups tells it; without a protocol, not what it reads."""
        described = DescribedGroupMember(
            member_id=self.member_id,
            group_instance_id=self.group_instance_id,
            client_id=self.client_id,
            client_host=self.client_host,
        )
        if protocol is not None:
            described.member_metadata = self.metadata_for(protocol)
            described.member_assignment = self.assignment
        return described
