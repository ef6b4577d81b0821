"""Compacted segments take the place of others: on the disk so that any crash can be settled, in
memory at one moment.

For each of them, in order of offsets (a tombstone must not go before what it deletes):

1. `.cleaned` becomes `.swap`, the indexes first and the log last; the folder is synced. Before
   that a crash leaves the old segments alone, after it `log.leftovers` goes on from here.
2. `.log.swap` takes the name of the first old log, the other old segments are renamed to
   `.deleted`; the folder is synced. The `.swap` indexes still say that this is not the end.
3. The indexes take their names; the folder is synced.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from typing import Final

from ottla.base.world import Disk, File
from ottla.log import names
from ottla.log.aborted_transactions import AbortedTransactions
from ottla.log.compaction.cleaned_segment import remove_cleaned
from ottla.log.compaction.result import CleanedSegment, CompactionResult
from ottla.log.errors import StorageError, storage_error
from ottla.log.index_file import DamagedIndexError
from ottla.log.retention import retire_files
from ottla.log.scan import DamagedLogError
from ottla.log.segment import Segment
from ottla.log.segments import Segments

_LOG_LAST: Final = (*names.INDEX_SUFFIXES, names.LOG_SUFFIX)


class StaleCompactionError(Exception):
    """The log has changed while it was compacted; the result is of no use any more."""


class Swap:
    """One result on its way into its log.

    `retired` are the paths of what it has replaced so far, to unlink later; `held` are replaced
    files whose names have gone already: the disk frees them when the last reference goes, which
    may take a while.
    """

    def __init__(
        self,
        result: CompactionResult,
        segments: Segments,
        aborted: AbortedTransactions,
        disk: Disk,
        *,
        new_segment: Callable[[int], Segment],
        still_fits: Callable[[], bool],
        swapped: Callable[[], None],
        broken: Callable[[str, Exception], StorageError],
    ) -> None:
        """`still_fits`: whether the log may be changed, and was not cut since the plan was made.

        `broken` is asked for the error when nobody knows any more what the disk holds.
        """
        self._result = result
        self._directory = result.directory
        self._segments = segments
        self._aborted = aborted
        self._disk = disk
        self._new_segment = new_segment
        self._still_fits = still_fits
        self._swapped = swapped
        self._broken = broken
        self.retired: list[str] = []
        self.held: list[File] = []

    def run(self) -> None:
        """All steps, here and now. Raises StaleCompactionError and StorageError."""
        steps = self.steps()
        for _ in steps:
            try:
                self._disk.sync_dir(self._directory)
            except OSError as error:
                steps.throw(error)

    def steps(self) -> Generator[None, None, None]:
        """At each step the folder must be synced, by any thread, before the next is taken.

        A sync that fails is to be thrown into it. Other calls of the log are allowed between steps:
        where they changed what the result is about, it raises StaleCompactionError. Raises
        StorageError where the disk fails. In both cases nothing is left of what was not swapped.
        """
        for index, cleaned in enumerate(self._result.segments):
            is_in_place = False
            try:
                self._check(cleaned)
                self._announce(cleaned.base_offset)
                yield
                self._check(cleaned)
                old_log = self._take_name(cleaned)
                is_in_place = True
                self._take_place(cleaned, old_log)
                yield
            except (OSError, DamagedLogError, DamagedIndexError) as error:
                self._remove(self._result.segments[index + is_in_place :])
                if is_in_place:
                    raise self._broken("replace segments of", error) from error
                raise storage_error("replace segments of", self._directory, error) from error
            except StaleCompactionError:
                self._remove(self._result.segments[index:])
                raise

    def discard(self) -> None:
        """Remove what was written; the log stays as it is."""
        self._remove(self._result.segments)

    # --- one segment ---

    def _check(self, cleaned: CleanedSegment) -> None:
        known = {segment.base_offset: segment for segment in self._segments}
        for replaced in cleaned.replaces:
            segment = known.get(replaced.base_offset)
            if (
                segment is None
                or segment is self._segments.active
                or segment.next_offset != replaced.next_offset
                or segment.committed_size != replaced.size
            ):
                raise StaleCompactionError(f"segment {replaced.base_offset} is not what it was")
        if not self._still_fits():
            raise StaleCompactionError("the log was cut, closed or is no longer compacted")

    def _announce(self, base_offset: int) -> None:
        stem = self._stem(base_offset)
        for suffix in _LOG_LAST:
            source = stem + suffix + names.CLEANED_SUFFIX
            if suffix != names.TXN_INDEX_SUFFIX or self._disk.exists(source):
                self._disk.rename(source, stem + suffix + names.SWAP_SUFFIX)

    def _take_name(self, cleaned: CleanedSegment) -> File:
        """The log file takes the name of the one before, which goes on living as it is held."""
        base_offset = cleaned.base_offset
        (old,) = (held for held in self._segments if held.base_offset == base_offset)
        file = old.log.get()
        path = names.log_path(self._directory, base_offset)
        self._disk.rename(path + names.SWAP_SUFFIX, path)
        return file

    def _take_place(self, cleaned: CleanedSegment, old_log: File) -> None:
        segment = self._new_segment(cleaned.base_offset)
        segment.load_sealed(cleaned.next_offset)
        self.held.append(old_log)
        self._segments.replace(len(cleaned.replaces), segment)
        bases = [replaced.base_offset for replaced in cleaned.replaces]
        self._aborted.replace_segments(
            bases, written=cleaned.base_offset if cleaned.has_aborted else None
        )
        self._swapped()
        for base_offset in bases[1:]:
            self.retired += retire_files(self._disk, self._directory, base_offset)
        # Names of one folder reach the disk in any order: the mark must not go before the old logs.
        self._disk.sync_dir(self._directory)
        self._take_indexes(cleaned)

    def _take_indexes(self, cleaned: CleanedSegment) -> None:
        stem = self._stem(cleaned.base_offset)
        for suffix in names.INDEX_SUFFIXES:
            path = stem + suffix
            if suffix != names.TXN_INDEX_SUFFIX or cleaned.has_aborted:
                self._disk.rename(path + names.SWAP_SUFFIX, path)
            elif self._disk.exists(path):
                self._disk.unlink(path)

    # --- what is not wanted ---

    def _remove(self, unwanted: list[CleanedSegment]) -> None:
        """As far as the disk lets us; the log first, for without it the rest means nothing."""
        for cleaned in unwanted:
            stem = self._stem(cleaned.base_offset)
            for suffix in (names.LOG_SUFFIX, *names.INDEX_SUFFIXES):
                path = stem + suffix + names.SWAP_SUFFIX
                with contextlib.suppress(OSError):
                    if self._disk.exists(path):
                        self._disk.unlink(path)
            remove_cleaned(self._disk, self._directory, cleaned.base_offset)

    def _stem(self, base_offset: int) -> str:
        return f"{self._directory}/{names.segment_stem(base_offset)}"
