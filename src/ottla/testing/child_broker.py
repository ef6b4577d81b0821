"""A broker that ends with the process that started it: `python -m` this FOLDER KEY=VALUE …

The end of its standard input is its own end: so it goes even when the other one was killed, and
takes FOLDER with it, unless that is empty, since nobody else is left to remove it.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

from ottla.base.errors import UserError
from ottla.node.broker import run_broker


def main(arguments: list[str]) -> int:
    """Serve until told to stop; the exit code."""
    # Until the broker itself listens for it: the end by a signal would leave the folder behind.
    signal.signal(signal.SIGTERM, _end)
    folder, *assignments = arguments
    orphaned = threading.Event()
    threading.Thread(target=_watch, args=(orphaned,), daemon=True).start()
    texts = dict(assignment.split("=", 1) for assignment in assignments)
    try:
        run_broker(texts, log_level="info")
    except UserError as error:
        sys.stderr.write(f"ottla: {error}\n")
        return 1
    finally:
        if folder and orphaned.is_set():
            shutil.rmtree(folder)
    return 0


def _end(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def _watch(orphaned: threading.Event) -> None:
    """Wait for the end of standard input, which costs nothing."""
    while os.read(0, 1):
        continue
    orphaned.set()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
