"""Looks again and again, until somebody presses q."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ottla.base.errors import ProtocolError, UserError
from ottla.cli.top.looks import Look, group_rates, look, topic_rates
from ottla.cli.top.screen import Page

if TYPE_CHECKING:
    from ottla.client.admin import Admin


class Watch:
    """Two looks at a time; what cannot be asked now is told, and asked again."""

    def __init__(self, admin: Admin, bootstrap: str, *, internal: bool) -> None:
        self._admin = admin
        self._bootstrap = bootstrap
        self._internal = internal
        self._before: Look | None = None
        self._after: Look | None = None

    async def look(self) -> Page:
        """Raises UserError and ProtocolError where nothing was ever seen."""
        note = ""
        try:
            at_s = asyncio.get_running_loop().time()
            fresh = await look(self._admin, at_s=at_s, internal=self._internal)
            self._before, self._after = self._after or fresh, fresh
        except (UserError, ProtocolError) as error:
            if self._after is None:
                raise
            note = str(error)
        before, after = self._before, self._after
        assert before is not None
        assert after is not None
        return Page(
            bootstrap=self._bootstrap,
            brokers=after.brokers,
            topics=topic_rates(before, after),
            groups=group_rates(before, after),
            note=note,
        )


async def watch(
    look_again: Watch, *, interval_s: float, show: Callable[[Page], None], quits: asyncio.Event
) -> None:
    """Show a page at once and then one each interval, until `quits` is set."""
    show(await look_again.look())
    while not quits.is_set():
        try:
            async with asyncio.timeout(interval_s):
                await quits.wait()
        except TimeoutError:
            show(await look_again.look())


@contextmanager
def keys_of_terminal(pressed: Callable[[str], None]) -> Iterator[None]:
    """Each key as it is pressed, where standard input is a terminal; as it was at the end."""
    if not sys.stdin.isatty():
        yield
        return
    import os
    import termios
    import tty

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    loop = asyncio.get_running_loop()
    loop.add_reader(terminal, lambda: pressed(os.read(terminal, 1).decode("ascii", "replace")))
    try:
        tty.setcbreak(terminal)
        yield
    finally:
        loop.remove_reader(terminal)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
