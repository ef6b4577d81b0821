"""How the program is called, and where its outputs go."""

from __future__ import annotations

import os
import sys
from typing import Final

PROGRAM: Final = "ottla"
COMPLETION_VARIABLE: Final = "_OTTLA_COMPLETE"
"""Set by the scripts of `ottla completion`: what the shell wants to know."""


def open_closed_outputs() -> None:
    """After a shell's `>&-` what is printed goes nowhere, and no connection takes the number."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 # for good
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 # for good
