"""CRC-32C: the one place that says whose implementation is used.

`crc32c(data, value=0)` takes any buffer without copying it; `value` continues an earlier sum.
"""

from __future__ import annotations

from crc32c import crc32c

__all__ = ["crc32c"]
