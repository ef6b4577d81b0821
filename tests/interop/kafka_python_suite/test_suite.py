"""kafka-python's own integration tests against one broker, from its source distribution.

`allowed.txt` names the tests that pass; it only grows. Why the others are not in it stands in
FINDINGS.md. `make kafka-python-suite` fetches the sources.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.broker_process import BrokerProcess

HERE: Final = Path(__file__).parent
FETCHED: Final = Path(os.environ.get("OTTLA_KAFKA_PYTHON", HERE.parents[2] / ".kafka-python"))
SOURCES: Final = next(iter(FETCHED.glob("kafka_python-*/")), FETCHED / "missing")
SECONDS_MAX: Final = 100
SETTINGS: Final = {"num.partitions": "4", "group.initial.rebalance.delay.ms": "0"}

pytestmark = [
    pytest.mark.interop,
    pytest.mark.timeout(SECONDS_MAX + 10),
    pytest.mark.skipif(
        not (SOURCES / "test" / "integration").exists(),
        reason=f"no tests of kafka-python in {FETCHED}: run `make kafka-python-suite`, or name a "
        "folder by OTTLA_KAFKA_PYTHON",
    ),
]


def allowed() -> list[str]:
    """The names in `allowed.txt`: file::test, relative to the suite's folder."""
    lines = (HERE / "allowed.txt").read_text().splitlines()
    return [name for line in lines if (name := line.partition("#")[0].strip())]


@pytest.fixture(scope="module")
def broker() -> Iterator[BrokerProcess]:
    """One broker for all of them."""
    options = [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]
    with BrokerProcess(*options) as broker:
        yield broker


@pytest.mark.parametrize("name", allowed())
def test_passes(name: str, broker: BrokerProcess) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"),
            *("-W", "ignore", "-o", "addopts=", f"test/integration/{name}"),
        ],
        cwd=SOURCES,
        env=os.environ | {"KAFKA_URI": f"kafka://{broker.bootstrap}", "KAFKA_VERSION": "4.2.0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS_MAX,
        check=False,
    )
    told = done.stdout.decode(errors="replace")
    assert done.returncode == 0, told[-5000:]
    assert " passed" in told, f"it did not run: {told[-2000:]}"
