"""Members of one group, each a process of its own, and the records they read."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from confluent_kafka import Producer

from tests.clients.java import JVM_OPTIONS
from tests.interop import group_java
from tests.interop.group_ledger import Ledger, Told
from tests.interop.group_logs import complaints
from tests.support.broker_process import BrokerProcess
from tests.support.java import CLASS_PATH, ROOT
from tests.support.waiting import wait_until

TOPIC = "numbers"
PARTITIONS = 60
SESSION_MS = 5000
HEARTBEAT_MS = 300
PATIENCE_SECONDS = 60.0
ROUND_SECONDS = 0.1
JAVA_OPTIONS = ("-XX:TieredStopAtLevel=1", "-Xmx96m", "-Xshare:auto")


@dataclass(frozen=True, slots=True)
class Kind:
    """A client library, and what it is told of groups."""

    library: str
    protocol: str = "classic"
    strategy: str = "range"

    def __str__(self) -> str:
        return f"{self.library}-{self.strategy if self.protocol == 'classic' else self.protocol}"


LIBRDKAFKA = Kind("librdkafka")
LIBRDKAFKA_COOPERATIVE = Kind("librdkafka", strategy="cooperative-sticky")
LIBRDKAFKA_CONSUMER = Kind("librdkafka", "consumer")
KAFKA_PYTHON = Kind("kafka-python")
KAFKA_PYTHON_COOPERATIVE = Kind("kafka-python", strategy="cooperative-sticky")
AIOKAFKA = Kind("aiokafka")
JAVA = Kind("java")
JAVA_COOPERATIVE = Kind("java", strategy="cooperative-sticky")
JAVA_CONSUMER = Kind("java", "consumer")


class Member:
    """A process, what it has told so far, and what it owns by its own words."""

    def __init__(self, kind: Kind, settings: Mapping[str, Any], folder: Path) -> None:
        self.name: str = settings["name"]
        self.kind = kind
        self.instance: str | None = settings["instance"]
        self.owned: set[int] = set()
        self.is_closed = False
        self.was_paused = False
        self.saw_broker_die = False
        self._told: list[Told] = []
        self._log = folder / f"{self.name}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command(settings),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
            )
        self._reader = threading.Thread(target=self._listen)
        self._reader.start()

    def _command(self, settings: Mapping[str, Any]) -> list[str]:
        if self.kind.library != "java":
            return [sys.executable, "-m", "tests.interop.group_member", json.dumps(settings)]
        words = [f"{name}={value}" for name, value in settings.items() if value is not None]
        path = f"{group_java.classes()}:{CLASS_PATH}"
        return ["java", *JVM_OPTIONS, *JAVA_OPTIONS, "-cp", path, "GroupClient", *words]

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    return  # it was killed in the middle of a word
                facts = json.loads(line)
                told = Told(at=facts.pop("at"), member=self.name, did=facts.pop("did"), facts=facts)
                self._told.append(told)
                self._follow(told)

    def _follow(self, told: Told) -> None:
        if told.did == "assigned":
            self.owned = self.owned | set(told.facts["partitions"])
        elif told.did in {"revoked", "lost"}:
            self.owned = self.owned - set(told.facts["partitions"])
        elif told.did == "closed":
            self.is_closed = True

    # -- what is done to it ----------------------------------------------------------------------

    def tell_to_leave(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def await_end(self) -> None:
        """Wait until it has left."""
        assert self._process.wait(PATIENCE_SECONDS) == 0, self.log()
        self._reader.join(PATIENCE_SECONDS)
        assert self.is_closed

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join(PATIENCE_SECONDS)
        self.owned = set()
        self._was("killed")

    def pause(self) -> None:
        self.was_paused = True
        self._process.send_signal(signal.SIGSTOP)
        wait_until(self._is_stopped, f"{self.name} stands still")
        self._was("paused")

    def _is_stopped(self) -> bool:
        state = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state == "T"

    def resume(self) -> None:
        self._was("resumed")
        self._process.send_signal(signal.SIGCONT)

    def _was(self, what: str) -> None:
        self._told.append(Told(at=time.monotonic(), member=self.name, did=what))

    def end(self) -> None:
        """Leave no process behind, whatever state it is in."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._reader.join(PATIENCE_SECONDS)
        assert self._process.stdin is not None
        self._process.stdin.close()

    # -- what it says ----------------------------------------------------------------------------

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def told(self) -> list[Told]:
        return list(self._told)

    def did(self, what: str, *, since: float = 0.0) -> list[Told]:
        return [each for each in self.told() if each.did == what and each.at >= since]

    def is_back(self, *, since: float) -> bool:
        """Whether it gave up all it had and was assigned partitions anew."""
        gave_up = self.did("revoked" if self.kind.library == "aiokafka" else "lost", since=since)
        again = self.did("assigned", since=gave_up[0].at) if gave_up else []
        return any(each.facts["partitions"] for each in again)

    @property
    def member_id(self) -> str:
        """By what the broker knows it."""
        return str(self.did("assigned")[-1].facts["member_id"])

    @property
    def generation(self) -> int:
        """Of its last assignment."""
        return int(self.did("assigned")[-1].facts["generation"])

    @property
    def error(self) -> str | None:
        """What ended it."""
        failed = self.did("failed")
        return failed[0].facts["error"] if failed else None


class Crowd:
    """All members of a group that a test has ever had; use it in a `with` statement."""

    def __init__(self, bootstrap: str, folder: Path, *, group: str = "g") -> None:
        self._bootstrap, self._folder, self.group = bootstrap, folder, group
        self.session_ms = SESSION_MS
        """Of the members that are started from now on."""
        self.everybody: list[Member] = []
        self.active: list[Member] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.everybody:
            member.end()

    def start(self, kind: Kind, count: int = 1, *, instance: str | None = None) -> list[Member]:
        """More members. With a static member's name, one."""
        new = [self._member(kind, instance) for _ in range(count)]
        self.active += new
        return new

    def _member(self, kind: Kind, instance: str | None) -> Member:
        settings = {
            "name": f"{self.group}-{len(self.everybody)}-{kind}",
            "library": kind.library,
            "protocol": kind.protocol,
            "strategy": kind.strategy,
            "bootstrap": self._bootstrap,
            "group": self.group,
            "topic": TOPIC,
            "partitions": PARTITIONS,
            "session_ms": self.session_ms,
            "heartbeat_ms": HEARTBEAT_MS,
            "instance": instance,
        }
        member = Member(kind, settings, self._folder)
        self.everybody.append(member)
        return member

    def leave(self, members: Sequence[Member]) -> None:
        """They leave all at once, in order."""
        for member in list(members):
            self.active.remove(member)
            member.tell_to_leave()
        for member in members:
            member.await_end()

    def kill(self, members: Sequence[Member]) -> None:
        for member in list(members):
            self.active.remove(member)
            member.kill()

    def pause(self, members: Sequence[Member]) -> None:
        """Others take over what they have: they count no more until they are resumed."""
        for member in list(members):
            self.active.remove(member)
            member.pause()

    def resume(self, members: Iterable[Member]) -> None:
        """They find that they are out, give up what they had, and come back."""
        for member in members:
            before, now = member.member_id, time.monotonic()
            member.resume()
            wait_until(
                lambda m=member, n=now: m.is_back(since=n),  # type: ignore[misc]  # bound at once
                f"{member.name} comes back",
                seconds=PATIENCE_SECONDS,
            )
            # In the consumer protocol a client keeps its id for life.
            assert (member.member_id == before) == (member.kind.protocol == "consumer")
            self.active.append(member)

    def share_all(self) -> bool:
        """Whether every partition has one owner, and everybody owns as much as the others.

        On the way there everybody may own some already, and nothing be left.
        """
        owned = [member.owned for member in self.active]
        sizes = sorted(len(each) for each in owned)
        is_even = sizes[0] > 0 and sizes[-1] - sizes[0] <= 1
        return is_even and sorted(p for each in owned for p in each) == [*range(PARTITIONS)]

    def wait_shared(self, what: str) -> None:
        try:
            wait_until(self.share_all, what, seconds=PATIENCE_SECONDS)
        except TimeoutError as error:
            owners = {member.name: sorted(member.owned) for member in self.active}
            logs = "\n".join(member.log()[-500:] for member in self.active)
            raise TimeoutError(f"{error}; {owners}\n{logs}") from error

    def wait_read(self, produced: Mapping[int, int]) -> None:
        """Until everything has been read."""
        wait_until(lambda: self._read_until() == produced, "all is read", seconds=PATIENCE_SECONDS)

    def _read_until(self) -> dict[int, int]:
        found: dict[int, int] = {}
        for told in self._all("read"):
            for partition, _, next_offset in told.facts["ranges"]:
                found[partition] = max(found.get(partition, 0), next_offset)
        return found

    def committed(self) -> dict[int, int]:
        """How far the members have committed."""
        found: dict[int, int] = {}
        for told in self._all("committed"):
            for partition, offset in told.facts["offsets"].items():
                found[int(partition)] = max(found.get(int(partition), 0), offset)
        return found

    def _all(self, what: str) -> Iterator[Told]:
        for member in self.everybody:
            yield from member.did(what)

    def ledger(self) -> Ledger:
        told = [each for member in self.everybody for each in member.told()]
        return Ledger(told, {each.name: each.instance for each in self.everybody if each.instance})

    def kill_and_start(self, broker: BrokerProcess) -> None:
        """Their broker dies under them, and comes back at once."""
        for member in self.active:
            member.saw_broker_die = True
        broker.kill()
        broker.start()

    def check(self, produced: Mapping[int, int], *, fenced: str = "") -> None:
        """Nobody owned what another one did, all was read, nobody complained."""
        violations = self.ledger().violations(produced, fenced=fenced)
        assert not violations, "\n".join(violations[:20])
        found = [
            f"{member.name}: {line}"
            for member in self.everybody
            if member.name != fenced
            for line in complaints(
                member.kind.library,
                member.log(),
                broker_died=member.saw_broker_die,
                was_paused=member.was_paused,
            )
        ]
        assert not found, "\n".join(found[:20])


class Numbers:
    """Writes numbers round by round, one to each partition, until it is left.

    The n-th record of partition p is n * PARTITIONS + p.
    """

    def __init__(self, bootstrap: str) -> None:
        # Idempotent: a broker that dies under it must not make it write a number twice.
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "linger.ms": 5,
                "log_level": 0,
                "reconnect.backoff.max.ms": 100,
            }
        )
        self.rounds = 0
        self._failed: list[str] = []
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join(PATIENCE_SECONDS)

    def end(self) -> dict[int, int]:
        """Stop; how many records each partition has."""
        self._ends.set()
        self._thread.join(PATIENCE_SECONDS)
        assert self._producer.flush(PATIENCE_SECONDS) == 0
        assert not self._failed, self._failed
        return dict.fromkeys(range(PARTITIONS), self.rounds)

    def _run(self) -> None:
        while not self._ends.wait(ROUND_SECONDS):
            for partition in range(PARTITIONS):
                value = b"%d" % (self.rounds * PARTITIONS + partition)
                self._producer.produce(
                    TOPIC, value, partition=partition, on_delivery=self._delivered
                )
            self.rounds += 1
            self._producer.poll(0)

    def _delivered(self, error: Any, _message: Any) -> None:
        if error is not None:
            self._failed.append(str(error))
