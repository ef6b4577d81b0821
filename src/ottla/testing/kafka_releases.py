"""The versions of every API that a client may meet in past releases of Apache Kafka.

The highest of each; the lowest was 0 throughout. APIs between brokers are left out. An API that a
release lacks is not served at all. Releases in between differ from their neighbours in steps that
these show.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ottla.base.errors import UserError
from ottla.testing.faults import api_names
from ottla.wire.versions import NO_VERSIONS, VersionRange

ApiVersions = str | Mapping[str, tuple[int, int]]
"""A release, as "2.1"; or the first and last version of some APIs, all others as they are."""


def _highest(*tables: str) -> dict[str, int]:
    """The tables one over the other."""
    items = (item.split() for table in tables for item in table.split(","))
    return {name: int(version) for name, version in items}


_V2_1: Final = (
    "Produce 7, Fetch 10, ListOffsets 4, Metadata 7, OffsetCommit 6, OffsetFetch 5, "
    "FindCoordinator 2, JoinGroup 3, Heartbeat 2, LeaveGroup 2, SyncGroup 2, DescribeGroups 2, "
    "ListGroups 2, SaslHandshake 1, ApiVersions 2, CreateTopics 3, DeleteTopics 3, "
    "DeleteRecords 1, InitProducerId 1, OffsetForLeaderEpoch 2, AddPartitionsToTxn 1, "
    "AddOffsetsToTxn 1, EndTxn 1, WriteTxnMarkers 0, TxnOffsetCommit 2, DescribeAcls 1, "
    "CreateAcls 1, DeleteAcls 1, DescribeConfigs 2, AlterConfigs 1, AlterReplicaLogDirs 1, "
    "DescribeLogDirs 1, SaslAuthenticate 0, CreatePartitions 1, CreateDelegationToken 1, "
    "RenewDelegationToken 1, ExpireDelegationToken 1, DescribeDelegationToken 1, DeleteGroups 1"
)
_V2_8: Final = (
    "Produce 9, Fetch 12, ListOffsets 6, Metadata 11, OffsetCommit 8, OffsetFetch 7, "
    "FindCoordinator 3, JoinGroup 7, Heartbeat 4, LeaveGroup 4, SyncGroup 5, DescribeGroups 5, "
    "ListGroups 4, ApiVersions 3, CreateTopics 7, DeleteTopics 6, DeleteRecords 2, "
    "InitProducerId 4, OffsetForLeaderEpoch 4, AddPartitionsToTxn 3, AddOffsetsToTxn 3, "
    "EndTxn 3, WriteTxnMarkers 1, TxnOffsetCommit 3, DescribeAcls 2, CreateAcls 2, "
    "DeleteAcls 2, DescribeConfigs 4, AlterConfigs 2, AlterReplicaLogDirs 2, DescribeLogDirs 2, "
    "SaslAuthenticate 2, CreatePartitions 3, CreateDelegationToken 2, RenewDelegationToken 2, "
    "ExpireDelegationToken 2, DescribeDelegationToken 2, DeleteGroups 2, ElectLeaders 2, "
    "IncrementalAlterConfigs 1, AlterPartitionReassignments 0, ListPartitionReassignments 0, "
    "OffsetDelete 0, DescribeClientQuotas 1, AlterClientQuotas 1, "
    "DescribeUserScramCredentials 0, AlterUserScramCredentials 0, UpdateFeatures 0, "
    "DescribeCluster 0, DescribeProducers 0"
)
_V3_0: Final = (
    "ListOffsets 7, OffsetFetch 8, FindCoordinator 4, DescribeTransactions 0, ListTransactions 0"
)
_V3_9: Final = (
    "Produce 11, Fetch 17, ListOffsets 9, Metadata 12, OffsetCommit 9, OffsetFetch 9, "
    "FindCoordinator 6, JoinGroup 9, LeaveGroup 5, ListGroups 5, ApiVersions 4, "
    "InitProducerId 5, AddPartitionsToTxn 5, AddOffsetsToTxn 4, EndTxn 4, TxnOffsetCommit 4, "
    "DescribeAcls 3, CreateAcls 3, DeleteAcls 3, DescribeLogDirs 4, CreateDelegationToken 3, "
    "DescribeDelegationToken 3, UpdateFeatures 1, DescribeCluster 1, UnregisterBroker 0, "
    "ListTransactions 1, ConsumerGroupHeartbeat 0, ConsumerGroupDescribe 0, "
    "GetTelemetrySubscriptions 0, PushTelemetry 0, ListConfigResources 0, "
    "DescribeTopicPartitions 0, AddRaftVoter 0, RemoveRaftVoter 0"
)

RELEASES: Final[Mapping[str, Mapping[str, int]]] = {
    "2.1": _highest(_V2_1),
    "2.8": _highest(_V2_1, _V2_8),
    "3.0": _highest(_V2_1, _V2_8, _V3_0),
    "3.9": _highest(_V2_1, _V2_8, _V3_0, _V3_9),
}
"""By release, the highest version of each API."""


def limits_of(wanted: ApiVersions) -> dict[str, VersionRange]:
    """The versions of each API that is limited; none for those that are not there at all.

    Raises UserError for a release that is not in the table, or a range that ends before it begins.
    """
    if not isinstance(wanted, str):
        return {name: _range(name, *ends) for name, ends in wanted.items()}
    if wanted not in RELEASES:
        raise UserError(f"the APIs of {', '.join(RELEASES)} are known, not those of {wanted!r}")
    release = RELEASES[wanted]
    return {
        name: VersionRange(0, release[name]) if name in release else NO_VERSIONS
        for name in api_names()
    }


def setting_of(wanted: ApiVersions) -> str:
    """The value of a broker's setting `ottla.api.versions` that leaves it these."""
    return ",".join(f"{name}:{versions}" for name, versions in limits_of(wanted).items())


def _range(name: str, first: int, last: int) -> VersionRange:
    if not 0 <= first <= last:
        raise UserError(f"versions {first} to {last} of {name} are no versions")
    return VersionRange(first, last)
