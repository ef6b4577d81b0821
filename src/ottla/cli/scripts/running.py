"""Finding a tool by its name, running it, and turning what went wrong into words and a code.

Exit codes are Kafka's: 0 done, 1 anything else.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ottla import __version__
from ottla.base.errors import ProtocolError, UserError
from ottla.cli.scripts.command_line import UsageError, VersionAsked

KAFKA_VERSION: Final = "4.3.1"
"""Whose tools these are like, and so what programs are told that ask for a version."""

_FAILED: Final = 1
_INTERRUPTED: Final = 130
_PREFIX: Final = "kafka_"


def names() -> list[str]:
    """Every tool, as `kafka-topics`."""
    folder = str(Path(__file__).parent)
    return sorted(
        module.name.replace("_", "-")
        for module in pkgutil.iter_modules([folder])
        if module.name.startswith(_PREFIX)
    )


def run(name: str, arguments: Sequence[str]) -> int:
    """Run the tool to its end; its exit code. Nothing that a person typed makes it raise."""
    if name not in names():
        print(f"there is no {name}; there are {', '.join(names())}", file=sys.stderr)
        return _FAILED
    module = importlib.import_module(f"{__package__}.{name.replace('-', '_')}")
    try:
        code = int(module.main(arguments))
        sys.stdout.flush()
    except VersionAsked:
        print(KAFKA_VERSION)
        print(f"this is one of Ottla {__version__}", file=sys.stderr)
        return 0
    except UsageError as error:
        _tell(str(error), error.usage)
        return _FAILED
    except (UserError, ProtocolError, OSError) as error:
        return _failed(error)
    except KeyboardInterrupt:
        return _INTERRUPTED
    return code


def _failed(error: Exception) -> int:
    if isinstance(error, BrokenPipeError):
        # Whoever read has had enough. Python would complain of it once more as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    _tell(str(error))
    return _FAILED


def _tell(message: str, usage: str | None = None) -> None:
    print(message, file=sys.stderr)
    if usage is not None:
        print(usage, file=sys.stderr)
