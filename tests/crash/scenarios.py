"""What is done to a directory before the crash; each one is run once, and crashes at every step.

Names of partitions are the scenarios' own, so that no two scenarios have a state in common.
"""

from __future__ import annotations

from collections.abc import Callable

from ottla.log.config import LogConfig
from tests.crash.life import HALF_KIB, LARGE, SMALL, Life

Scenario = Callable[[Life], None]

SMALL_SEGMENTS = LogConfig(segment_bytes=1500, index_interval_bytes=200)
ONE_SEGMENT = LogConfig(index_interval_bytes=200)


def appends_and_flushes(life: Life) -> None:
    """Batches of all sizes, several in one write, in one segment."""
    key = life.create("appends", ONE_SEGMENT)
    life.append(key, SMALL)
    life.append(key, SMALL, HALF_KIB)
    life.flush(key)
    life.append(key, LARGE)
    life.append(key, SMALL, SMALL, HALF_KIB)
    life.flush_around(key, lambda: life.append(key, HALF_KIB, SMALL))
    life.append(key, SMALL)
    life.checkpoint()
    life.append(key, SMALL, LARGE)
    life.append(key, SMALL)
    life.start()
    life.append(key, SMALL, SMALL)
    life.flush(key)


def every_write_flushed(life: Life) -> None:
    """`flush.messages=1`: acknowledged is what is flushed."""
    key = life.create("flushed", LogConfig(segment_bytes=1500, flush_messages=1))
    for size in (SMALL, HALF_KIB, SMALL, HALF_KIB, LARGE, SMALL):
        life.append(key, size)
        life.flush(key)
    life.checkpoint()
    life.append(key, SMALL)
    life.flush(key)


def rolls(life: Life) -> None:
    """Segments begin by size, several in one write, by hand, and around flushes."""
    key = life.create("rolls", SMALL_SEGMENTS)
    life.append(key, HALF_KIB, HALF_KIB)
    life.append(key, HALF_KIB, HALF_KIB, HALF_KIB, HALF_KIB, HALF_KIB)
    life.flush(key)
    life.append(key, SMALL)
    life.roll(key)
    life.append(key, SMALL)
    life.flush_around(key, lambda: life.append(key, HALF_KIB, HALF_KIB, HALF_KIB))
    life.write_log_starts()
    life.checkpoint()
    life.append(key, HALF_KIB, HALF_KIB, HALF_KIB)
    life.start()
    life.append(key, HALF_KIB, HALF_KIB)
    life.flush_around(key, lambda: life.roll(key))
    life.append(key, SMALL)


def cuts(life: Life) -> None:
    """Truncations inside a segment, over several, and flushed and not; epochs between."""
    key = life.create("cuts", SMALL_SEGMENTS)
    life.append(key, HALF_KIB, HALF_KIB, SMALL, HALF_KIB, HALF_KIB)
    life.flush(key)
    life.begin_epoch(key, 1)
    life.append(key, HALF_KIB, SMALL, SMALL, epoch=1)
    life.truncate(key, 12)
    life.append(key, SMALL, epoch=2)
    life.checkpoint()
    life.append(key, SMALL, HALF_KIB, HALF_KIB, epoch=2)
    life.truncate(key, 5)
    life.begin_epoch(key, 3)
    life.append(key, SMALL, HALF_KIB, HALF_KIB, epoch=3)
    life.flush_around(key, lambda: life.truncate(key, 9))
    life.append(key, SMALL, epoch=4)
    life.flush(key)
    life.start()
    life.truncate(key, 2)
    life.append(key, SMALL, epoch=5)


def resets(life: Life) -> None:
    """A follower that was left behind begins anew further on."""
    key = life.create("resets", SMALL_SEGMENTS)
    life.append(key, HALF_KIB, HALF_KIB, HALF_KIB)
    life.checkpoint()
    life.append(key, SMALL)
    life.reset(key, 40)
    life.append(key, SMALL, HALF_KIB)
    life.flush(key)
    life.append(key, HALF_KIB, HALF_KIB)
    life.reset(key, 90)
    life.append(key, SMALL)


def records_are_deleted(life: Life) -> None:
    """The log start moves, inside segments and over them, written down sooner or later."""
    key = life.create("deleted", SMALL_SEGMENTS)
    life.append(key, HALF_KIB, HALF_KIB, HALF_KIB)
    life.append(key, SMALL, HALF_KIB, HALF_KIB)
    life.advance_log_start(key, 3)
    life.flush(key)
    life.write_log_starts()
    life.advance_log_start(key, 7)
    life.append(key, SMALL)
    life.write_log_starts()
    life.retain(key)
    life.append(key, SMALL)
    life.remove_due()
    life.checkpoint()
    life.advance_log_start(key, life.log(key).log_end_offset)
    life.write_log_starts()
    life.start()
    life.append(key, SMALL)


def epochs_change(life: Life) -> None:
    """Leaders come and go, with and without batches of their own."""
    key = life.create("epochs", SMALL_SEGMENTS)
    for epoch in range(1, 5):
        life.begin_epoch(key, epoch)
        life.append(key, HALF_KIB, SMALL, epoch=epoch)
    life.flush(key)
    life.begin_epoch(key, 6)
    life.begin_epoch(key, 7)
    life.append(key, SMALL, epoch=7)
    life.append(key, HALF_KIB, HALF_KIB, epoch=8)
    life.start()
    life.append(key, SMALL, epoch=8)
    life.checkpoint()


def producers_send_again(life: Life) -> None:
    """Three idempotent producers, answers lost, rolls with snapshots, kills, an orderly stop."""
    key = life.create("producers", LogConfig(segment_bytes=500, index_interval_bytes=100))
    life.send(key, 1, 1, 2)
    life.send(key, 2, 3, heard=False)
    life.send(key, 1, 1, 1, 1, heard=False)
    life.send(key, 2, 1)
    life.flush(key)
    life.send(key, 3, 1, 1, heard=False)
    life.send(key, 1)
    life.roll(key)
    life.send(key, 2, 2, heard=False)
    life.checkpoint()
    life.start()
    life.send(key, 2, 1, 1)
    life.send(key, 3, 2, heard=False)
    life.stop()
    life.start()
    life.send(key, 3, 1)
    life.send(key, 1, 1, 1, 1, 1, heard=False)
    life.flush(key)
    life.send(key, 1)


def producers_after_cuts(life: Life) -> None:
    """What was cut or lost must not be taken for stored."""
    key = life.create("recalled", LogConfig(segment_bytes=400, index_interval_bytes=100))
    for count in (1, 2, 1):
        life.send(key, 1, count)
        life.send(key, 2, 1, heard=False)
    life.checkpoint()
    life.send(key, 3, 1, 1, heard=False)
    life.lose_power(5)
    life.send(key, 3, 1)
    life.send(key, 2, 1, 1, heard=False)
    life.roll(key)
    life.lose_power(11)
    life.send(key, 2)
    life.send(key, 1, 1)
    life.flush(key)


def retention(life: Life) -> None:
    """Segments go by size while others are written; files leave the disk later."""
    config = LogConfig(
        segment_bytes=1500, index_interval_bytes=200, retention_bytes=1500, retention_ms=-1
    )
    key = life.create("retained", config)
    life.append(key, *[HALF_KIB] * 5)
    life.send(key, 1, 2, heard=False)
    life.retain(key)
    life.append(key, *[HALF_KIB] * 4)
    life.checkpoint()
    life.retain(key)
    life.append(key, HALF_KIB)
    life.remove_due()
    life.write_log_starts()
    life.send(key, 1)
    life.append(key, *[HALF_KIB] * 4)
    life.start()
    life.retain(key)
    life.checkpoint()
    life.remove_due()


def stops_and_starts(life: Life) -> None:
    """Orderly stops: nothing is checked at the next start, so nothing may be amiss."""
    key = life.create("stopped", SMALL_SEGMENTS)
    life.append(key, HALF_KIB, SMALL)
    life.stop()
    life.start()
    life.append(key, HALF_KIB, HALF_KIB, SMALL)
    life.stop()
    life.start()
    life.stop()
    life.start()
    life.append(key, SMALL)
    life.start()
    life.append(key, HALF_KIB, HALF_KIB)
    life.stop()


def powers_lost(life: Life) -> None:
    """One crash after another, recovery itself included."""
    key = life.create("powerless", SMALL_SEGMENTS)
    life.append(key, HALF_KIB, HALF_KIB, SMALL)
    life.flush(key)
    for nth in (3, 10, 20):
        life.append(key, SMALL, HALF_KIB, HALF_KIB)
        life.begin_epoch(key, nth)
        life.append(key, SMALL, HALF_KIB, epoch=nth)
        life.lose_power(nth)
    life.checkpoint()


def two_partitions(life: Life) -> None:
    """A directory as a broker has it: two partitions, all that housekeeping does, a stop."""
    config = LogConfig(segment_bytes=1500, retention_bytes=2000, retention_ms=-1)
    first, second = life.create("first", config), life.create("second", SMALL_SEGMENTS)
    life.append(first, HALF_KIB, HALF_KIB)
    life.send(second, 1, 2, 1, heard=False)
    life.flush_around(first, lambda: life.append(second, HALF_KIB, HALF_KIB))
    life.append(first, HALF_KIB, HALF_KIB, HALF_KIB)
    life.checkpoint()
    life.advance_log_start(second, 3)
    life.write_log_starts()
    life.send(second, 1, 1)
    life.retain(first)
    life.append(first, HALF_KIB)
    life.retain(second)
    life.remove_due()
    life.flush_around(second, lambda: life.roll(first))
    life.checkpoint()
    life.append(second, SMALL)
    life.stop()
    life.start()
    life.append(first, SMALL)
    life.append(second, SMALL)


def topics_come_and_go(life: Life) -> None:
    """A partition is deleted, and made again under the same name; folders leave the disk later."""
    config = LogConfig(segment_bytes=1500, retention_bytes=0, retention_ms=-1)
    other = life.create("staying", SMALL_SEGMENTS)
    key = life.create("passing", config)
    life.append(key, HALF_KIB, HALF_KIB, HALF_KIB)
    life.append(other, SMALL)
    life.checkpoint()
    life.retain(key)
    life.write_log_starts()
    life.delete(key)
    key = life.create("passing", config)
    life.append(key, SMALL)
    life.append(other, SMALL)
    life.remove_due()
    life.checkpoint()
    life.delete(key)
    life.append(other, SMALL)
    life.start()
    key = life.create("passing", config)
    life.append(key, SMALL)
    life.remove_due()
    life.stop()


def compacted_segments_are_replaced(life: Life) -> None:
    """Compaction of several segments into fewer, twice, while the log goes on and is killed."""
    config = LogConfig(segment_bytes=1500, index_interval_bytes=200, cleanup_policy=("compact",))
    key = life.create("compacted", config)
    for record_key in (b"a", b"b", b"a", b"c", b"a"):
        life.append(key, HALF_KIB, record_key=record_key)
    life.roll(key)
    life.flush(key)
    life.compact(key)
    life.append(key, SMALL, HALF_KIB, record_key=b"b")
    life.checkpoint()
    life.append(key, HALF_KIB, HALF_KIB, record_key=b"c")
    life.append(key, HALF_KIB, record_key=b"d")
    life.remove_due()
    life.compact(key, lambda: life.append(key, SMALL, record_key=b"a"))
    life.start()
    life.append(key, HALF_KIB, HALF_KIB, record_key=b"a")
    life.roll(key)
    life.flush(key)
    life.lose_power(3)
    life.compact(key, lambda: life.flush(key))
    life.remove_due()
    life.stop()


def compaction_outruns_the_flush(life: Life) -> None:
    """What was flushed must not go for the sake of what was not."""
    config = LogConfig(segment_bytes=2500, index_interval_bytes=200, cleanup_policy=("compact",))
    key = life.create("outrun", config)
    life.append(key, LARGE, record_key=b"a")
    life.append(key, LARGE, record_key=b"b")
    life.checkpoint()
    for record_key in (b"c", b"a", b"b"):
        life.append(key, LARGE, record_key=record_key)
    life.roll(key)
    life.compact(key)
    life.append(key, SMALL, record_key=b"a")
    life.remove_due()


SCENARIOS: dict[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        appends_and_flushes,
        every_write_flushed,
        rolls,
        cuts,
        resets,
        records_are_deleted,
        epochs_change,
        producers_send_again,
        producers_after_cuts,
        retention,
        stops_and_starts,
        powers_lost,
        two_partitions,
        topics_come_and_go,
        compacted_segments_are_replaced,
        compaction_outruns_the_flush,
    )
}
