"""Clients that nobody closes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from ottla.blocking.background import Background, borrow, give_back
from ottla.blocking.call import current_call
from ottla.blocking.client import BlockingClient


@pytest.fixture
def background() -> Iterator[Background]:
    borrowed = borrow()
    yield borrowed
    give_back(borrowed)


class Forgetful(BlockingClient):
    """Tells at its end whether that is part of somebody's call."""

    def __init__(self, ended: asyncio.Future[bool]) -> None:
        super().__init__()
        self._ended = ended

    def start(self) -> None:
        async def nothing() -> None: ...

        self._begin(nothing)

    def _end(self, timeout_s: float | None) -> Callable[[], Coroutine[Any, Any, None]]:
        ended = self._ended

        async def end() -> None:
            try:
                current_call()
            except LookupError:
                ended.set_result(False)
            else:
                ended.set_result(True)

        return end


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_the_end_of_a_client_is_no_part_of_the_call_in_which_it_is_collected(
    background: Background,
) -> None:
    async def future() -> asyncio.Future[bool]:
        return asyncio.get_running_loop().create_future()

    ended = background.run(future)
    clients = [Forgetful(ended)]
    clients[0].start()

    async def forget() -> bool:
        clients.clear()
        return await ended

    assert background.run(forget, timeout_s=10) is False
