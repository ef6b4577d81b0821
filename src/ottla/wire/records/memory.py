"""Memory for what is large and soon gone: fetched frames, opened columns.

A block lives as long as anybody has a view of it; then the next one of its size takes its memory
over, where `_memory.c` was compiled. Reading 1 KiB records as columns is three times as fast by it:
memory that the system has just given costs a page fault every 4 KiB.
"""

from __future__ import annotations

from typing import Final

from ottla.base.limits import BLOCKS_KEPT_BYTES_MAX
from ottla.wire.records.twins import is_c_refused

try:
    from ottla.wire.records import _memory
except ImportError:  # no C compiler at installation
    IS_COMPILED = False
else:
    IS_COMPILED = True
    _memory.keep(BLOCKS_KEPT_BYTES_MAX)


def fresh_block(size: int) -> memoryview:
    """Memory that nobody used before."""
    if size < 0:
        raise ValueError("a block has no negative size")
    return memoryview(bytearray(size))


block: Final = _memory.block if IS_COMPILED and not is_c_refused() else fresh_block
"""(size in bytes) -> memory to write to. What it holds at first is anything."""


def copy_of(data: memoryview) -> memoryview:
    """The same bytes in memory of their own."""
    copy = block(len(data))
    copy[:] = data
    return copy
