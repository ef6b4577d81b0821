"""How the program is called."""

from __future__ import annotations

from typing import Final

PROGRAM: Final = "ottla"
COMPLETION_VARIABLE: Final = "_OTTLA_COMPLETE"
"""Set by the scripts of `ottla completion`: what the shell wants to know."""
