"""What a record may take in a batch, before it is encoded."""

from __future__ import annotations

from collections.abc import Sequence

from ottla.wire.records.rows import HEADER_OVERHEAD_BYTES_MAX, RECORD_OVERHEAD_BYTES_MAX

__all__ = ["HEADER_OVERHEAD_BYTES_MAX", "RECORD_OVERHEAD_BYTES_MAX", "size_bound"]


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
