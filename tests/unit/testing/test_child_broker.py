"""A broker that ends with the process that started it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ottla.testing import child_broker


@pytest.fixture
def _as_before() -> Iterator[None]:
    """Signals are the process's own."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("_as_before")
def test_a_folder_goes_though_the_end_comes_before_the_broker_listens_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()

    def ended_at_once(texts: dict[str, str], *, log_level: str) -> None:
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL, "it would end right here"
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(child_broker, "_watch", threading.Event.set)
    monkeypatch.setattr(child_broker, "run_broker", ended_at_once)
    with pytest.raises(SystemExit):
        child_broker.main([str(folder), "node.id=1"])
    assert not folder.exists()
