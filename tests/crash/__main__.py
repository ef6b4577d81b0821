"""Look at one state again: `python -m tests.crash SCENARIO STATE`; without a state, at all.

`SCENARIO EIO 17` lets the 17th call fail; `failures [SCENARIO]` each call in turn.
"""

from __future__ import annotations

import errno
import logging
import sys
import time

from tests.crash.exploring import explore, explore_failures, fail_once, replay
from tests.crash.scenarios import SCENARIOS


def main() -> None:
    match sys.argv[1:]:
        case [name, state_id] if name in SCENARIOS and "/" in state_id:
            replay(name, state_id)
            print("kept")
        case [name, error_name, nth] if nth.isdecimal():
            fail_once(name, int(nth), getattr(errno, error_name))
            print("kept")
        case ["failures", *names]:
            for name in names or SCENARIOS:
                for error in (errno.EIO, errno.ENOSPC):
                    print(name, errno.errorcode[error], explore_failures(name, error))
        case names:
            for name in names or SCENARIOS:
                began = time.perf_counter()
                explored = explore(name)
                seconds = time.perf_counter() - began
                print(f"{name}: {explored}, {explored.states / seconds:.0f} a second")


logging.disable()  # thousands of recoveries tell nothing new
main()
