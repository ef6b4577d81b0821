"""Administration of a cluster: `Admin`, and what it takes and tells."""

from __future__ import annotations

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
