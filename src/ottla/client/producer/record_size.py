"""What a record may take in a batch, before it is encoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

RECORD_OVERHEAD_BYTES_MAX: Final = 36
"""What a record has beside its key, value and headers: lengths and deltas, each at its longest."""

HEADER_OVERHEAD_BYTES_MAX: Final = 10


def size_bound(
    key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]
) -> int:
    """Bytes that the record takes at most."""
    size = RECORD_OVERHEAD_BYTES_MAX
    if key is not None:
        size += len(key)
    if value is not None:
        size += len(value)
    for name, content in headers:
        # A character is at most four bytes, half a surrogate pair never encodes.
        size += 4 * len(name) + (len(content) if content else 0) + HEADER_OVERHEAD_BYTES_MAX
    return size
