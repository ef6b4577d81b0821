"""Apache Kafka's own jars, where there are any and a JVM to run them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
JARS = Path(os.environ.get("OTTLA_KAFKA_JARS", ROOT / ".java"))
CLASS_PATH = f"{JARS}/*"


def why_no_java() -> str | None:
    """What is missing to run a program of Kafka's; None where nothing is."""
    # javac and not java: a runtime alone cannot run a program from its source.
    if shutil.which("javac") is None:
        return "no JDK on the path"
    if not list(JARS.glob("kafka-tools-*.jar")):
        return (
            f"no kafka-tools-*.jar in {JARS}: run `make java`, or name a folder by OTTLA_KAFKA_JARS"
        )
    return None


needs_java = pytest.mark.skipif(why_no_java() is not None, reason=str(why_no_java()))
