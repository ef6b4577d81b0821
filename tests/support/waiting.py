"""Waiting for something outside this process: by looking, with a deadline, never by hoping."""

from __future__ import annotations

import time
from collections.abc import Callable

LOOK_EVERY_SECONDS = 0.01


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float = 20.0) -> None:
    """Return once `condition` holds. Raises TimeoutError that says `what` did not happen."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(LOOK_EVERY_SECONDS)
