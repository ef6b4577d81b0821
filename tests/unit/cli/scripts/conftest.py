"""Tools run in this process, against one broker for all tests."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from ottla.cli.scripts.running import run
from ottla.testing import TemporaryBroker


class Ran(NamedTuple):
    """What a tool did."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Input(io.TextIOWrapper):
    """Standard input of these bytes."""

    def __init__(self, text: str) -> None:
        super().__init__(io.BytesIO(text.encode()), encoding="utf-8")


Script = Callable[..., Ran]


@pytest.fixture(scope="module")
def broker() -> Iterator[TemporaryBroker]:
    with TemporaryBroker() as broker:
        yield broker


@pytest.fixture
def script(
    broker: TemporaryBroker, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Script:
    """Runs `name` with these arguments and the broker's address; `typed` is its standard input."""

    def run_it(name: str, *arguments: object, typed: str = "", at: str | None = None) -> Ran:
        monkeypatch.setattr("sys.stdin", Input(typed))
        capsys.readouterr()
        server = ("--bootstrap-server", broker.bootstrap if at is None else at)
        code = run(name, [*server, *map(str, arguments)])
        return Ran(code, *capsys.readouterr())

    return run_it
