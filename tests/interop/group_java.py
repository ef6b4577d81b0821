"""GroupClient.java, compiled once for all members that are processes of it."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.java import CLASS_PATH

SOURCE = Path(__file__).parent / "java" / "GroupClient.java"


@functools.cache
def classes() -> Path:
    """The folder that it was compiled into; gone when this process ends."""
    folder = tempfile.mkdtemp(prefix="ottla-java-")
    atexit.register(shutil.rmtree, folder)
    command = ["javac", "-Xlint:all", "-Werror", "-cp", CLASS_PATH, "-d", folder, str(SOURCE)]
    # The jars name others that nobody needs here, of which javac would warn.
    command.insert(2, "-Xlint:-path,-processing,-classfile")
    subprocess.run(command, check=True, timeout=60)
    return Path(folder)
