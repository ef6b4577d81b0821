"""The declarations against each other, and against the versions of Apache Kafka 4.3."""

from __future__ import annotations

import pytest

from ottla.wire import messages
from ottla.wire.compiler import codec
from ottla.wire.payloads import metadata
from ottla.wire.schema import (
    ArrayOf,
    FieldType,
    Message,
    Structure,
    StructureOf,
    Versioned,
    fields_of,
)
from tests.unit.wire.strategies import every_class, version_name

messages.load_all()

KAFKA_4_3 = {
    # key: (name, versions, first flexible version or None)
    0: ("Produce", "3-13", 9),
    1: ("Fetch", "4-18", 12),
    2: ("ListOffsets", "1-11", 6),
    3: ("Metadata", "0-13", 9),
    8: ("OffsetCommit", "2-10", 8),
    9: ("OffsetFetch", "1-10", 6),
    10: ("FindCoordinator", "0-6", 3),
    11: ("JoinGroup", "0-9", 6),
    12: ("Heartbeat", "0-4", 4),
    13: ("LeaveGroup", "0-5", 4),
    14: ("SyncGroup", "0-5", 4),
    15: ("DescribeGroups", "0-6", 5),
    16: ("ListGroups", "0-5", 3),
    17: ("SaslHandshake", "0-1", None),
    18: ("ApiVersions", "0-4", 3),
    19: ("CreateTopics", "2-7", 5),
    20: ("DeleteTopics", "1-6", 4),
    21: ("DeleteRecords", "0-2", 2),
    22: ("InitProducerId", "0-6", 2),
    23: ("OffsetForLeaderEpoch", "2-4", 4),
    24: ("AddPartitionsToTxn", "0-5", 3),
    25: ("AddOffsetsToTxn", "0-4", 3),
    26: ("EndTxn", "0-5", 3),
    27: ("WriteTxnMarkers", "1-2", 1),
    28: ("TxnOffsetCommit", "0-5", 3),
    29: ("DescribeAcls", "1-3", 2),
    30: ("CreateAcls", "1-3", 2),
    31: ("DeleteAcls", "1-3", 2),
    32: ("DescribeConfigs", "1-4", 4),
    33: ("AlterConfigs", "0-2", 2),
    34: ("AlterReplicaLogDirs", "1-2", 2),
    35: ("DescribeLogDirs", "1-5", 2),
    36: ("SaslAuthenticate", "0-2", 2),
    37: ("CreatePartitions", "0-3", 2),
    38: ("CreateDelegationToken", "1-3", 2),
    39: ("RenewDelegationToken", "1-2", 2),
    40: ("ExpireDelegationToken", "1-2", 2),
    41: ("DescribeDelegationToken", "1-3", 2),
    42: ("DeleteGroups", "0-2", 2),
    43: ("ElectLeaders", "0-2", 2),
    44: ("IncrementalAlterConfigs", "0-1", 1),
    45: ("AlterPartitionReassignments", "0-1", 0),
    46: ("ListPartitionReassignments", "0", 0),
    47: ("OffsetDelete", "0", None),
    48: ("DescribeClientQuotas", "0-1", 1),
    49: ("AlterClientQuotas", "0-1", 1),
    50: ("DescribeUserScramCredentials", "0", 0),
    51: ("AlterUserScramCredentials", "0", 0),
    55: ("DescribeQuorum", "0-2", 0),
    57: ("UpdateFeatures", "0-2", 0),
    60: ("DescribeCluster", "0-2", 0),
    61: ("DescribeProducers", "0", 0),
    64: ("UnregisterBroker", "0", 0),
    65: ("DescribeTransactions", "0", 0),
    66: ("ListTransactions", "0-2", 0),
    68: ("ConsumerGroupHeartbeat", "0-1", 0),
    69: ("ConsumerGroupDescribe", "0-1", 0),
    71: ("GetTelemetrySubscriptions", "0", 0),
    72: ("PushTelemetry", "0", 0),
    74: ("ListConfigResources", "0-1", 0),
    75: ("DescribeTopicPartitions", "0", 0),
}

NEWER = {18: "0-5"}
"""Versions of Kafka 4.4 that ask nothing of us but to be understood."""

METADATA_RECORDS = {
    # key: (name, newest version)
    0: ("RegisterBrokerRecord", 4),
    1: ("UnregisterBrokerRecord", 0),
    2: ("TopicRecord", 0),
    3: ("PartitionRecord", 2),
    4: ("ConfigRecord", 0),
    5: ("PartitionChangeRecord", 2),
    7: ("FenceBrokerRecord", 0),
    8: ("UnfenceBrokerRecord", 0),
    9: ("RemoveTopicRecord", 0),
    10: ("DelegationTokenRecord", 0),
    11: ("UserScramCredentialRecord", 0),
    12: ("FeatureLevelRecord", 0),
    14: ("ClientQuotaRecord", 0),
    15: ("ProducerIdsRecord", 0),
    17: ("BrokerRegistrationChangeRecord", 3),
    18: ("AccessControlEntryRecord", 0),
    19: ("RemoveAccessControlEntryRecord", 0),
    20: ("NoOpRecord", 0),
    21: ("ZkMigrationStateRecord", 0),
    22: ("RemoveUserScramCredentialRecord", 0),
    23: ("BeginTransactionRecord", 0),
    24: ("EndTransactionRecord", 0),
    25: ("AbortTransactionRecord", 0),
    26: ("RemoveDelegationTokenRecord", 0),
    27: ("RegisterControllerRecord", 0),
    28: ("ClearElrRecord", 0),
    29: ("UnregisterControllerRecord", 0),
}


def structures_of(cls: type[Structure]) -> list[type[Structure]]:
    """A class and those that stand in it."""
    inner = [structure_in(field.type) for field in fields_of(cls)]
    return [cls, *(each for one in inner if one is not None for each in structures_of(one))]


def structure_in(type_: FieldType) -> type[Structure] | None:
    if isinstance(type_, ArrayOf):
        return structure_in(type_.element)
    return type_.cls if isinstance(type_, StructureOf) else None


def test_every_file_declares_a_request_and_its_response() -> None:
    assert set(messages.requests) == set(messages.responses)


@pytest.mark.parametrize("key", sorted(messages.requests))
def test_a_request_and_its_response_have_the_same_versions(key: int) -> None:
    request, response = messages.requests[key], messages.responses[key]
    assert request.VERSIONS == response.VERSIONS
    assert request.FLEXIBLE == response.FLEXIBLE
    assert request.__module__ == response.__module__
    assert request.__name__.removesuffix("Request") == response.__name__.removesuffix("Response")


@pytest.mark.parametrize("key", sorted(messages.requests))
def test_versions_are_those_of_kafka(key: int) -> None:
    name, versions, flexible = KAFKA_4_3[key]
    request = messages.requests[key]
    assert request.__name__ == f"{name}Request"
    assert str(request.VERSIONS) == NEWER.get(key, versions)
    assert (request.FLEXIBLE.min if request.FLEXIBLE else None) == flexible


def test_metadata_records_are_those_of_kafka() -> None:
    declared = {
        key: (metadata.records[key].__name__, metadata.records[key].VERSIONS.max)
        for key in metadata.records
    }
    assert declared == METADATA_RECORDS


@pytest.mark.parametrize("cls", every_class(), ids=version_name)
def test_every_version_compiles(cls: type[Versioned]) -> None:
    for version in cls.VERSIONS:
        compile(codec(cls, version).decode_source, "decode", "exec")
        compile(codec(cls, version).encode_source, "encode", "exec")


@pytest.mark.parametrize("cls", every_class(), ids=version_name)
def test_every_structure_takes_keywords_only_and_says_what_it_is(cls: type[Versioned]) -> None:
    for structure in structures_of(cls):
        assert structure.__doc__
        if structure.__struct_fields__:
            with pytest.raises(TypeError, match="positional"):
                structure(1)


@pytest.mark.parametrize("cls", every_class(), ids=version_name)
def test_tagged_fields_are_flexible_ones(cls: type[Versioned]) -> None:
    for structure in structures_of(cls):
        for field in fields_of(structure):
            if field.tag is not None:
                window = field.versions.intersection(cls.VERSIONS)
                assert window.min in cls.FLEXIBLE


def test_importing_one_message_registers_only_that_one() -> None:
    import subprocess
    import sys

    program = (
        "from ottla.wire.messages.produce import ProduceRequest\n"
        "from ottla.wire.messages import requests, responses\n"
        "assert list(requests) == list(responses) == [0]\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": "src"})


def test_a_message_is_a_message() -> None:
    assert all(issubclass(cls, Message) for cls in messages.requests.values())
