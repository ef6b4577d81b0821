"""Records whose owners read them themselves: credentials, ACLs, quotas, tokens, controllers.

The image keeps the last record about each subject, so that none is lost in a snapshot.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ottla.metadata.image import KeptKey
from ottla.wire.payloads.metadata import (
    AccessControlEntryRecord,
    ClientQuotaRecord,
    DelegationTokenRecord,
    RegisterControllerRecord,
    RemoveAccessControlEntryRecord,
    RemoveDelegationTokenRecord,
    RemoveUserScramCredentialRecord,
    UnregisterControllerRecord,
    UserScramCredentialRecord,
)
from ottla.wire.schema import Payload

ACL = "acl"
"""What the key of an ACL begins with."""
QUOTA = "quota"
"""What the key of a client's quota begins with."""


def quota_key(record: ClientQuotaRecord) -> KeptKey:
    """A quota is about an entity, whatever the order of its parts, and one of its limits."""
    parts = sorted((part.entity_type, part.entity_name or "") for part in record.entity)
    named = {part.entity_type: part.entity_name for part in record.entity}
    entity = [value for kind, _ in parts for value in (kind, named[kind])]
    return (QUOTA, record.key, *entity)


KEPT: dict[type[Payload], Callable[[Any], KeptKey]] = {
    UserScramCredentialRecord: lambda record: ("scram", record.name, record.mechanism),
    AccessControlEntryRecord: lambda record: (ACL, record.id),
    DelegationTokenRecord: lambda record: ("token", record.token_id),
    RegisterControllerRecord: lambda record: ("controller", record.controller_id),
}
"""What a record is about, by its type; a later record about the same takes its place."""

REMOVES_KEPT: dict[type[Payload], Callable[[Any], KeptKey]] = {
    RemoveUserScramCredentialRecord: lambda record: ("scram", record.name, record.mechanism),
    RemoveAccessControlEntryRecord: lambda record: (ACL, record.id),
    RemoveDelegationTokenRecord: lambda record: ("token", record.token_id),
    UnregisterControllerRecord: lambda record: ("controller", record.controller_id),
}
