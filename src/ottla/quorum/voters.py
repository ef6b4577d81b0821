"""Who votes in the quorum, as Kafka's files say it: fixed in `quorum-state`, or in the log itself.

Since KIP-853 (kraft.version 1) the voters are control records in the log and in snapshots. The
engine does not count votes, but it may not lose those records, and it may not lead in the name of
a quorum that has other members: what they have agreed on may not be in these files.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ottla.base.errors import ProtocolError, UserError
from ottla.base.ids import ZERO_UUID
from ottla.base.world import Disk
from ottla.log.names import LOG_SUFFIX, segment_base_offset, segment_stem
from ottla.quorum.batches import KRAFT_WITH_VOTERS
from ottla.quorum.contract import VoterPlace
from ottla.quorum.quorum_state import read_fixed_voters
from ottla.quorum.snapshot_files import list_snapshots
from ottla.wire.compiler import codec
from ottla.wire.payloads.control import (
    Endpoint,
    KRaftVersionFeature,
    KRaftVersionRecord,
    Voter,
    VotersRecord,
)
from ottla.wire.records.control import ControlType, control_type
from ottla.wire.records.header import crc_matches, iter_batches
from ottla.wire.records.record import Record, iter_records

_VERSION = 0


class Voters(NamedTuple):
    """`in_log` is None where voters are fixed; then `fixed` has their ids, as far as known."""

    fixed: frozenset[int] = frozenset()
    in_log: VotersRecord | None = None

    @property
    def ids(self) -> frozenset[int]:
        if self.in_log is None:
            return self.fixed
        return frozenset(voter.voter_id for voter in self.in_log.voters)

    @property
    def kraft_version(self) -> int:
        """The feature level that says where voters are."""
        return 0 if self.in_log is None else KRAFT_WITH_VOTERS

    def directory_of(self, node_id: int) -> bytes:
        """The id of a voter's directory; zero where only the log would have it."""
        voters = () if self.in_log is None else self.in_log.voters
        known = {voter.voter_id: voter.voter_directory_id for voter in voters}
        return known.get(node_id, ZERO_UUID)


def read_voters(directory: str, disk: Disk) -> Voters:
    """From the newest snapshot and the log behind it. Raises OSError and UserError."""
    in_log = None
    kraft_version = 0
    for record in _control_records(directory, disk):
        value = memoryview(record.value or b"")
        match _kind(record):
            case ControlType.KRAFT_VERSION:
                version, _ = codec(KRaftVersionRecord, _VERSION).decode(value, 0, len(value))
                kraft_version = version.kraft_version
            case ControlType.KRAFT_VOTERS:
                in_log, _ = codec(VotersRecord, _VERSION).decode(value, 0, len(value))
            case _:
                pass
    if kraft_version and in_log is not None:
        return Voters(in_log=in_log)
    return Voters(fixed=read_fixed_voters(directory, disk))


def check_sole_voter(voters: Voters, node_id: int, data_directory: str) -> None:
    """Raises UserError where several nodes vote, or another one than this by the log.

    A single fixed voter may be another: engines of one host write who of them led last.
    """
    is_other = voters.in_log is not None and node_id not in voters.ids
    if len(voters.ids) > 1 or is_other:
        raise UserError(
            f"{data_directory} belongs to a metadata quorum with the nodes "
            f"{', '.join(map(str, sorted(voters.ids)))}: this node alone does not know what they "
            "have agreed on. Let Kafka make it a cluster of one node first, or copy the topics "
            "with a mirroring tool"
        )


def sole_voter(node_id: int, place: VoterPlace) -> VotersRecord:
    """What the log says of a quorum of one."""
    return VotersRecord(
        version=_VERSION,
        voters=[
            Voter(
                voter_id=node_id,
                voter_directory_id=place.directory_id,
                endpoints=[
                    Endpoint(name=name, host=host, port=port)
                    for name, host, port in place.listeners
                ],
                kraft_version_feature=KRaftVersionFeature(
                    min_supported_version=0, max_supported_version=KRAFT_WITH_VOTERS
                ),
            )
        ],
    )


def _kind(record: Record) -> ControlType | None:
    try:
        return control_type(record.key)
    except ProtocolError:
        return None


def _control_records(directory: str, disk: Disk) -> Iterator[Record]:
    """All of them that can be read: what is torn is cut when the log is opened."""
    snapshots = list_snapshots(directory, disk)
    paths = [f"{directory}/{snapshots[-1].file_name}"] if snapshots else []
    names = disk.list_dir(directory) if disk.exists(directory) else []
    bases = sorted(base for base in map(segment_base_offset, names) if base is not None)
    paths += [f"{directory}/{segment_stem(base)}{LOG_SUFFIX}" for base in bases]
    for path in paths:
        try:
            for header, batch in iter_batches(disk.read_file(path)):
                if header.is_control and crc_matches(batch, header):
                    yield from iter_records(batch)
        except ProtocolError:
            continue
