"""Compressing batches, beside the loop where that takes long.

Codecs let go of the GIL, so a thread compresses while the loop goes on. A batch that is with a
thread stays in its queue and is not sent, nor is any after it: the order holds by that alone.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from ottla.base.limits import KIB
from ottla.client.producer.batch import ProducerBatch
from ottla.client.producer.options import ProducerOptions
from ottla.client.producer.partition_queue import PartitionQueue
from ottla.wire.records.compression import Codec, compress

BYTES_BESIDE_LOOP_MIN: Final = {
    Codec.GZIP: 16 * KIB,
    Codec.ZSTD: 32 * KIB,
    Codec.SNAPPY: 128 * KIB,
    Codec.LZ4: 128 * KIB,
}
"""From this size on a thread compresses: to hand over and back costs the loop about 50 µs, in which
the codec itself gets through so much text."""

THREADS_MAX: Final = 4


class Packing:
    """For one producer. `start` runs what waits for a thread."""

    def __init__(
        self, options: ProducerOptions, *, start: Callable[[Coroutine[Any, Any, None]], None]
    ) -> None:
        self._codec = options.codec
        self._level = options.compression_level
        self._start = start
        self._beside_min = BYTES_BESIDE_LOOP_MIN.get(self._codec, 0)
        self._threads: ThreadPoolExecutor | None = None

    def pack_closed(self, queue: PartitionQueue) -> None:
        """Begin with every batch that nothing is appended to any more."""
        if self._codec is Codec.NONE:
            return
        for batch in queue.fresh:
            if batch is not queue.open and batch.size >= self._beside_min:
                self.is_ready(batch)

    def is_ready(self, batch: ProducerBatch) -> bool:
        """Whether a closed batch may be sent now. Begins to pack it, where nobody has."""
        if self._codec is Codec.NONE or batch.is_packed:
            return True
        if batch.is_being_packed:
            return False
        if batch.size < self._beside_min:
            batch.packed(self._codec, compress(batch.take_plain(), self._codec, level=self._level))
            return True
        batch.is_being_packed = True
        self._start(self._pack_beside(batch))
        return False

    async def _pack_beside(self, batch: ProducerBatch) -> None:
        codec, level, plain = self._codec, self._level, batch.take_plain()
        if self._threads is None:
            count = min(THREADS_MAX, os.cpu_count() or 1)
            self._threads = ThreadPoolExecutor(count, thread_name_prefix="ottla-compress")
        block = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: compress(plain, codec, level=level)
        )
        batch.is_being_packed = False
        if not batch.settled:  # it may have been given up meanwhile
            batch.packed(codec, block)

    def stop(self) -> None:
        """Begin nothing more; who waits for a thread was cancelled before."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
