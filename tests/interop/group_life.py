"""What a group lives through, whatever its members are."""

from __future__ import annotations

from tests.interop.group_crowd import Crowd, Kind, Numbers
from tests.support.broker_process import BrokerProcess


def live(
    broker: BrokerProcess, crowd: Crowd, numbers: Numbers, kind: Kind, sizes: tuple[int, ...]
) -> None:
    """Members join, leave, are killed and paused, their broker is killed; all of it is checked."""
    for size in sizes:
        crowd.start(kind, size - len(crowd.active))
        crowd.wait_shared(f"{size} members share all")
    crowd.leave(crowd.active[-(sizes[-1] // 3) :])
    crowd.wait_shared("the others take over from those who leave")
    # The first one has led a classic group so far.
    dead, asleep = crowd.active[:1], crowd.active[1:3]
    crowd.pause(asleep)
    crowd.kill(dead)
    crowd.wait_shared("the others take over when the sessions are over")
    crowd.resume(asleep)
    crowd.wait_shared("those who slept are back")
    crowd.kill_and_start(broker)
    crowd.start(kind)
    crowd.wait_shared("the group lives on with a new broker and a new member")
    crowd.leave(list(crowd.active))
    crowd.start(kind, 2)
    crowd.wait_shared("two begin where all have stopped")
    produced = numbers.end()
    crowd.wait_read(produced)
    crowd.leave(list(crowd.active))
    crowd.check(produced)
