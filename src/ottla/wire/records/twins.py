"""The one switch between the forms in C and those in Python (decision 4)."""

from __future__ import annotations

import os
from typing import Final

PURE_PYTHON_VARIABLE: Final = "OTTLA_PURE_PYTHON"


def is_c_refused() -> bool:
    """Whether the environment asks for the forms in Python."""
    return os.environ.get(PURE_PYTHON_VARIABLE, "0") not in ("", "0")
