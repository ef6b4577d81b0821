"""The checksum of batches, and what it costs to have it."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from ottla.wire.records import crc32c as module
from ottla.wire.records.crc32c import crc32c

CHECK = b"123456789"
CHECK_VALUE = 0xE3069283
"""Of CHECK, as every description of CRC-32C gives it."""
PROGRAM = "import ottla.wire.records.crc32c, sys; print(*sys.modules)"
AROUND = {"argparse", "crc32c", "email", "importlib.metadata", "zipfile"}


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_it_is_the_checksum_of_the_castagnoli_polynomial(kind: type) -> None:
    assert crc32c(kind(CHECK)) == CHECK_VALUE
    assert crc32c(kind(CHECK[4:]), crc32c(kind(CHECK[:4]))) == CHECK_VALUE


def test_what_the_package_needs_for_itself_is_not_loaded() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=30
    )
    assert AROUND & set(done.stdout.split()) == set()


def test_a_package_whose_inside_is_another_is_used_as_a_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_COMPILED", "crc32c._renamed")
    assert module._implementation() is importlib.import_module("crc32c")
