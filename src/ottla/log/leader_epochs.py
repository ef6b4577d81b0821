"""Which leader wrote from which offset on: the history of one partition's epochs (KIP-101).

Epochs and their first offsets both grow strictly.
"""

from __future__ import annotations

from bisect import bisect_right

from ottla.base.ids import NO_EPOCH, NO_OFFSET, LeaderEpoch, Offset


class LeaderEpochs:
    """Entries of (epoch, first offset), in memory; `checkpoints` reads and writes them."""

    __slots__ = ("_epochs", "_first_offsets")

    def __init__(self, entries: list[tuple[int, int]] | None = None) -> None:
        self._epochs: list[int] = []
        self._first_offsets: list[int] = []
        for epoch, first_offset in entries or []:
            self.assign(epoch, first_offset)

    @property
    def last_epoch(self) -> LeaderEpoch:
        """-1 where there is none."""
        return LeaderEpoch(self._epochs[-1]) if self._epochs else NO_EPOCH

    def entries(self) -> list[tuple[int, int]]:
        return list(zip(self._epochs, self._first_offsets, strict=True))

    def assign(self, epoch: int, first_offset: int) -> bool:
        """Note that `epoch` begins at `first_offset`; whether that changed anything.

        What contradicts it goes: a later epoch, or one that began at this offset or behind it.
        """
        if self._epochs and epoch == self._epochs[-1] and first_offset >= self._first_offsets[-1]:
            return False
        while self._epochs and (
            self._epochs[-1] >= epoch or self._first_offsets[-1] >= first_offset
        ):
            self._epochs.pop()
            self._first_offsets.pop()
        self._epochs.append(epoch)
        self._first_offsets.append(first_offset)
        return True

    def epoch_at(self, offset: int) -> LeaderEpoch:
        """The epoch that wrote, or will write, `offset`; -1 where it is before the first."""
        index = bisect_right(self._first_offsets, offset)
        return LeaderEpoch(self._epochs[index - 1]) if index else NO_EPOCH

    def end_offset_for(self, epoch: int, log_end_offset: int) -> tuple[LeaderEpoch, Offset]:
        """The largest epoch <= `epoch` known here, and where it ends (KIP-279, KIP-320).

        (-1, -1) for an epoch later than the last. One before the first ends where the first
        begins, and is returned as it was asked for.
        """
        if not self._epochs or epoch < 0 or epoch > self._epochs[-1]:
            return NO_EPOCH, NO_OFFSET
        if epoch == self._epochs[-1]:
            return LeaderEpoch(epoch), Offset(log_end_offset)
        index = bisect_right(self._epochs, epoch)
        known = self._epochs[index - 1] if index else epoch
        return LeaderEpoch(known), Offset(self._first_offsets[index])

    def truncate_end(self, end_offset: int) -> bool:
        """Drop epochs that begin at `end_offset` or later; whether there were any."""
        kept = bisect_right(self._first_offsets, end_offset - 1)
        if kept == len(self._epochs):
            return False
        del self._epochs[kept:]
        del self._first_offsets[kept:]
        return True

    def truncate_start(self, start_offset: int) -> bool:
        """Forget epochs that end at or before `start_offset`; the one at it begins there."""
        index = bisect_right(self._first_offsets, start_offset) - 1
        if index < 0 or (index == 0 and self._first_offsets[0] == start_offset):
            return False
        del self._epochs[:index]
        del self._first_offsets[:index]
        self._first_offsets[0] = start_offset
        return True
