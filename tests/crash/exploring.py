"""Running scenarios, and looking at every state that a crash of theirs may leave."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final, NamedTuple

from ottla.base.ids import TopicPartition
from ottla.testing.crash_states import CrashState, crash_states, state_of
from ottla.testing.memory_disk import MemoryDisk
from ottla.testing.recording_disk import Moment
from tests.crash.invariants import (
    acked_readable,
    epochs_known,
    found_by_offset,
    latest_of_each_key,
    monotone,
    one_value_per_offset,
    producers_known,
)
from tests.crash.life import FailingDisk, Life
from tests.crash.promises import Promised, Promises
from tests.crash.reopened import Reopened, batches_of
from tests.crash.scenarios import SCENARIOS, Scenario
from tests.crash.server import Server
from tests.support.cluster import SeededRng
from tests.unit.log.support import NOW_MS, batch_of

Check = Callable[[Reopened], None]

INVARIANTS: Final[Sequence[Check]] = (
    acked_readable.check,
    one_value_per_offset.check,
    latest_of_each_key.check,
    monotone.check,
    epochs_known.check,
    found_by_offset.check,
    producers_known.check,  # the last: it appends
)

SEED: Final = 7
LIVE_INVARIANTS: Final = INVARIANTS[:-1]
"""Those that change nothing."""

STATES_AFTER_FAILURE: Final = 4
"""The first ones: the kill, all as new, all as old, and one more."""

AFTERLIFE_EVERY: Final = 4
"""Every so many states the log is used again, stopped in order and started once more."""


class BrokenPromiseError(AssertionError):
    """A promise that a state does not keep; tells how to look at it again."""


class Explored(NamedTuple):
    """How many states there were, and how many different disks."""

    states: int
    distinct: int


def moments_of(scenario: Scenario) -> list[Moment]:
    """The whole life, with all of its promises."""
    life = Life()
    scenario(life)
    return life.disk.moments


def explore(name: str) -> Explored:
    """Every state of a scenario keeps all promises, or BrokenPromiseError."""
    return explore_moments(name, moments_of(SCENARIOS[name]))


def explore_moments(name: str, moments: Sequence[Moment]) -> Explored:
    """See `explore`."""
    seen: set[object] = set()
    distinct: set[int] = set()
    for state in crash_states(moments, SeededRng(SEED)):
        fingerprint = state.fingerprint()
        key = fingerprint, _what_matters(state)
        if key in seen:
            continue
        seen.add(key)
        distinct.add(fingerprint)
        look(name, state, afterlife=len(seen) % AFTERLIFE_EVERY == 0)
    return Explored(len(seen), len(distinct))


def replay(name: str, state_id: str) -> None:
    """One state alone: what `python -m tests.crash NAME ID` does."""
    look(name, state_of(moments_of(SCENARIOS[name]), state_id), afterlife=True)


def explore_failures(name: str, error: int) -> int:
    """Every call of a scenario fails once; how many there were.

    The life goes on after it, and at the step that was refused, and at its end, a crash keeps all
    that was promised; so does the running process.
    """
    nth = 0
    while True:
        nth += 1
        if not fail_once(name, nth, error):
            return nth - 1


def fail_once(name: str, nth: int, error: int) -> bool:
    """The `nth` call fails; False where there are fewer."""
    disk = FailingDisk(nth, error)
    try:
        life = Life(disk)
        SCENARIOS[name](life)
        if not disk.has_failed:
            return False
        promises = life.promised
        for key, log in life.server.logs.items():
            found = Reopened(str(key), log, promises[key], False, 0, batches_of(log))
            for check in LIVE_INVARIANTS:
                check(found)
        refused = [moment for moment in disk.moments if moment.step == "refused"]
        for moment in (*refused[:1], disk.moments[-1]):
            states = 1 if life.has_half_cut and moment is disk.moments[-1] else STATES_AFTER_FAILURE
            for state in islice(crash_states([moment], SeededRng(nth)), states):
                look(name, state, afterlife=False)
    except Exception as failure:
        raise BrokenPromiseError(
            f"{failure}\nagain: python -m tests.crash {name} {errno.errorcode[error]} {nth}"
        ) from failure
    return True


def _what_matters(state: CrashState) -> object:
    promises = promises_of(state)
    if state.is_power_loss:
        return tuple((key, kept.after_power_loss()) for key, kept in promises.items())
    return tuple(
        (key, kept.after_power_loss(), len(kept.batches), len(kept.under_way))
        for key, kept in promises.items()
    )


def promises_of(state: CrashState) -> Promises:
    """What had been promised when it came to this state."""
    promised = state.moment.promised
    assert isinstance(promised, dict)
    return promised


def look(name: str, state: CrashState, *, afterlife: bool) -> None:
    """Reopen the directory, and hold it to what was promised."""
    try:
        check_disk(
            state.disk(),
            promises_of(state),
            is_power_loss=state.is_power_loss,
            afterlife=afterlife,
        )
    except Exception as error:
        raise BrokenPromiseError(
            f"{error}\nafter step {state.moment.number}: {state.moment.step}\n"
            f"again: python -m tests.crash {name} {state.id}"
        ) from error


def check_disk(
    disk: MemoryDisk, promises: Promises, *, is_power_loss: bool, afterlife: bool
) -> None:
    """Whatever is on this disk, starting succeeds, and every invariant holds."""
    topics = {key: (kept.topic_id, kept.config) for key, kept in promises.items()}
    server = Server.start(disk, topics)
    for key, promised in promises.items():
        found = _reopened(server, key, promised, is_power_loss=is_power_loss)
        for check in INVARIANTS:
            check(found)
    if afterlife:
        _live_on(server, disk)


def _reopened(
    server: Server, key: TopicPartition, promised: Promised, *, is_power_loss: bool
) -> Reopened:
    log = server.logs[key]
    point = server.directory.recovery_points.get(key, 0)
    return Reopened(str(key), log, promised, is_power_loss, point, batches_of(log))


def _live_on(server: Server, disk: MemoryDisk) -> None:
    """The logs take batches again, and an orderly stop leaves all of it, for a start to trust."""
    expected = {}
    for key, log in server.logs.items():
        log.append(batch_of(b"afterwards", timestamp=NOW_MS), leader_epoch=99, now_ms=NOW_MS)
        expected[key] = batches_of(log)
    topics = {key: (log.topic_id, log.config) for key, log in server.logs.items()}
    for log in server.logs.values():
        log.close()
    server.finish_stop()
    again = Server.start(disk, topics)
    assert again.directory.was_clean
    for key, log in again.logs.items():
        assert batches_of(log) == expected[key], f"{key} is another after an orderly stop"
