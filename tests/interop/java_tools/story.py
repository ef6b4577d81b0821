"""What a story is: command lines that are run one after another on every side, and compared."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.java_tools import RUN_SECONDS_MAX, ToolCall, ToolRun

SERVER: Final = "--bootstrap-server {server}"
REFUSED: Final = "! "
SUBCOMMAND_FIRST: Final = ("kafka-cluster",)
"""These take what to do before they take where."""
WITHOUT_SERVER: Final = ("kafka-dump-log",)
READING: Final = frozenset(
    (
        *("--describe", "--list", "--verify", "--time", "describe", "list"),
        *("describe-producers", "find-hanging", "cluster-id", "list-endpoints"),
    )
)


class Step(NamedTuple):
    """One command line, as it would be typed, without its server.

    `{server}` in it is the address, `{data}` the data directory, `{name}` the path of one of
    `files`, whose text may have these too. It begins with `! ` where Kafka refuses it.
    """

    tool: str
    line: str
    input: str = ""
    files: Mapping[str, str] = {}
    any_order: bool = False
    """Its lines may come in any order."""
    any_numbers: bool = False
    """Its numbers may be any: those of a measurement."""
    without: str | None = None
    """Lines that match this are left out."""
    in_own_words: bool = False
    """A script of ours says it in other words than Kafka's tool: only the exit code counts."""
    until: str | None = None
    """What Kafka's side has to have come to say, before the sides are compared."""
    seconds_max: float = RUN_SECONDS_MAX
    differs: str | None = None
    """Why our broker answers otherwise than Kafka's; then it has to."""

    @property
    def only_reads(self) -> bool:
        """Whether it may be run again until the answer is the one that is expected."""
        return bool(READING.intersection(self.line.split()))

    @property
    def is_refused(self) -> bool:
        """Whether it is told an error, or fails; as no other step does."""
        return self.line.startswith(REFUSED)

    @property
    def command(self) -> str:
        """The line without what it says about itself."""
        return self.line.removeprefix(REFUSED)

    def comparable(self, run: ToolRun) -> ToolRun:
        """What has to be alike on two sides."""
        lines = run.out.splitlines()
        if self.without is not None:
            lines = [line for line in lines if not re.search(self.without, line)]
        if self.any_order:
            lines = sorted(line.strip() for line in lines)
        if self.any_numbers:
            # With the spaces around them: columns are as wide as their numbers are long.
            lines = [re.sub(r" *\d+([.:]\d+)* *", " N ", line) for line in lines]
        return run._replace(out="\n".join(lines))


class Meanwhile(NamedTuple):
    """Steps while a tool of Java runs, which is stopped then; what it says is not compared."""

    running: Step
    steps: tuple[Step, ...]


Story = tuple[Step | Meanwhile, ...]


def steps(tool: str, *lines: str | Step) -> tuple[Step, ...]:
    """Command lines of one tool, among which others may stand."""
    return tuple(line if isinstance(line, Step) else Step(tool, line) for line in lines)


class Side(NamedTuple):
    """A broker, as the command lines and the answers call it."""

    name: str
    server: str
    data: str
    folder: Path
    """Where the files of the steps are written."""

    def call(self, step: Step) -> ToolCall:
        """The step as it is run here."""
        words = {"server": self.server, "data": self.data}
        for name, text in step.files.items():
            path = self.folder / name
            path.write_text(_filled(text, words))
            words[name] = str(path)
        line = _filled(_with_server(step), words)
        return ToolCall(step.tool, tuple(shlex.split(line)), step.input, step.seconds_max)

    def plain(self, run: ToolRun) -> ToolRun:
        """What was said without what has to differ between two brokers and two moments."""
        return run._replace(out=self._plain(run.out), err=self._plain(run.err))

    def _plain(self, text: str) -> str:
        port = self.server.rpartition(":")[2]
        mine = {self.server: "SERVER", str(self.folder): "FOLDER", self.data: "DATA"}
        for place, anybodys in mine.items():
            text = text.replace(place, anybodys)
        text = re.sub(rf"\b{port}\b", "PORT", text)
        for pattern, anybodys in _OF_THE_MOMENT:
            text = pattern.sub(anybodys, text)
        # By the order of Java's hash table.
        return re.sub(r"(?<=\tConfigs: )\S+", lambda found: _sorted(found[0]), text)


def _sorted(words: str) -> str:
    return ",".join(sorted(words.split(",")))


_OF_THE_MOMENT: Final = (
    # Where in Java's code it happened.
    (re.compile(r"^\s+(at .*|\.\.\. \d+ more|\[CIRCULAR.*)$\n?", re.MULTILINE), ""),
    # What a broker says of an error is in its own words; the tools log which class it was.
    (re.compile(r"\b(\w+(?:Exception|Error)): .*"), r"\1: …"),
    (re.compile(r"^(Error while executing [\w ]+ ?:) .*", re.MULTILINE), r"\1 …"),
    (re.compile(r"^((?:Could not|Can not) \w+ [\w.]+ to \d+\.) .*", re.MULTILINE), r"\1 …"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "UUID"),
    (re.compile(r"(I[dD]: *)[\w-]{22}\b"), r"\1ID"),
    (
        # A random UUID in base 64: its version, its variant and its length have their places.
        re.compile(r"(?<![\w.-])[\w-]{8}[QRST][\w-][CGKOSWaeimquy26-][\w-]{10}[AQgw](?![\w(-])"),
        "ID",
    ),
    (re.compile(r"\b(adminclient|consumer|producer)-\d+\b"), r"\1-N"),
    (re.compile(r"\b1[6-9]\d{11}\b"), "TIME"),
)


def _with_server(step: Step) -> str:
    if step.tool in WITHOUT_SERVER or "{server}" in step.command or "--version" in step.command:
        return step.command
    if step.tool in SUBCOMMAND_FIRST:
        return f"{step.command} {SERVER}"
    return f"{SERVER} {step.command}"


def _filled(text: str, words: Mapping[str, str]) -> str:
    """JSON has braces of its own, so only the words that are known are replaced."""
    for name, value in words.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def named(stories: Iterable[Mapping[str, Story]]) -> dict[str, Story]:
    """All of several modules, each under a name of its own."""
    found: dict[str, Story] = {}
    for more in stories:
        assert not found.keys() & more.keys()
        found |= more
    return found
