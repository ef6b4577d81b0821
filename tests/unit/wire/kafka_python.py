"""kafka-python's message classes, which carry Kafka's definitions along."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

from ottla.wire.schema import Versioned

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it reads its definitions in an old way
    _PACKAGES = [
        import_module(f"kafka.protocol.{name}")
        for name in ("admin", "consumer", "metadata", "producer", "sasl")
    ]


def class_of(cls: type[Versioned]) -> Any:
    """Its class for a request, response or payload of ours; StopIteration where it has none."""
    name = cls.__name__
    return next(getattr(package, name) for package in _PACKAGES if hasattr(package, name))
