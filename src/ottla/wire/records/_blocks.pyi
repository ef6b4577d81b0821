from array import array
from typing import TypeAlias

from ottla.base.world import Buffer

Source: TypeAlias = list[bytes | None] | tuple[Buffer, array[int], bytes | None]

def encode(
    count: int,
    values: Source,
    keys: Source | None,
    timestamps: array[int] | int,
    headers: tuple[array[int], Source, Source] | None,
    /,
) -> tuple[bytes, int, int, int]: ...
