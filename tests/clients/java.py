"""Apache Kafka's own client: one JVM that is told by lines of JSON what to do."""

from __future__ import annotations

import json
import select
import subprocess
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any

from tests.clients.contract import (
    BEGINNING,
    PATIENCE_SECONDS,
    Client,
    Reader,
    Record,
    Start,
    Stored,
)
from tests.support.java import CLASS_PATH, ROOT

PROGRAM = ROOT / "tests" / "interop" / "java" / "RealClient.java"
# The jars' own logger says warnings and worse, on standard error.
JVM_OPTIONS = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-XX:+UseSerialGC")


class JavaClient(Client):
    """The process is started when it is first needed; the first answer waits for the compiler."""

    name = "java"

    def __init__(self) -> None:
        super().__init__()
        self._told = tempfile.TemporaryFile()  # noqa: SIM115 # closed in `close`
        self._process: subprocess.Popen[bytes] | None = None

    def produce(
        self,
        bootstrap: str,
        topic: str,
        records: Sequence[Record],
        *,
        codec: str = "none",
        acks: str = "all",
    ) -> None:
        told = [record._asdict() for record in records]
        for record in told:
            record["key"], record["value"] = _text(record["key"]), _text(record["value"])
            record["headers"] = [[name, _text(value)] for name, value in record["headers"]]
        self.ask("produce", bootstrap=bootstrap, topic=topic, codec=codec, acks=acks, records=told)

    def open_reader(
        self, bootstrap: str, topic: str, *, partitions: int = 1, start: Start = BEGINNING
    ) -> JavaReader:
        opened = self.ask(
            "open",
            bootstrap=bootstrap,
            topic=topic,
            partitions=partitions,
            place=start.place.value,
            number=start.number,
        )
        return JavaReader(self, opened["reader"])

    def ask(self, what: str, **details: Any) -> dict[str, Any]:
        """One order and its answer. Raises RuntimeError where Java raised."""
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"do": what, **details}).encode() + b"\n")
        process.stdin.flush()
        readable, _, _ = select.select([process.stdout], [], [], 2 * PATIENCE_SECONDS)
        line = process.stdout.readline() if readable else b""
        self._listen()
        if not line:
            raise RuntimeError(f"Java says nothing; its log: {self.complaints}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                ["java", *JVM_OPTIONS, "-cp", CLASS_PATH, str(PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._told,
            )
        return self._process

    def _listen(self) -> None:
        self._told.seek(0)
        self.complaints += self._told.read().decode(errors="replace").splitlines()
        self._told.seek(0)
        self._told.truncate()

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.communicate(timeout=PATIENCE_SECONDS)
        self._told.close()


class JavaReader(Reader):
    """A consumer inside the JVM."""

    def __init__(self, client: JavaClient, number: int) -> None:
        super().__init__()
        self._client = client
        self._number = number

    def poll(self, seconds: float) -> list[Stored]:
        timeout_ms = int(seconds * 1000)
        polled = self._client.ask("poll", reader=self._number, timeout_ms=timeout_ms)
        return [_stored(record) for record in polled["records"]]

    def close(self) -> None:
        self._client.ask("close", reader=self._number)


def _stored(record: dict[str, Any]) -> Stored:
    return Stored(
        partition=record["partition"],
        offset=record["offset"],
        timestamp_ms=record["timestamp_ms"],
        key=_bytes(record["key"]),
        value=_bytes(record["value"]),
        headers=tuple((name, _bytes(value)) for name, value in record["headers"]),
    )


def _text(value: bytes | None) -> str | None:
    return None if value is None else b64encode(value).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)
