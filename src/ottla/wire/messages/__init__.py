"""The protocol's messages: one file per API, request and response together.

Importing one file registers its two classes; `load_all` imports every file.
"""

from __future__ import annotations

import sys

from ottla.base.registry import import_siblings
from ottla.wire.schema import requests, responses

__all__ = ["load_all", "requests", "responses"]


def load_all() -> None:
    """Register every message that has a file here."""
    import_siblings(sys.modules[__name__], lambda: len(requests))
