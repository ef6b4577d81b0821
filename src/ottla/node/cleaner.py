"""The broker's side of the process that compacts: begun when there is work, ended without any.

It is a new interpreter and no fork: a broker's memory is large, and nothing of it is needed there.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import sys
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from ottla.base.world import Clock
from ottla.broker.cleaning import Cleaner, CleanerLostError, Cleaning
from ottla.broker.replicas import LocalReplicas
from ottla.log.compaction.plan import CompactionMemory, CompactionPlan
from ottla.log.compaction.result import CompactionResult
from ottla.log.scan import DamagedLogError
from ottla.node.cleaner_reports import LENGTH_BYTES, Damaged, Done, Refused, Report
from ottla.settings import broker as keys
from ottla.settings.broker import BrokerSettings

IDLE_SECONDS_MAX: Final = 60.0
"""A process without work keeps some 20 MB of memory; to begin it anew takes a tenth of a second."""

_REPORTS: Final[msgspec.msgpack.Decoder[Report]] = msgspec.msgpack.Decoder(Report)


class ProcessCleaner:
    """See `broker.cleaning.Cleaner`."""

    def __init__(self, *, bytes_per_second: float) -> None:
        self._command = (
            sys.executable,
            "-m",
            "ottla.node.cleaner_process",
            str(bytes_per_second),
        )
        self._process: asyncio.subprocess.Process | None = None
        self._resting: asyncio.TimerHandle | None = None
        self._is_closed = False

    @property
    def pid(self) -> int | None:
        """None while there is no process."""
        return None if self._process is None else self._process.pid

    async def compact(self, plan: CompactionPlan) -> CompactionResult:
        """Raises DamagedLogError, OSError and CleanerLostError."""
        self._wake()
        try:
            report = await self._ask(msgspec.msgpack.encode(plan))
        except (OSError, asyncio.IncompleteReadError) as error:
            await self._end()
            raise CleanerLostError("the process that compacts has ended") from error
        except BaseException:
            await self._end()
            raise
        match report:
            case Done(result):
                return result
            case Damaged(reason):
                raise DamagedLogError(reason)
            case Refused(errno.EAGAIN):
                raise CleanerLostError("an earlier broker's process still compacts it")
            case Refused(number, reason):
                raise OSError(number, reason)

    async def _ask(self, order: bytes) -> Report:
        self._check_open()
        process = self._process
        if process is None:
            process = self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
            self._check_open()  # it may have been closed meanwhile
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(len(order).to_bytes(LENGTH_BYTES, "big") + order)
        await process.stdin.drain()
        length = int.from_bytes(await process.stdout.readexactly(LENGTH_BYTES), "big")
        return _REPORTS.decode(await process.stdout.readexactly(length))

    def _check_open(self) -> None:
        if self._is_closed:
            raise CleanerLostError("the broker stops")

    # -- resting and ending ----------------------------------------------------------------------

    def rest(self) -> None:
        """End the process if nothing comes for a while."""
        if self._process is not None and self._resting is None:
            loop = asyncio.get_running_loop()
            self._resting = loop.call_later(IDLE_SECONDS_MAX, self._send_away)

    def _wake(self) -> None:
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None

    def _send_away(self) -> None:
        self._resting = None
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()  # the end of its input is its own

    async def close(self) -> None:
        self._is_closed = True
        self._wake()
        await self._end()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


class CleaningTerms(NamedTuple):
    """How many clean, and what each of them may take; equal where nothing has to change."""

    cleaners: int
    bytes_per_second: float
    memory: CompactionMemory
    backoff_ms: int

    @classmethod
    def of(cls, settings: BrokerSettings) -> CleaningTerms:
        """Nobody cleans where `log.cleaner.enable` is false.

        What the settings allow is for all cleaners together.
        """
        count = settings[keys.LOG_CLEANER_THREADS] if settings[keys.LOG_CLEANER_ENABLE] else 0
        share = max(count, 1)
        return cls(
            cleaners=count,
            bytes_per_second=settings[keys.LOG_CLEANER_IO_MAX_BYTES_PER_SECOND] / share,
            memory=CompactionMemory(
                map_bytes=settings[keys.LOG_CLEANER_DEDUPE_BUFFER_SIZE] // share,
                load_factor=settings[keys.LOG_CLEANER_IO_BUFFER_LOAD_FACTOR],
                io_bytes=settings[keys.LOG_CLEANER_IO_BUFFER_SIZE] // share,
            ),
            backoff_ms=settings[keys.LOG_CLEANER_BACKOFF_MS],
        )


class SetCleaning:
    """Compaction as a broker is set to do it; call it with the settings when they change.

    `cleaner` makes one that reads and writes so many bytes a second.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        replicas: LocalReplicas,
        clock: Clock,
        *,
        cleaner: Callable[[float], Cleaner],
    ) -> None:
        self._terms = terms = CleaningTerms.of(settings)
        self._cleaner = cleaner
        self.cleaning = Cleaning(
            replicas,
            clock,
            self._cleaners(terms),
            memory=terms.memory,
            backoff_ms=terms.backoff_ms,
        )

    def __call__(self, settings: BrokerSettings) -> None:
        terms = CleaningTerms.of(settings)
        if terms != self._terms:
            self._terms = terms
            self.cleaning.change(
                self._cleaners(terms), memory=terms.memory, backoff_ms=terms.backoff_ms
            )

    def _cleaners(self, terms: CleaningTerms) -> list[Cleaner]:
        return [self._cleaner(terms.bytes_per_second) for _ in range(terms.cleaners)]
