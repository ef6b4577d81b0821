"""Every call to the disk fails once, with EIO or for want of space, and no promise is broken.

A failing case prints the command that repeats it.
"""

from __future__ import annotations

import errno

import pytest

from tests.crash.exploring import explore_failures
from tests.crash.scenarios import SCENARIOS

CALLS_MIN = {errno.EIO: 80, errno.ENOSPC: 30}


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_whichever_call_fails_every_promise_is_kept(name: str, error: int) -> None:
    assert explore_failures(name, error) >= CALLS_MIN[error]
