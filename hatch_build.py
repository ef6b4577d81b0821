"""Compiles the optional C twins, where a C compiler and Python's headers are at hand.

Without them the installation succeeds all the same: every twin has its form in Python, behind the
same tests (`ottla.wire.records.native` says which one is in use).
"""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = Path("src/ottla/wire/records/_native.c")
SUFFIX = ".abi3.so"  # one build for every Python from 3.11 on


class NativeBuildHook(BuildHookInterface[Any]):
    """Adds the compiled module to the wheel; an editable install gets it beside its source."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before files are collected."""
        if self.target_name != "wheel":
            return
        source = Path(self.root) / SOURCE
        compiled = source.with_suffix(SUFFIX)
        reason = compile_module(source, compiled)
        if reason is not None:
            self.app.display_warning(f"the C twins are left out: {reason}")
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{_platform_tag()}"
        build_data["artifacts"].append(f"{SOURCE.parent}/*{SUFFIX}")


def compile_module(source: Path, compiled: Path) -> str | None:
    """Compile one extension module; None, or why it could not be done."""
    compiled.unlink(missing_ok=True)
    compiler = os.environ.get("CC", "cc")
    include = sysconfig.get_path("include")
    flags = ["-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror=implicit"]
    if sysconfig.get_platform().startswith("macosx"):
        flags += ["-undefined", "dynamic_lookup"]
    command = [compiler, *flags, f"-I{include}", str(source), "-o", str(compiled)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 # the user's own compiler
    except OSError as error:
        return f"no C compiler ({error})"
    if done.returncode:
        return done.stderr.strip().splitlines()[0] if done.stderr else "the compiler failed"
    return None


def _platform_tag() -> str:
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
