"""The metadata of a data directory that nobody serves: read, and nothing changed.

A node must not go on without a record that it does not know; this reader goes on and tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ottla.base.errors import ErrorCode, ProtocolError, UserError
from ottla.base.world import Disk
from ottla.log.inspection.scan import Broken, Whole, scan
from ottla.log.names import LOG_SUFFIX, segment_base_offset, segment_stem
from ottla.metadata.image import MetadataImage
from ottla.metadata.replay import ReplayError, replayed
from ottla.quorum.snapshot_files import list_snapshots
from ottla.quorum.voters import Voters, read_voters
from ottla.wire.payloads.metadata import decode_metadata_record
from ottla.wire.records.record import iter_records
from ottla.wire.schema import Payload

FOLDER = "__cluster_metadata-0"


class OfflineMetadata(NamedTuple):
    """`unknown`: records that this release cannot read. `problems`: what is damaged."""

    image: MetadataImage
    voters: Voters
    unknown: list[str]
    problems: list[str]


def read_offline(data_directory: str, disk: Disk, *, cluster_id: str = "") -> OfflineMetadata:
    """What the newest snapshot and the log behind it say. Raises OSError."""
    return _Reading(f"{data_directory}/{FOLDER}", disk, cluster_id).run()


class _Reading:
    def __init__(self, directory: str, disk: Disk, cluster_id: str) -> None:
        self._directory = directory
        self._disk = disk
        self._image = MetadataImage(cluster_id=cluster_id)
        self._unknown: list[str] = []
        self._problems: list[str] = []

    def run(self) -> OfflineMetadata:
        for path, start in self._paths():
            self._read(path, start)
        try:
            voters = read_voters(self._directory, self._disk)
        except UserError as error:
            self._problems.append(str(error))
            voters = Voters()
        return OfflineMetadata(self._image, voters, self._unknown, self._problems)

    def _paths(self) -> Iterator[tuple[str, int | None]]:
        """(file, the offset it stands for where it is a snapshot), in order."""
        if not self._disk.exists(self._directory):
            self._problems.append(f"there is no {FOLDER}: not the directory of a KRaft node")
            return
        snapshots = list_snapshots(self._directory, self._disk)
        if snapshots:
            newest = snapshots[-1]
            yield f"{self._directory}/{newest.file_name}", newest.next_offset
        bases = map(segment_base_offset, self._disk.list_dir(self._directory))
        for base in sorted(base for base in bases if base is not None):
            yield f"{self._directory}/{segment_stem(base)}{LOG_SUFFIX}", None

    def _read(self, path: str, snapshot_end: int | None) -> None:
        file = self._disk.open(path)
        try:
            for found in scan(file):
                if isinstance(found, Broken):
                    self._problems.append(f"{path} at {found.position}: {found.detail}")
                elif snapshot_end is not None or found.header.base_offset >= self._next:
                    self._replay(found, path, snapshot_end)
        finally:
            file.close()

    @property
    def _next(self) -> int:
        return self._image.next_offset

    def _replay(self, found: Whole, path: str, snapshot_end: int | None) -> None:
        header = found.header
        records = [] if header.is_control else list(self._decoded(found, path))
        try:
            self._image, _ = replayed(
                self._image,
                records,
                next_offset=header.next_offset if snapshot_end is None else snapshot_end,
                epoch=header.partition_leader_epoch,
            )
        except ReplayError as error:
            self._problems.append(f"{path} at {found.position}: {error}")

    def _decoded(self, found: Whole, path: str) -> Iterator[Payload]:
        try:
            values = [record.value or b"" for record in iter_records(found.batch)]
        except ProtocolError as error:
            self._problems.append(f"{path} at {found.position}: {error.message}")
            return
        for value in values:
            try:
                yield decode_metadata_record(memoryview(value))
            except ProtocolError as error:
                is_unknown = error.code is ErrorCode.UNSUPPORTED_VERSION
                (self._unknown if is_unknown else self._problems).append(error.message)
