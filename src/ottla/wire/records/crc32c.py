"""CRC-32C: the one place that says whose implementation is used.

`crc32c(data, value=0)` takes any buffer without copying it; `value` continues an earlier sum.

Of the package crc32c only the compiled part is loaded: what is around it asks for the package's
version and makes a command line whenever it is imported, which is some 55 modules of the standard
library and a fifth of the time in which a client is imported.
"""

from __future__ import annotations

from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Final, Protocol

from ottla.base.world import Buffer

__all__ = ["crc32c"]

_PACKAGE: Final = "crc32c"
_COMPILED: Final = "crc32c._crc32c"


class Checksum(Protocol):
    """What computes one."""

    def __call__(self, data: Buffer, value: int = 0, /) -> int: ...


def _implementation() -> ModuleType:
    """The compiled part alone, or the package where its insides are not as we know them."""
    package = find_spec(_PACKAGE)
    folders = None if package is None else package.submodule_search_locations
    found = None if folders is None else PathFinder.find_spec(_COMPILED, folders)
    if found is None or found.loader is None:
        return import_module(_PACKAGE)
    compiled = module_from_spec(found)
    found.loader.exec_module(compiled)
    return compiled


crc32c: Final[Checksum] = _implementation().crc32c
