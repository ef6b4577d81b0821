"""Who may do what on this broker: the cluster's ACLs, asked by whoever serves a request.

There is none where `authorizer.class.name` is empty; then nobody is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Self

from ottla.base.limits import (
    ACCESS_ANSWERS_KEPT_MAX,
    ACCESS_NAME_LENGTH_KEPT_MAX,
    ACCESS_PEERS_KEPT_MAX,
)
from ottla.broker.denial_log import DenialLog
from ottla.broker.identities import principal_of
from ottla.broker.metadata_service import MetadataService
from ottla.metadata.acls import acls
from ottla.metadata.image import EMPTY
from ottla.security.access_rules import AccessRules
from ottla.security.acl import CLUSTER_NAME, AclResourceType, Operation
from ottla.security.hosts import host_key
from ottla.security.tokens import ANONYMOUS, Principal
from ottla.settings import security as keys
from ottla.settings.broker import BrokerSettings
from ottla.transport.connection import Connection

SUPER_USERS_SEPARATOR: Final = ";"


class Access:
    """What one peer may do, by the ACLs of one moment. Answers are remembered.

    `remembering` is called before each answer that is kept from now on, and `denials` is told of
    each that refuses.
    """

    def __init__(
        self,
        rules: AccessRules,
        principal: str,
        host: str,
        remembering: Callable[[], None],
        denials: DenialLog | None,
    ) -> None:
        self._remembering = remembering
        self._denials = denials
        self._rules = rules
        self._principal = principal
        self._host = host
        self._known: dict[tuple[int, int, str], bool] = {}

    @property
    def quietly(self) -> Access:
        """The same answers, for a look at what may be shown: whoever is denied is not refused."""
        if self._denials is None:
            return self
        twin = Access(self._rules, self._principal, self._host, self._remembering, None)
        twin._known = self._known
        return twin

    def to(self, operation: Operation, resource_type: AclResourceType, name: str) -> bool:
        """Whether the peer may do this to the resource."""
        key = (operation, resource_type, name)
        known = self._known.get(key)
        if known is None:
            known = self._rules.allows(self._principal, self._host, operation, resource_type, name)
            if len(name) <= ACCESS_NAME_LENGTH_KEPT_MAX:
                self._remembering()
                self._known[key] = known
        if not known and self._denials is not None:
            self._denials.denied(self._principal, self._host, operation, resource_type, name)
        return known

    def forget(self) -> None:
        """Decide anew."""
        self._known.clear()

    def to_topic(self, operation: Operation, name: str) -> bool:
        return self.to(operation, AclResourceType.TOPIC, name)

    def to_group(self, operation: Operation, group_id: str) -> bool:
        return self.to(operation, AclResourceType.GROUP, group_id)

    def to_transactional_id(self, operation: Operation, transactional_id: str) -> bool:
        return self.to(operation, AclResourceType.TRANSACTIONAL_ID, transactional_id)

    def to_cluster(self, operation: Operation) -> bool:
        return self.to(operation, AclResourceType.CLUSTER, CLUSTER_NAME)

    def to_some_topic(self, operation: Operation) -> bool:
        """Whether there may be a topic that the peer may do this to."""
        return self._rules.allows_any(self._principal, self._host, operation, AclResourceType.TOPIC)

    def bits(
        self, resource_type: AclResourceType, name: str, operations: Iterable[Operation]
    ) -> int:
        """Those of the operations that the peer may do, as KIP-430 writes them."""
        look = self.quietly
        return sum(
            1 << operation for operation in operations if look.to(operation, resource_type, name)
        )


class Authorizer:
    """Knows the access of every peer, until an ACL changes."""

    def __init__(self, settings: BrokerSettings, metadata: MetadataService) -> None:
        listed = (settings[keys.SUPER_USERS] or "").split(SUPER_USERS_SEPARATOR)
        self._super_users = frozenset(name.strip() for name in listed if name.strip())
        self._allow_if_no_acl = settings[keys.ALLOW_EVERYONE_IF_NO_ACL_FOUND]
        self._metadata = metadata
        self._kept = EMPTY
        self._rules = AccessRules()
        self._peers: dict[tuple[Principal, str], Access] = {}
        self._answers_kept = 0
        self._denials = DenialLog()
        self._take_acls()

    @classmethod
    def wanted(cls, settings: BrokerSettings, metadata: MetadataService) -> Self | None:
        """The broker's, where it is to have one."""
        return cls(settings, metadata) if settings[keys.AUTHORIZER_CLASS_NAME] else None

    def access_of(self, connection: Connection) -> Access:
        """What the peer of a connection may do now."""
        return self._access(principal_of(connection), connection.peer_address[0])

    def name_of(self, topic_id: bytes) -> str | None:
        """What ACLs call a topic; None for an id that nobody has."""
        known = self._metadata.image.topics_by_id.get(topic_id)
        return None if known is None else known.name

    def may_see(self, host: str, topic: str) -> bool:
        """Whether members of groups at a host, as groups write it, may know of a topic."""
        access = self._access(ANONYMOUS, host.removeprefix("/"))
        return access.quietly.to_topic(Operation.DESCRIBE, topic)

    def _access(self, principal: Principal, address: str) -> Access:
        if self._metadata.image.kept is not self._kept:
            self._take_acls()
        access = self._peers.get((principal, address))
        if access is None:
            if len(self._peers) >= ACCESS_PEERS_KEPT_MAX:
                self._peers.clear()
            access = Access(
                self._rules, str(principal), host_key(address), self._remembering, self._denials
            )
            self._peers[principal, address] = access
        return access

    def _remembering(self) -> None:
        """One more answer will be kept: before there are too many, all peers begin anew."""
        self._answers_kept += 1
        if self._answers_kept > ACCESS_ANSWERS_KEPT_MAX:
            self._answers_kept = 1
            for access in self._peers.values():
                access.forget()

    def _take_acls(self) -> None:
        image = self._metadata.image
        self._kept = image.kept
        self._rules = AccessRules(
            acls(image).values(),
            super_users=self._super_users,
            allow_if_no_acl=self._allow_if_no_acl,
        )
        self._peers.clear()
        self._answers_kept = 0
