"""Opening a partition's folder: which segments to trust, which to read again.

After an orderly stop only the tail of the last segment is looked at. After any other, everything
that is not known to be on the disk is read and checked, batch by batch; the log ends where the
first batch is cut, damaged or missing, and what follows is removed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final, NamedTuple

from ottla.base.ids import ZERO_UUID, Uuid
from ottla.base.world import Disk
from ottla.log import checkpoints, leftovers, names
from ottla.log.config import LogConfig
from ottla.log.index_file import DamagedIndexError
from ottla.log.leader_epochs import LeaderEpochs
from ottla.log.open_files import OpenFiles
from ottla.log.partition_producers import PartitionProducers
from ottla.log.scan import DamagedLogError, walk
from ottla.log.segment import Segment
from ottla.wire.records.survey import Survey

log = logging.getLogger(__name__)


_EVERYTHING: Final = 1 << 63


class Recovered(NamedTuple):
    """What a folder holds: at least one segment.

    `epochs_changed`: their file must be written anew. `is_untouched`: an orderly stop has left
    everything complete.
    """

    topic_id: Uuid
    segments: list[Segment]
    epochs: LeaderEpochs
    producers: PartitionProducers
    epochs_changed: bool = False
    is_untouched: bool = False


class Recovery:
    """One opening of one partition's folder."""

    def __init__(
        self,
        directory: str,
        config: LogConfig,
        files: OpenFiles,
        *,
        clean: bool,
        recovery_point: int,
        log_start_offset: int,
    ) -> None:
        self._directory = directory
        self._config = config
        self._files = files
        self._disk: Disk = files.disk
        self._clean = clean
        self._recovery_point = recovery_point
        self._log_start_offset = log_start_offset
        self._names = leftovers.settle(self._disk, directory)
        self._producers = PartitionProducers(directory, self._disk, self._names)
        self._segments: list[Segment] = []
        self._rebuilt = False

    def run(self) -> Recovered:
        """Raises OSError, and StorageError for a log that must not be opened."""
        bases = segment_bases(self._names)
        stored = self._read_epochs()
        epochs = LeaderEpochs(stored)
        self._producers.load(self._trusted_snapshot_max(bases))
        for index, base_offset in enumerate(bases):
            next_base = bases[index + 1] if index + 1 < len(bases) else None
            segment = self._open_segment(base_offset, next_base, epochs)
            self._segments.append(segment)
            if next_base is not None and not self._continues(segment, next_base):
                self._remove_from(next_base, bases[index + 1 :])
                break
        if self._segments and self._segments[-1].next_offset < self._log_start_offset:
            # A crash took batches that had already been deleted: nothing readable is left.
            self._segments.clear()
            self._remove_from(self._log_start_offset, bases)
            self._producers.clear()
        if not self._segments:
            self._segments.append(self._first_segment())
        if stored is None:
            self._learn_epochs(epochs)
        epochs.truncate_end(self._segments[-1].next_offset)
        epochs.truncate_start(max(self._log_start_offset, self._segments[0].base_offset))
        self._complete_producers()
        changed = epochs.entries() != (stored or [])
        return Recovered(
            read_topic_id(self._disk, self._directory),
            self._segments,
            epochs,
            self._producers,
            epochs_changed=changed,
            is_untouched=self._clean and not self._rebuilt and not changed,
        )

    def _open_segment(
        self, base_offset: int, next_base: int | None, epochs: LeaderEpochs
    ) -> Segment:
        segment = Segment(self._directory, base_offset, self._config, self._files, fresh=False)
        suspect = not self._clean and (next_base is None or next_base > self._recovery_point)
        if suspect:
            self._rebuild(segment, epochs)
            if next_base is not None:
                segment.seal()
        elif next_base is not None:
            segment.load_sealed(next_base)
            if not self._clean and next_base == self._recovery_point:
                self._reindex(segment)
            self._producers.replay(segment)
        else:
            try:
                segment.load_tail()
            except (DamagedIndexError, DamagedLogError) as damage:
                log.warning("a segment is read again: %s", damage)
                self._rebuild(segment, epochs)
            else:
                self._producers.replay(segment)
        return segment

    def _reindex(self, segment: Segment) -> None:
        """Its batches were synced while it was the last; its indexes were written when it ended."""
        try:
            segment.reindex()
        except DamagedLogError as damage:
            log.error(  # noqa: TRY400 # the rest of the partition can be served
                "a log file is damaged below the recovery point", extra={"reason": str(damage)}
            )

    def _rebuild(self, segment: Segment, epochs: LeaderEpochs) -> None:
        self._rebuilt = True
        before = segment.log.get().size

        def note(found: Survey) -> None:
            _note_epochs(epochs, found)
            self._producers.replay_survey(found)

        segment.rebuild(note)
        segment.write_indexes_if_long()
        self._producers.write_aborted(segment)
        if before != segment.size:
            log.warning(
                "a log file was cut behind its last whole batch",
                extra={
                    "path": segment.log.path,
                    "bytes_cut": before - segment.size,
                    "next_offset": segment.next_offset,
                },
            )

    def _trusted_snapshot_max(self, bases: list[int]) -> int:
        """Up to where snapshots of producers are surely of this log, and whole.

        After an unclean stop that is what was synced, and what the first segment begins with.
        """
        if self._clean:
            return _EVERYTHING
        return max(self._recovery_point, bases[0] if bases else 0)

    def _complete_producers(self) -> None:
        end_offset = self._segments[-1].next_offset
        if self._producers.loaded_to > end_offset:  # the crash took what the snapshot knows of
            self._producers.reload(self._segments, end_offset)
        self._producers.keep_strays(segment.base_offset for segment in self._segments)

    def _continues(self, segment: Segment, next_base: int) -> bool:
        """Whether the next segment may follow this one.

        A segment is named after the end of the one before. So a hole between two that were not
        synced means that the disk kept the later and lost the earlier. Compaction makes holes too.
        """
        if self._clean or next_base <= self._recovery_point:
            return True
        if segment.next_offset > next_base:
            return False
        return segment.next_offset == next_base or self._config.is_compacted

    def _remove_from(self, next_base: int, bases: list[int]) -> None:
        log.warning(
            "segments behind a cut are removed",
            extra={"directory": self._directory, "next_offset": next_base, "count": len(bases)},
        )
        for base_offset in reversed(bases):
            if self._disk.exists(names.log_path(self._directory, base_offset)):
                remove_segment(self._disk, self._directory, base_offset)

    def _first_segment(self) -> Segment:
        self._rebuilt = True
        segment = Segment(
            self._directory, self._log_start_offset, self._config, self._files, fresh=True
        )
        segment.log.create()
        return segment

    def _read_epochs(self) -> list[tuple[int, int]] | None:
        """The checkpoint's entries; None where it is missing or was torn by a crash."""
        if names.LEADER_EPOCHS not in self._names:
            return None
        try:
            return checkpoints.decode_epochs(
                self._disk.read_file(f"{self._directory}/{names.LEADER_EPOCHS}")
            )
        except ValueError as error:
            log.warning(
                "leader epochs are read from the log again", extra={"reason": str(error)[:80]}
            )
            return None

    def _learn_epochs(self, epochs: LeaderEpochs) -> None:
        """Find out from the batches themselves who led when."""
        for segment in self._segments:
            for _, header in walk(segment.log.get(), 0, segment.committed_size):
                _note_epoch(epochs, header.partition_leader_epoch, header.base_offset)


def _note_epochs(epochs: LeaderEpochs, found: Survey) -> None:
    first = found.epochs[0]
    _note_epoch(epochs, first, found.bases[0])
    is_one = found.epochs.count(first) == len(found)  # as nearly always
    if is_one and epochs.epoch_at(found.bases[-1]) == first:
        return
    for epoch, base_offset in zip(found.epochs, found.bases, strict=True):
        _note_epoch(epochs, epoch, base_offset)


def _note_epoch(epochs: LeaderEpochs, epoch: int, base_offset: int) -> None:
    """Believe the batch rather than the checkpoint, which may be of before a truncation."""
    if epoch >= 0 and epochs.epoch_at(base_offset) != epoch:
        epochs.assign(epoch, base_offset)


def remove_segment(disk: Disk, directory: str, base_offset: int) -> None:
    """Remove a segment's files, the log first, so that no half of it looks like a whole.

    The removal is on the disk before this returns: of several segments that go, none may come
    back after a crash while an older one is gone.
    """
    stem = f"{directory}/{names.segment_stem(base_offset)}"
    for suffix in names.SEGMENT_SUFFIXES:
        if disk.exists(stem + suffix):
            disk.unlink(stem + suffix)
        if suffix == names.LOG_SUFFIX:
            disk.sync_dir(directory)


def segment_bases(folder_names: Iterable[str]) -> list[int]:
    """The base offsets of the segments among a folder's names, oldest first."""
    bases = (names.segment_base_offset(name) for name in folder_names)
    return sorted(base for base in bases if base is not None)


def remove_folder(disk: Disk, directory: str) -> None:
    """Remove a folder and all files in it."""
    for name in disk.list_dir(directory):
        disk.unlink(f"{directory}/{name}")
    disk.remove_dir(directory)


def read_topic_id(disk: Disk, directory: str) -> Uuid:
    """The topic that the folder says it belongs to; ZERO_UUID where it does not say."""
    path = f"{directory}/{names.PARTITION_METADATA}"
    if not disk.exists(path):
        return ZERO_UUID
    try:
        return checkpoints.decode_partition_metadata(disk.read_file(path))
    except ValueError:  # torn by a crash: the owner knows the id, and assigns it again
        return ZERO_UUID
