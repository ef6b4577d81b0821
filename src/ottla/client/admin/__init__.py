"""Administration of a cluster: `Admin`, and what it takes and tells.

What is named here is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ottla.client.admin.acls import (
        AclBinding,
        AclFilter,
        AclResourceType,
        PatternType,
        Permission,
    )
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.client_metrics import Subscription
    from ottla.client.admin.cluster import (
        ApiRange,
        ClusterDescription,
        ClusterNode,
        FeatureDescription,
        FeatureUpdate,
        FeatureUpgrade,
    )
    from ottla.client.admin.config_changes import Append, Subtract
    from ottla.client.admin.config_entries import (
        ConfigEntry,
        ConfigResource,
        ConfigSource,
        ConfigSynonym,
        ConfigType,
        ResourceType,
    )
    from ottla.client.admin.credentials import (
        RemovePassword,
        ScramCredential,
        ScramMechanism,
        SetPassword,
    )
    from ottla.client.admin.errors import AdminClosedError, UnsupportedByBrokerError
    from ottla.client.admin.group_descriptions import (
        GroupDescription,
        GroupListing,
        GroupState,
        GroupType,
        MemberDescription,
    )
    from ottla.client.admin.groups import MemberToRemove
    from ottla.client.admin.hanging import OpenTransaction
    from ottla.client.admin.log_dirs import LogDir, Replica, ReplicaInfo, ReplicaPlace
    from ottla.client.admin.offset_resets import (
        ByDuration,
        OffsetReset,
        ShiftBy,
        ToCurrent,
        ToEarliest,
        ToLatest,
        ToOffset,
        ToTime,
    )
    from ottla.client.admin.offsets import ListedOffset, OffsetSpec
    from ottla.client.admin.operations import AclOperation
    from ottla.client.admin.outcomes import Outcomes
    from ottla.client.admin.partitions import Election, Reassignment
    from ottla.client.admin.producers import ProducerState
    from ottla.client.admin.quorum import QuorumDescription, QuorumListener, QuorumReplica
    from ottla.client.admin.quotas import QuotaEntity, Whose
    from ottla.client.admin.rebalances import RebalanceCause, RebalanceDescription
    from ottla.client.admin.records import ALL_RECORDS
    from ottla.client.admin.tokens import DelegationToken, Principal
    from ottla.client.admin.topic_descriptions import (
        PartitionDescription,
        TopicDescription,
        TopicListing,
    )
    from ottla.client.admin.topics import USE_DEFAULT, CreatedTopic, NewTopic
    from ottla.client.admin.transaction_descriptions import (
        AbortSpec,
        FencedProducer,
        TransactionDescription,
        TransactionListing,
        TransactionState,
    )
    from ottla.client.offset_and_metadata import OffsetAndMetadata

__all__ = [
    "ALL_RECORDS",
    "USE_DEFAULT",
    "AbortSpec",
    "AclBinding",
    "AclFilter",
    "AclOperation",
    "AclResourceType",
    "Admin",
    "AdminClosedError",
    "ApiRange",
    "Append",
    "ByDuration",
    "ClusterDescription",
    "ClusterNode",
    "ConfigEntry",
    "ConfigResource",
    "ConfigSource",
    "ConfigSynonym",
    "ConfigType",
    "CreatedTopic",
    "DelegationToken",
    "Election",
    "FeatureDescription",
    "FeatureUpdate",
    "FeatureUpgrade",
    "FencedProducer",
    "GroupDescription",
    "GroupListing",
    "GroupState",
    "GroupType",
    "ListedOffset",
    "LogDir",
    "MemberDescription",
    "MemberToRemove",
    "NewTopic",
    "OffsetAndMetadata",
    "OffsetReset",
    "OffsetSpec",
    "OpenTransaction",
    "Outcomes",
    "PartitionDescription",
    "PatternType",
    "Permission",
    "Principal",
    "ProducerState",
    "QuorumDescription",
    "QuorumListener",
    "QuorumReplica",
    "QuotaEntity",
    "Reassignment",
    "RebalanceCause",
    "RebalanceDescription",
    "RemovePassword",
    "Replica",
    "ReplicaInfo",
    "ReplicaPlace",
    "ResourceType",
    "ScramCredential",
    "ScramMechanism",
    "SetPassword",
    "ShiftBy",
    "Subscription",
    "Subtract",
    "ToCurrent",
    "ToEarliest",
    "ToLatest",
    "ToOffset",
    "ToTime",
    "TopicDescription",
    "TopicListing",
    "TransactionDescription",
    "TransactionListing",
    "TransactionState",
    "UnsupportedByBrokerError",
    "Whose",
]

_HOMES = {
    "ottla.client.admin.acls": (
        "AclBinding",
        "AclFilter",
        "AclResourceType",
        "PatternType",
        "Permission",
    ),
    "ottla.client.admin.admin": ("Admin",),
    "ottla.client.admin.client_metrics": ("Subscription",),
    "ottla.client.admin.cluster": (
        "ApiRange",
        "ClusterDescription",
        "ClusterNode",
        "FeatureDescription",
        "FeatureUpdate",
        "FeatureUpgrade",
    ),
    "ottla.client.admin.config_changes": (
        "Append",
        "Subtract",
    ),
    "ottla.client.admin.config_entries": (
        "ConfigEntry",
        "ConfigResource",
        "ConfigSource",
        "ConfigSynonym",
        "ConfigType",
        "ResourceType",
    ),
    "ottla.client.admin.credentials": (
        "RemovePassword",
        "ScramCredential",
        "ScramMechanism",
        "SetPassword",
    ),
    "ottla.client.admin.errors": (
        "AdminClosedError",
        "UnsupportedByBrokerError",
    ),
    "ottla.client.admin.group_descriptions": (
        "GroupDescription",
        "GroupListing",
        "GroupState",
        "GroupType",
        "MemberDescription",
    ),
    "ottla.client.admin.groups": ("MemberToRemove",),
    "ottla.client.admin.hanging": ("OpenTransaction",),
    "ottla.client.admin.log_dirs": (
        "LogDir",
        "Replica",
        "ReplicaInfo",
        "ReplicaPlace",
    ),
    "ottla.client.admin.offset_resets": (
        "ByDuration",
        "OffsetReset",
        "ShiftBy",
        "ToCurrent",
        "ToEarliest",
        "ToLatest",
        "ToOffset",
        "ToTime",
    ),
    "ottla.client.admin.offsets": (
        "ListedOffset",
        "OffsetSpec",
    ),
    "ottla.client.admin.operations": ("AclOperation",),
    "ottla.client.admin.outcomes": ("Outcomes",),
    "ottla.client.admin.partitions": (
        "Election",
        "Reassignment",
    ),
    "ottla.client.admin.producers": ("ProducerState",),
    "ottla.client.admin.quorum": (
        "QuorumDescription",
        "QuorumListener",
        "QuorumReplica",
    ),
    "ottla.client.admin.quotas": (
        "QuotaEntity",
        "Whose",
    ),
    "ottla.client.admin.rebalances": (
        "RebalanceCause",
        "RebalanceDescription",
    ),
    "ottla.client.admin.records": ("ALL_RECORDS",),
    "ottla.client.admin.tokens": (
        "DelegationToken",
        "Principal",
    ),
    "ottla.client.admin.topic_descriptions": (
        "PartitionDescription",
        "TopicDescription",
        "TopicListing",
    ),
    "ottla.client.admin.topics": (
        "USE_DEFAULT",
        "CreatedTopic",
        "NewTopic",
    ),
    "ottla.client.admin.transaction_descriptions": (
        "AbortSpec",
        "FencedProducer",
        "TransactionDescription",
        "TransactionListing",
        "TransactionState",
    ),
    "ottla.client.offset_and_metadata": ("OffsetAndMetadata",),
}


def _load(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            found: object = getattr(import_module(home), name)
            globals()[name] = found
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if not TYPE_CHECKING:
    # Hidden from type checkers, which would then take any name for one of ours.
    __getattr__ = _load


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
