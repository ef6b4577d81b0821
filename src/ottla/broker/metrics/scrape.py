"""All collectors, one after another, as the text that Prometheus reads.

The loop serves requests between any two parts: a scrape of a large broker takes longer for it, and
no client notices.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client.exposition import generate_latest

from ottla.broker.metrics import catalogue as metrics
from ottla.broker.metrics.families import Collector, Family, Part, family, single

log = logging.getLogger(__name__)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_HEAD: Final = b"# "


class Scrape:
    """What is served at /metrics."""

    def __init__(
        self,
        collectors: Mapping[str, Collector],
        *,
        is_ready: Callable[[], bool],
        left_out: Mapping[str, int],
    ) -> None:
        """By the name under which a failing one is told of; each is called for every answer."""
        self._collectors = {**collectors, "scrape": self._of_itself}
        self._is_ready = is_ready
        self._left_out = left_out
        self._errors: Counter[str] = Counter(dict.fromkeys(self._collectors, 0))
        self._running: asyncio.Task[bytes] | None = None

    async def text(self) -> bytes:
        """Who asks while an answer is being made gets the same."""
        if self._running is None:
            self._running = asyncio.create_task(self._make())
            self._running.add_done_callback(self._made)
        return await asyncio.shield(self._running)

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    def _made(self, _: asyncio.Task[bytes]) -> None:
        self._running = None

    async def _make(self) -> bytes:
        text = bytearray()
        for name, collector in self._collectors.items():
            try:
                for piece in written(collector()):
                    text += piece
                    await asyncio.sleep(0)
            except Exception:  # the other parts are worth having
                self._errors[name] += 1
                log.exception("a part of the metrics failed: please report", extra={"part": name})
        return bytes(text)

    def _of_itself(self) -> Iterator[Part]:
        yield single(metrics.READY, self._is_ready())
        yield family(metrics.LEFT_OUT, (((what,), n) for what, n in self._left_out.items()))
        yield family(metrics.SCRAPE_ERRORS, (((name,), n) for name, n in self._errors.items()))


class _One:
    """A registry of one family, for the writer."""

    def __init__(self, found: Family) -> None:
        self._found = found

    def collect(self) -> Iterable[Family]:
        return (self._found,)


def written(parts: Iterator[Part]) -> Iterator[bytes]:
    """Each part as text; what stands over a family is said once."""
    before = ""
    for part in parts:
        if part is None:
            yield b""
            continue
        text = generate_latest(_One(part))
        if part.name == before:
            # Lines end in \n alone: what a label holds may look like an end, and like a heading.
            lines = text.split(b"\n")
            text = b"\n".join(line for line in lines if not line.startswith(_HEAD))
        before = part.name
        yield text
