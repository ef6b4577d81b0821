"""Apache Kafka's own tools, run in one JVM that stays: a tenth of a second each instead of two."""

from __future__ import annotations

import itertools
import json
import select
import subprocess
import tempfile
from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, Self

from tests.support.java import CLASS_PATH, ROOT

PROGRAM = ROOT / "tests" / "interop" / "java" / "ResidentTools.java"
# Clients' warnings are no part of a tool's output. The tools themselves log what ended them.
LOGGER = "-Dorg.slf4j.simpleLogger"
JVM_OPTIONS = (
    f"{LOGGER}.defaultLogLevel=off",
    f"{LOGGER}.log.org.apache.kafka.tools=error",
    f"{LOGGER}.log.kafka.admin=error",
    f"{LOGGER}.showThreadName=false",
    # What keeps a tool from ending the JVM. From Java 24 on there is none.
    "-Djava.security.manager=allow",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xmx256M",
)
RUN_SECONDS_MAX = 60.0
# A run that is late is ended as by a signal; its hooks take their time.
ENDING_SECONDS_MAX = 15.0

IN_TOOLS = "org.apache.kafka.tools."
TOOLS = {
    "kafka-acls": f"{IN_TOOLS}AclCommand",
    "kafka-broker-api-versions": f"{IN_TOOLS}BrokerApiVersionsCommand",
    "kafka-client-metrics": f"{IN_TOOLS}ClientMetricsCommand",
    "kafka-cluster": f"{IN_TOOLS}ClusterTool",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-console-consumer": f"{IN_TOOLS}consumer.ConsoleConsumer",
    "kafka-console-producer": f"{IN_TOOLS}ConsoleProducer",
    "kafka-consumer-groups": f"{IN_TOOLS}consumer.group.ConsumerGroupCommand",
    "kafka-consumer-perf-test": f"{IN_TOOLS}ConsumerPerformance",
    "kafka-delegation-tokens": f"{IN_TOOLS}DelegationTokenCommand",
    "kafka-delete-records": f"{IN_TOOLS}DeleteRecordsCommand",
    "kafka-dump-log": f"{IN_TOOLS}DumpLogSegments",
    "kafka-features": f"{IN_TOOLS}FeatureCommand",
    "kafka-get-offsets": f"{IN_TOOLS}GetOffsetShell",
    "kafka-groups": f"{IN_TOOLS}GroupsCommand",
    "kafka-leader-election": f"{IN_TOOLS}LeaderElectionCommand",
    "kafka-log-dirs": f"{IN_TOOLS}LogDirsCommand",
    "kafka-metadata-quorum": f"{IN_TOOLS}MetadataQuorumCommand",
    "kafka-producer-perf-test": f"{IN_TOOLS}ProducerPerformance",
    "kafka-reassign-partitions": f"{IN_TOOLS}reassign.ReassignPartitionsCommand",
    "kafka-topics": f"{IN_TOOLS}TopicCommand",
    "kafka-transactions": f"{IN_TOOLS}TransactionsCommand",
    "kafka-verifiable-consumer": f"{IN_TOOLS}VerifiableConsumer",
    "kafka-verifiable-producer": f"{IN_TOOLS}VerifiableProducer",
}


class ToolCall(NamedTuple):
    """A tool by the name of its script, without `.sh`, and what it is given."""

    name: str
    arguments: tuple[str, ...]
    input: str = ""
    seconds_max: float = RUN_SECONDS_MAX


class ToolRun(NamedTuple):
    """What a tool said, and its exit code."""

    out: str
    err: str
    code: int
    late: bool = False

    @property
    def text(self) -> str:
        """All it said."""
        return self.out + self.err


class JavaTools:
    """The JVM starts when it is first needed; the first run waits for the compiler."""

    def __init__(self) -> None:
        self._told = tempfile.TemporaryFile()  # noqa: SIM115 # closed in `close`
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count()
        self._calls: dict[int, ToolCall] = {}
        self._finished: dict[int, ToolRun] = {}

    def run(self, name: str, *arguments: str, typed: str = "") -> ToolRun:
        """One run. Raises RuntimeError where the JVM says nothing."""
        return self.finish(self.begin(ToolCall(name, arguments, typed)))

    def run_together(self, calls: Sequence[ToolCall]) -> list[ToolRun]:
        """All at the same time; the answers in the order of `calls`."""
        return [self.finish(number) for number in [self.begin(call) for call in calls]]

    def begin(self, call: ToolCall) -> int:
        """Start a run; the number is for `finish`."""
        process = self._running()
        assert process.stdin is not None
        number = next(self._numbers)
        process.stdin.write(json.dumps(_question(number, call)).encode() + b"\n")
        process.stdin.flush()
        self._calls[number] = call
        return number

    def stop(self, number: int) -> None:
        """Let a run end as by a signal, where it still runs; `finish` it all the same."""
        process = self._running()
        assert process.stdin is not None
        process.stdin.write(json.dumps({"stop": number}).encode() + b"\n")
        process.stdin.flush()

    def finish(self, number: int) -> ToolRun:
        """Wait for a run. Raises RuntimeError where the JVM says nothing."""
        patience_seconds = self._calls.pop(number).seconds_max + ENDING_SECONDS_MAX
        while number not in self._finished:
            self._read_one(patience_seconds)
        return self._finished.pop(number)

    def _read_one(self, seconds_max: float) -> None:
        process = self._running()
        assert process.stdout is not None
        # Unbuffered, so that a line that has come is never hidden from `select`.
        readable, _, _ = select.select([process.stdout], [], [], seconds_max)
        line = process.stdout.readline() if readable else b""
        if not line:
            self._told.seek(0)
            raise RuntimeError(f"Java says nothing; its log: {self._told.read()!r}")
        told = json.loads(line)
        found = ToolRun(told["out"], told["err"], told["code"], told["late"])
        self._finished[told["number"]] = found

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                ["java", *JVM_OPTIONS, "-cp", CLASS_PATH, str(PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._told,
                bufsize=0,
            )
        return self._process

    def close(self) -> None:
        """End the JVM. Closing twice is fine."""
        process, self._process = self._process, None
        if process is not None:
            # Threads of a tool that was late may still run.
            process.kill()
            process.communicate()
        self._told.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _question(number: int, call: ToolCall) -> dict[str, object]:
    return {
        "number": number,
        "tool": TOOLS[call.name],
        "arguments": list(call.arguments),
        "input": call.input,
        "milliseconds_max": int(call.seconds_max * 1000),
    }
