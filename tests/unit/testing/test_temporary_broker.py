"""What a broker for tests leaves behind where its end goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from ottla.testing import TemporaryBroker


class BadEnd:
    """A server, and a loop, whose end fails."""

    def __init__(self) -> None:
        self.is_stopped = False

    def forget(self) -> None:
        raise OSError("cannot let go")

    def log(self) -> str:
        return "told"

    def run(self, main: Any) -> None:
        main.close()
        raise TimeoutError("the proxy stays")

    def stop(self) -> None:
        self.is_stopped = True


def test_what_fails_at_the_end_keeps_nothing_else_from_ending(tmp_path: Path) -> None:
    broker, bad = TemporaryBroker(), BadEnd()
    folder = tmp_path / "data"
    folder.mkdir()
    broker._server = broker._loop = cast("Any", bad)
    broker._folder = folder
    with pytest.raises(TimeoutError, match="the proxy stays") as failed:
        broker._leave()
    assert "cannot let go" in str(failed.value.__context__)
    assert bad.is_stopped
    assert not folder.exists()
    assert broker.log() == "told"
