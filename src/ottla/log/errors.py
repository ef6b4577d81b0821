"""How the log refuses: an offset it does not have, a disk that fails."""

from __future__ import annotations

from ottla.base.errors import ErrorCode, ProtocolError


class OffsetOutOfRangeError(ProtocolError):
    """A read below the log start or above the log end."""

    def __init__(self, offset: int, log_start_offset: int, log_end_offset: int) -> None:
        super().__init__(
            ErrorCode.OFFSET_OUT_OF_RANGE,
            f"offset {offset} is outside [{log_start_offset}, {log_end_offset}]",
        )


class DuplicateBatchError(ProtocolError):
    """The batch is in the log already, or staged: its producer is to be told where."""

    def __init__(self, base_offset: int, last_offset: int, timestamp: int) -> None:
        super().__init__(
            ErrorCode.DUPLICATE_SEQUENCE_NUMBER, f"stored before, at offset {base_offset}"
        )
        self.base_offset = base_offset
        self.last_offset = last_offset
        self.timestamp = timestamp


class StorageError(ProtocolError):
    """The disk failed; the OSError is the cause (`__cause__`)."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.KAFKA_STORAGE_ERROR, message)


def storage_error(doing: str, directory: str, error: Exception) -> StorageError:
    """What failed, where, and what the disk said; to be raised from `error`.

    That loses its traceback: the frames in it hold the files of a log, and who keeps the error
    would keep those open, and their room on the disk, after the log was deleted.
    """
    error.__traceback__ = None
    return StorageError(f"cannot {doing} {directory}: {error}")
