"""The programs of the guide about serialization, as a reader would run them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.admin import Admin
from tests.support.broker_process import BrokerProcess

pytestmark = pytest.mark.interop

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "serialization.md"
PROGRAM = re.compile(r"```python\n# (?P<name>\w+\.py)\n(?P<text>.*?)```", re.DOTALL)
PROGRAMS = {found["name"]: found["text"] for found in PROGRAM.finditer(GUIDE.read_text())}
PRINTED = {
    "typed_orders.py": [
        "0 anna tea",
        "1 anna milk",
        "skipped 2 b'not an order'",
        "3 ben cake",
    ],
    "by_country.py": ["de-1 0", "at-1 1", "fr-1 2"],
}


def test_the_guide_has_the_programs_that_are_run() -> None:
    assert PROGRAMS.keys() == PRINTED.keys()


@pytest.mark.parametrize("name", PRINTED)
def test_a_program_of_the_guide_does_what_it_says(
    name: str, broker: BrokerProcess, tmp_path: Path
) -> None:
    Admin(broker.bootstrap).create("orders", 1)
    Admin(broker.bootstrap).create("visits", 3)
    program = tmp_path / name
    program.write_text(PROGRAMS[name])
    command = [sys.executable, str(program), broker.bootstrap]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == PRINTED[name]
