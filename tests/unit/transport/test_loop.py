"""Which event loop runs the broker."""

from __future__ import annotations

import asyncio
import sys

import pytest

from ottla.transport.loop import run


async def _running_loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def test_uvloop_runs_it_where_it_is_installed() -> None:
    uvloop = pytest.importorskip("uvloop")
    assert isinstance(run(_running_loop()), uvloop.Loop)


def test_asyncio_runs_it_where_uvloop_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)  # as an import of nothing
    assert type(run(_running_loop())).__module__.startswith("asyncio.")
