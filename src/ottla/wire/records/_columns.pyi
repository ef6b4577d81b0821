from array import array
from typing import TypeAlias

from ottla.base.world import Buffer

_Column: TypeAlias = tuple[Buffer, array[int], bytes | None]

def values(
    data: Buffer, ends: array[int], valid: bytes | None, begin: int, end: int, /
) -> list[bytes | None]: ...
def open_blocks(
    blocks: list[tuple[Buffer, int, int, int, int]], from_offset: int, /
) -> tuple[
    int,
    str | None,
    tuple[array[int], array[int], _Column, _Column, array[int], _Column, _Column],
]: ...
