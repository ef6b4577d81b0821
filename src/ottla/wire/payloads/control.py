"""The values of control records: transaction markers, and what a KRaft log says of itself.

The kind stands in the record's key; these have no keys of their own. The `version` in the KRaft
ones repeats the version they are written in.
"""

from __future__ import annotations

from typing import Annotated

from ottla.base.ids import ZERO_UUID
from ottla.wire.schema import (
    Array,
    Int16,
    Int32,
    Int64,
    Payload,
    String,
    Structure,
    UInt16,
    Uuid,
    payload,
    since,
)


@payload(versions="0", flexible="none")
class EndTxnMarker(Payload, kw_only=True):
    """The value of an ABORT (0) or COMMIT (1) marker in a partition's log."""

    coordinator_epoch: Int32


@payload(versions="0-1", flexible="0+")
class LeaderChangeMessage(Payload, kw_only=True):
    """LEADER_CHANGE (2): the first record of a leader's epoch."""

    version: Int16
    leader_id: Int32
    voters: Array[LeaderChangeVoter]
    granting_voters: Array[LeaderChangeVoter]


class LeaderChangeVoter(Structure, kw_only=True):
    """A voter; without a directory where voters are fixed."""

    voter_id: Int32
    voter_directory_id: Annotated[Uuid, since(1)] = ZERO_UUID


@payload(versions="0", flexible="0+")
class SnapshotHeaderRecord(Payload, kw_only=True):
    """SNAPSHOT_HEADER (3): the first record of a snapshot."""

    version: Int16
    last_contained_log_timestamp: Int64


@payload(versions="0", flexible="0+")
class SnapshotFooterRecord(Payload, kw_only=True):
    """SNAPSHOT_FOOTER (4): the last record of a snapshot; without it the snapshot is cut short."""

    version: Int16


@payload(versions="0", flexible="0+")
class KRaftVersionRecord(Payload, kw_only=True):
    """KRAFT_VERSION (5): 0 for fixed voters, 1 for voters in the log (KIP-853)."""

    version: Int16
    kraft_version: Int16


@payload(versions="0", flexible="0+")
class VotersRecord(Payload, kw_only=True):
    """KRAFT_VOTERS (6): who votes from here on (KIP-853)."""

    version: Int16
    voters: Array[Voter]


class Voter(Structure, kw_only=True):
    """A voter, where it listens, and what it can run."""

    voter_id: Int32
    voter_directory_id: Uuid
    endpoints: Array[Endpoint]
    kraft_version_feature: KRaftVersionFeature


class Endpoint(Structure, kw_only=True):
    """Where a voter listens."""

    name: String
    host: String
    port: UInt16


class KRaftVersionFeature(Structure, kw_only=True):
    """The kraft versions that a voter can run."""

    min_supported_version: Int16
    max_supported_version: Int16
