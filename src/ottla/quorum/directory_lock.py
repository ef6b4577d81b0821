"""`<data directory>/.lock`: held by the process that uses the directory, Apache Kafka's as ours.

Kafka's is a POSIX record lock (`fcntl`), so this is one, too: neither starts on a directory that
the other has. Such a lock belongs to the process, and goes when any handle of the file is closed:
no part of a process looks at it while another holds it.
"""

from __future__ import annotations

import fcntl
import os

from ottla.quorum.file_lock import FileLock

LOCK_FILE = ".lock"
METADATA_LOCK = "__cluster_metadata-0/leader.lock"


class DirectoryLock:
    """This process's hold on a data directory. The file stays when the lock goes."""

    def __init__(self, data_directory: str) -> None:
        self.path = f"{data_directory}/{LOCK_FILE}"
        self._descriptor = -1

    def try_acquire(self) -> bool:
        """Take the lock; False while another process holds it. Raises OSError."""
        assert self._descriptor < 0
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError | PermissionError):
                return False
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let go. Fine where it is not held."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def is_in_use(data_directory: str) -> bool:
    """Whether another process has the directory. Changes nothing. Raises OSError."""
    if FileLock(f"{data_directory}/{METADATA_LOCK}").is_held_by_anyone():
        return True
    if not os.path.exists(f"{data_directory}/{LOCK_FILE}"):
        return False
    lock = DirectoryLock(data_directory)
    is_free = lock.try_acquire()
    lock.release()
    return not is_free
