"""Discovery: a folder's listing is its table of contents.

Importing a package's siblings lets each register itself. A module that fails to import stops the
program, and so does one that registers nothing: a broken part must never look like a missing one.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Registry(Generic[Key, Value]):
    """Values by key, each key once."""

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self._values: dict[Key, Value] = {}

    def add(self, key: Key, value: Value) -> None:
        """Register one value. Raises ValueError where the key is taken."""
        if key in self._values:
            raise ValueError(f"two {self.noun}s for {key!r}: {self._values[key]!r} and {value!r}")
        self._values[key] = value

    def get(self, key: Key) -> Value | None:
        return self._values.get(key)

    def __getitem__(self, key: Key) -> Value:
        return self._values[key]

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[Key]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def values(self) -> list[Value]:
        return list(self._values.values())


def import_siblings(package: ModuleType, registered: Callable[[], int]) -> None:
    """Import every module of a package, in order of name.

    `registered` counts what is registered so far; RuntimeError for a module that adds nothing.
    """
    for found in pkgutil.iter_modules(package.__path__):
        name = f"{package.__name__}.{found.name}"
        before = registered()
        already_imported = name in sys.modules
        importlib.import_module(name)
        if not already_imported and registered() == before:
            raise RuntimeError(f"{name} registers nothing: delete it, or let it register")
