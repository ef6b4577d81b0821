"""librdkafka's own test suite against one broker, one test a process.

`allowed.txt` names the tests that pass; it only grows. Why the others are not in it stands in
FINDINGS.md. `make librdkafka` builds the suite from the sources in librdkafka's npm package.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.broker_process import BrokerProcess

HERE: Final = Path(__file__).parent
BUILT: Final = Path(os.environ.get("OTTLA_LIBRDKAFKA", HERE.parents[2] / ".librdkafka"))
SOURCES: Final = BUILT / "librdkafka"
RUNNER: Final = SOURCES / "tests" / "test-runner"
SECONDS_MAX: Final = 170
"""The slowest of them takes a minute here."""

SETTINGS: Final = {
    "num.partitions": "4",  # the suite counts on it
    "group.initial.rebalance.delay.ms": "0",
}

pytestmark = [
    pytest.mark.interop,
    pytest.mark.timeout(SECONDS_MAX + 10),
    pytest.mark.skipif(
        not RUNNER.exists(),
        reason=f"no test suite of librdkafka in {BUILT}: run `make librdkafka`, or name a folder "
        "by OTTLA_LIBRDKAFKA",
    ),
]


def allowed() -> list[str]:
    """The names in `allowed.txt`."""
    lines = (HERE / "allowed.txt").read_text().splitlines()
    return [name for line in lines if (name := line.partition("#")[0].strip())]


@pytest.fixture(scope="module")
def broker() -> Iterator[BrokerProcess]:
    """One broker for all of them, as a user would start it for the suite."""
    options = [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]
    with BrokerProcess(*options) as broker:
        yield broker


@pytest.mark.parametrize("name", allowed())
def test_passes(name: str, broker: BrokerProcess, tmp_path: Path) -> None:
    (tmp_path / "test.conf").write_text(
        f"bootstrap.servers={broker.bootstrap}\ntest.topic.random=true\n"
    )
    done = subprocess.run(
        [str(RUNNER), "-p1"],
        cwd=tmp_path,
        env=os.environ
        | {
            "TESTS": name,
            "TEST_KAFKA_VERSION": "4.0.0",
            "LD_LIBRARY_PATH": f"{SOURCES}/src:{SOURCES}/src-cpp",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS_MAX,
        check=False,
    )
    told = done.stdout.decode(errors="replace")
    assert done.returncode == 0, told[-5000:]
    assert re.search(rf" {re.escape(name)} .*PASSED", told), f"it did not run: {told[-2000:]}"
