"""The generator and its checks prove themselves: every bug that is put back is caught."""

from __future__ import annotations

import errno

import pytest

from ottla.log.segment import Segment
from tests.crash.exploring import BrokenPromiseError, explore, explore_failures
from tests.crash.seeded_bugs import SEEDED_BUGS


@pytest.mark.parametrize("name", SEEDED_BUGS)
def test_a_seeded_bug_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bug = SEEDED_BUGS[name]
    bug.patch(monkeypatch)
    with pytest.raises((BrokenPromiseError, AssertionError)) as caught:
        explore(bug.scenario)
    print(caught.value)


def test_what_a_refused_write_leaves_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Segment, "cut_leftovers", lambda _: None)
    with pytest.raises(BrokenPromiseError):
        explore_failures("appends_and_flushes", errno.ENOSPC)
