"""Runs stories on three brokers at the same time, and compares what the tools say there.

Kafka's broker asked by Java's tools is what is right. Ours asked by Java's tools says the same
where our broker answers as Kafka's does; another one asked by our scripts, where these talk so.
"""

from __future__ import annotations

import contextlib
import difflib
import re
import time
from collections.abc import Iterator
from typing import NamedTuple

from tests.interop.java_tools.story import Meanwhile, Side, Step, Story
from tests.support.java_tools import JavaTools, ToolRun
from tests.support.our_scripts import run_script

# Kafka's broker follows its controller a moment later, and so may tell what was before.
FOLLOW_SECONDS_MAX = 15.0
FOLLOW_PAUSE_SECONDS = 0.05
# Where a command line is wrong, Kafka's tools show all their options.
ERROR_LINES_MAX = 8


class Runs(NamedTuple):
    """What one step said on each side, without what has to differ."""

    kafka: ToolRun
    ours: ToolRun
    script: ToolRun


class Comparison:
    """Three brokers. `scripts` are the tools for which ours are asked, on the third one."""

    def __init__(
        self, tools: JavaTools, *, kafka: Side, ours: Side, script: Side, scripts: frozenset[str]
    ) -> None:
        self._tools = tools
        self._kafka, self._ours, self._script = kafka, ours, script
        self._sides = kafka, ours, script
        self._scripts = scripts

    def differences(self, story: Story) -> list[str]:
        """What was said differently, step by step; empty where all is alike."""
        found: list[str] = []
        for part in story:
            with self._running(part):
                for step in [part] if isinstance(part, Step) else part.steps:
                    found += self._differences(step)
        return found

    @contextlib.contextmanager
    def _running(self, part: Step | Meanwhile) -> Iterator[None]:
        """On all sides, where anything runs meanwhile."""
        if isinstance(part, Step):
            yield
            return
        runs = [self._tools.begin(side.call(part.running)) for side in self._sides]
        yield
        for run in runs:
            self._tools.stop(run)
        for run in runs:
            self._tools.finish(run)

    def _differences(self, step: Step) -> list[str]:
        found = self._compare(step, self.run(step))
        deadline = time.monotonic() + FOLLOW_SECONDS_MAX
        while found and step.only_reads and time.monotonic() < deadline:
            time.sleep(FOLLOW_PAUSE_SECONDS)
            found = self._compare(step, self.run(step))
        return found

    def run(self, step: Step) -> Runs:
        """On every side at the same time."""
        kafka, ours = (self._tools.begin(side.call(step)) for side in (self._kafka, self._ours))
        third = self._run_third(step)
        return Runs(
            self._kafka.plain(self._tools.finish(kafka)),
            self._ours.plain(self._tools.finish(ours)),
            self._script.plain(third),
        )

    def _run_third(self, step: Step) -> ToolRun:
        call = self._script.call(step)
        if step.tool in self._scripts:
            return run_script(call)
        return self._tools.finish(self._tools.begin(call))

    def _compare(self, step: Step, runs: Runs) -> list[str]:
        kafka, ours, script = map(step.comparable, runs)
        found = []
        if step.until is not None and not re.search(step.until, kafka.out):
            return [f"{_head(step)}\n  Kafka does not say {step.until!r}: {kafka.out}{kafka.err}"]
        if step.is_refused is not _is_refused(runs.kafka):
            found.append(_told(step, kafka, kafka, "and it was to be the other way round"))
        if step.differs is not None:
            if kafka == ours:
                found.append(f"{_head(step)}\n  is alike now, and was not: {step.differs}")
            kafka = ours
        elif kafka != ours:
            found.append(_told(step, kafka, ours, "our broker"))
        if step.tool in self._scripts and _by_script(step, kafka) != _by_script(step, script):
            found.append(_told(step, kafka, script, "our script"))
        return found


def _by_script(step: Step, run: ToolRun) -> tuple[object, ...]:
    """Scripts talk to programs as Kafka's do, and to people in their own words."""
    if step.is_refused or step.in_own_words:
        # A program may look whether anything was printed for it.
        return run.code, bool(run.out.strip()), bool(run.text)
    return run.code, [line.rstrip() for line in run.out.splitlines()]


def _is_refused(run: ToolRun) -> bool:
    """Some tools tell an error and go on, or end as if nothing had been."""
    return bool(run.code) or re.search(r"\bError\b|Exception\b|ERROR|error: ", run.text) is not None


def _told(step: Step, expected: ToolRun, found: ToolRun, name: str) -> str:
    """A step and how its runs differ, for people."""
    lines = difflib.unified_diff(_lines(expected), _lines(found), "Kafka", name, lineterm="", n=3)
    return "\n  ".join([_head(step), *lines])


def _head(step: Step) -> str:
    return f"{step.tool} {step.line}"


def _lines(run: ToolRun) -> list[str]:
    ending = "was ended, late" if run.late else f"exit code {run.code}"
    errors = [f"! {line}" for line in run.err.splitlines()[:ERROR_LINES_MAX]]
    return [*run.out.splitlines(), *errors, ending]
