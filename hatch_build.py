"""Compiles the optional C twins, where a C compiler and Python's headers are at hand.

Without them the installation succeeds all the same: every twin has its form in Python, behind the
same tests (`ottla.wire.records.twins` holds the switch).
"""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = Path("src/ottla")
SOURCES = (
    "broker/_request_counts.c",
    "wire/records/_block_writer.c",
    "wire/records/_blocks.c",
    "wire/records/_columns.c",
    "wire/records/_memory.c",
    "wire/records/_native.c",
    "wire/records/_rows.c",
)
SUFFIX = ".abi3.so"  # one build for every Python from 3.11 on


class NativeBuildHook(BuildHookInterface[Any]):
    """Adds the compiled modules to the wheel; an editable install gets them beside the sources."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before files are collected."""
        if self.target_name != "wheel":
            return
        for name in SOURCES:
            source = Path(self.root) / PACKAGE / name
            reason = compile_module(source, source.with_suffix(SUFFIX))
            if reason is not None:
                self.app.display_warning(f"the C twins are left out, {name}: {reason}")
                self._leave_out_all()
                return
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{_platform_tag()}"
        build_data["artifacts"].append(f"{PACKAGE}/**/*{SUFFIX}")

    def _leave_out_all(self) -> None:
        """All or none: a module of an earlier build must not stand beside newer Python."""
        for name in SOURCES:
            (Path(self.root) / PACKAGE / name).with_suffix(SUFFIX).unlink(missing_ok=True)


def compile_module(source: Path, compiled: Path) -> str | None:
    """Compile one extension module; None, or why it could not be done."""
    compiled.unlink(missing_ok=True)
    fresh = compiled.with_suffix(".new")  # whoever imports meanwhile sees none, or a whole one
    compiler = os.environ.get("CC", "cc")
    include = sysconfig.get_path("include")
    flags = ["-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror=implicit"]
    if sysconfig.get_platform().startswith("macosx"):
        flags += ["-undefined", "dynamic_lookup"]
    command = [compiler, *flags, f"-I{include}", str(source), "-o", str(fresh)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 # the user's own compiler
    except OSError as error:
        return f"no C compiler ({error})"
    if done.returncode:
        return done.stderr.strip().splitlines()[0] if done.stderr else "the compiler failed"
    fresh.replace(compiled)
    return None


def _platform_tag() -> str:
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
