"""The process that compacts: orders come in on standard input, results go out on standard output.

It belongs to one broker and ends with it: the end of its input is its own end, also in the midst
of an order. `python -m ottla.node.cleaner_process BYTES_PER_SECOND`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from typing import Final

import msgspec

from ottla.log.compaction.cleaner import compact
from ottla.log.compaction.plan import CompactionPlan
from ottla.log.errors import StorageError
from ottla.log.index_file import DamagedIndexError
from ottla.log.scan import DamagedLogError
from ottla.node.cleaner_reports import LENGTH_BYTES, Damaged, Done, Refused, Report
from ottla.transport.disk import LocalDisk

_NICENESS: Final = 19
_INPUT: Final = 0
_OUTPUT: Final = 1


class Abandoned(SystemExit):
    """The broker has gone, or wants nothing any more."""


class Pace:
    """At most so many bytes a second, and no longer than the broker lives."""

    def __init__(self, bytes_per_second: float) -> None:
        self._bytes_per_second = bytes_per_second
        self._due_seconds = time.monotonic()

    def __call__(self, count: int) -> None:
        """Wait until `count` bytes may be read or written. Raises Abandoned."""
        now_seconds = time.monotonic()
        # Time that was not used is lost: a pause is no right to a burst.
        begin = max(self._due_seconds, now_seconds)
        self._due_seconds = begin + count / self._bytes_per_second
        # Nothing comes in while an order is carried out but the end.
        readable, _, _ = select.select([_INPUT], [], [], max(begin - now_seconds, 0.0))
        if readable:
            raise Abandoned(0)


def carry_out(plan: CompactionPlan, pace: Pace) -> Report:
    """What became of one order."""
    try:
        with _alone_in(plan.directory):
            return Done(compact(plan, LocalDisk(), throttle=pace))
    except (DamagedLogError, DamagedIndexError, StorageError) as damage:
        return Damaged(str(damage))
    except OSError as error:
        return Refused(error.errno or 0, f"{error.strerror}: {error.filename}")


@contextlib.contextmanager
def _alone_in(folder: str) -> Iterator[None]:
    """Keep other processes of this kind out of a folder; OSError(EAGAIN) where one is there.

    A broker may be killed and started again before the process of its predecessor has noticed: two
    that write the same files would spoil them.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def yield_to_others() -> None:
    """Give way to the broker, and to everybody else, wherever they want the processor."""
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def main() -> None:
    """Carry out orders until there are no more."""
    # Ctrl-C reaches every process of a terminal; this one ends when its broker does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield_to_others()
    pace = Pace(float(sys.argv[1]))
    decoder = msgspec.msgpack.Decoder(CompactionPlan)
    while len(prefix := _read(LENGTH_BYTES)) == LENGTH_BYTES:
        order = _read(int.from_bytes(prefix, "big"))
        report = msgspec.msgpack.encode(carry_out(decoder.decode(order), pace))
        if not _write(len(report).to_bytes(LENGTH_BYTES, "big") + report):
            return


def _read(count: int) -> bytes:
    """So many bytes; fewer at the end."""
    parts = bytearray()
    while len(parts) < count and (part := os.read(_INPUT, count - len(parts))):
        parts += part
    return bytes(parts)


def _write(report: bytes) -> bool:
    """Whether the broker is still there to take it."""
    rest = memoryview(report)
    try:
        while rest:
            rest = rest[os.write(_OUTPUT, rest) :]
    except BrokenPipeError:
        return False
    return True


if __name__ == "__main__":
    main()
