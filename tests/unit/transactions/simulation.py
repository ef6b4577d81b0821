"""A coordinator, partitions and clients under one seed: requests come late, twice or never, brokers
crash between any two steps, appends fail.

The logs are real, on a disk in memory. Partition `OFFSETS` stands for `__consumer_offsets`: what
is written to it is not in sequence, and checked by the coordinator's state alone.
"""

from __future__ import annotations

import errno
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import Offset, TopicPartition, Uuid
from ottla.broker.transaction_markers import Marker
from ottla.log.config import LogConfig
from ottla.log.errors import DuplicateBatchError, StorageError
from ottla.log.partition_log import PartitionLog
from ottla.log.producers import Verification
from ottla.transactions.ending import Ending
from ottla.transactions.initialising import Takeover
from ottla.transactions.partitions import Writing
from ottla.transactions.shard import Answer
from ottla.transactions.transaction import TransactionEnd
from ottla.wire.records.batch import build_batch, read_header
from ottla.wire.records.control import ControlType, control_type
from ottla.wire.records.record import Record, iter_records
from tests.support.watched_disk import WatchedDisk
from tests.unit.log.support import all_batches
from tests.unit.transactions.support import ID, NOW_MS, TIMEOUT_MS, Coordinator, Producer

PARTITIONS = 3
OFFSETS = PARTITIONS
EVERYWHERE = range(PARTITIONS + 1)
CONFIG = LogConfig(segment_bytes=700)
OPEN = Verification()
RETRIED = (
    ErrorCode.CONCURRENT_TRANSACTIONS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.KAFKA_STORAGE_ERROR,
)

Action = Callable[[], None]


class Request(NamedTuple):
    """What a client sends: `number` tells an answer to an older question from one to this."""

    client: Client
    number: int
    kind: str
    producer: Producer
    partition: int = -1
    sequence: int = -1
    value: bytes = b""
    commit: bool = False


class Client:
    """One instance of the producer with the transactional id; it waits for one answer at a time."""

    def __init__(self, world: World, name: int) -> None:
        self.world = world
        self.name = name
        self.producer: Producer = (-1, -1)
        self.state = "new"
        self.asked: Request | None = None
        self.token = 0
        self.wants_commit = False
        self.is_last = False
        self.added: set[int] = set()
        self.sequences: dict[int, int] = defaultdict(int)
        self.requests = 0

    def act(self) -> None:
        """Take the next step, or send again what was not answered."""
        if self.asked is not None:
            choice = self.world.rng.random()
            if choice < 0.2:
                self.world.network.append(self.asked)
            elif choice < 0.3 and self.asked.kind == "produce":
                self.give_up()
        elif self.state == "new":
            self.ask("init", resumed=False)
        elif self.state == "ready":
            self.begin()
        elif self.state == "open":
            self.go_on()

    def begin(self) -> None:
        self.world.tokens += 1
        self.token = self.world.tokens
        self.added.clear()
        self.state = "open"

    def go_on(self) -> None:
        choice = self.world.rng.random()
        if choice < 0.3 or not self.added:
            self.write(self.world.rng.choice(EVERYWHERE))
        elif choice < 0.7:
            self.write(self.world.rng.choice(sorted(self.added)))
        else:
            self.wants_commit = choice < 0.9
            self.end()

    def give_up(self) -> None:
        """Abort although a write may still be on its way.

        Before version 2 nobody could tell it from one of the next transaction: so there is none.
        """
        self.is_last = self.world.version < 2
        self.wants_commit = False
        self.end()

    def write(self, partition: int) -> None:
        if self.world.version < 2 and partition not in self.added:
            self.ask("add", partition=partition)
            return
        self.added.add(partition)
        sequence = self.sequences[partition]
        value = b"%d/%d/%d" % (self.token, partition, self.requests)
        self.ask("produce", partition=partition, sequence=sequence, value=value)

    def end(self) -> None:
        self.state = "ending"
        self.ask("end", commit=self.wants_commit)

    def ask(
        self,
        kind: str,
        *,
        resumed: bool = True,
        partition: int = -1,
        sequence: int = -1,
        value: bytes = b"",
        commit: bool = False,
    ) -> None:
        self.requests += 1
        producer = self.producer if resumed else (-1, -1)
        self.asked = Request(
            self, self.requests, kind, producer, partition, sequence, value, commit
        )
        self.world.network.append(self.asked)

    # -- answers ---------------------------------------------------------------------------------

    def answered(self, request: Request, error: ErrorCode, producer: Producer) -> None:
        if self.asked is not request or self.state == "dead" or error in RETRIED:
            return
        self.asked = None
        if error is ErrorCode.NONE:
            self.succeeded(request, producer)
        elif request.kind in ("produce", "add") and error in (
            ErrorCode.TRANSACTION_ABORTABLE,
            ErrorCode.INVALID_TXN_STATE,
        ):
            self.wants_commit = False
            self.end()
        else:
            self.state = "dead"

    def succeeded(self, request: Request, producer: Producer) -> None:
        match request.kind:
            case "init":
                self.become(producer)
                self.state = "ready"
            case "add":
                self.added.add(request.partition)
            case "produce":
                self.sequences[request.partition] += 1
            case "end":
                outcome = self.world.committed if request.commit else self.world.aborted
                outcome.add(self.token)
                if self.world.version == 2:
                    self.become(producer)
                self.state = "dead" if self.is_last else "ready"

    def become(self, producer: Producer) -> None:
        if producer != self.producer:
            self.sequences.clear()
        self.producer = producer


class World:
    """One broker with all of it."""

    def __init__(self, seed: int, version: int) -> None:
        self.rng = random.Random(seed)
        self.version = version
        self.coordinator = Coordinator(version)
        self.coordinator_epoch = 0
        self.disk = WatchedDisk()
        self.logs = [self._created(index) for index in EVERYWHERE]
        self.stable: list[int] = [0 for _ in EVERYWHERE]
        self.network: list[Request] = []
        self.later: list[Action] = []
        self.ends: dict[TransactionEnd, set[TopicPartition]] = {}
        self.clients: list[Client] = []
        self.tokens = 0
        self.committed: set[int] = set()
        self.aborted: set[int] = set()
        self.accepted: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
        self.commit_wanted: set[int] = set()
        self.appends_fail = False

    def _created(self, index: int) -> PartitionLog:
        topic_id = Uuid(bytes(15) + bytes([index + 1]))
        self.disk.make_dir("data")
        return PartitionLog.create(f"data/orders-{index}", topic_id, CONFIG, disk=self.disk)

    # -- the schedule ----------------------------------------------------------------------------

    def step(self) -> None:
        action = self.rng.choices(
            (
                self.client_acts,
                self.deliver,
                self.do_later,
                self.finish_some,
                self.replace_client,
                self.let_time_pass,
                self.crash,
                self.refuse_the_next_append,
                self.forget_nothing_in_use,
            ),
            (40, 60, 40, 30, 1, 1, 1, 1, 1),
        )[0]
        action()
        self.check_stable_offsets()

    def client_acts(self) -> None:
        if not self.clients:
            self.replace_client()
        is_newest = self.rng.random() < 0.9
        self.clients[-1 if is_newest else max(-2, -len(self.clients))].act()

    def replace_client(self) -> None:
        """A new instance; the one before may not know of it."""
        self.clients.append(Client(self, len(self.clients)))

    def deliver(self) -> None:
        if not self.network:
            return
        is_next = self.rng.random() < 0.6
        index = 0 if is_next else self.rng.randrange(len(self.network))
        request = self.network[index]
        if self.rng.random() < 0.8:
            del self.network[index]  # otherwise it comes once more
        self.serve(request)

    def do_later(self) -> None:
        if self.later:
            self.later.pop(self.rng.randrange(len(self.later)))()

    def let_time_pass(self) -> None:
        self.coordinator.now_ms += self.rng.choice((1, TIMEOUT_MS // 4, TIMEOUT_MS + 1))
        with_ends = self.decided(self.coordinator.abort_timed_out)
        for ended in with_ends or ():  # type: ignore[attr-defined]  # the answer of this command
            self.ends.setdefault(ended, set(ended.partitions))

    def crash(self) -> None:
        """Kill the broker: what is in the logs stays, what was under way is gone."""
        self.later.clear()
        self.network = [asked for asked in self.network if self.rng.random() < 0.5]
        for index in EVERYWHERE:
            self.logs[index].abandon()
            recovery_point = self.logs[index].recovery_point if self.rng.random() < 0.5 else 0
            self.logs[index] = PartitionLog.open(
                f"data/orders-{index}",
                CONFIG,
                disk=self.disk,
                clean=False,
                recovery_point=Offset(recovery_point),
            )
            if self.rng.random() < 0.5:
                self.logs[index].flush()
        self.coordinator_epoch += 1
        self.read_again()

    def read_again(self) -> None:
        self.coordinator.reload()
        self.ends = {ended: set(ended.partitions) for ended in self.coordinator.unfinished()}

    def refuse_the_next_append(self) -> None:
        self.appends_fail = True

    def forget_nothing_in_use(self) -> None:
        self.coordinator.ask(self.coordinator.shard.forget_expired)

    # -- serving ---------------------------------------------------------------------------------

    def decided(self, command: Callable[[], object]) -> object | None:
        """What a command answers, or None where its append failed: then the shard is read again."""
        records = len(self.coordinator.log)
        answer = command()
        if len(self.coordinator.log) == records or not self.appends_fail:
            return answer
        self.appends_fail = False
        del self.coordinator.log[records:]
        self.read_again()
        return None

    def serve(self, request: Request) -> None:
        match request.kind:
            case "init":
                wanted = Takeover(ID, TIMEOUT_MS, *request.producer)
                shard = self.coordinator.shard
                self.answer_with(
                    request, lambda: self.coordinator.with_producer_id(shard.initialise, wanted)
                )
            case "end":
                asked = Ending(ID, *request.producer, request.commit, self.version)
                if request.commit:
                    self.commit_wanted.add(request.client.token)
                shard = self.coordinator.shard
                self.answer_with(
                    request, lambda: self.coordinator.with_producer_id(shard.end, asked)
                )
            case "add":
                error = self.add(request)
                self.tell(request, error)
            case "produce":
                self.produce(request)

    def answer_with(self, request: Request, command: Callable[[], Answer]) -> None:
        answer = self.decided(command)
        if not isinstance(answer, Answer):
            self.tell(request, ErrorCode.COORDINATOR_NOT_AVAILABLE)
            return
        if answer.end is not None:
            self.ends.setdefault(answer.end, set(answer.end.partitions))
        self.tell(request, answer.error, (answer.producer_id, answer.producer_epoch))

    def tell(self, request: Request, error: ErrorCode, producer: Producer = (-1, -1)) -> None:
        if self.rng.random() < 0.9:  # or the answer is lost
            request.client.answered(request, error, producer)

    def add(self, request: Request) -> ErrorCode:
        command = self.coordinator.shard.add_partitions
        answer = self.decided(
            lambda: self.coordinator.ask(command, self.writing(request), self.version)
        )
        return answer.error if isinstance(answer, Answer) else ErrorCode.COORDINATOR_NOT_AVAILABLE

    def verify(self, request: Request) -> ErrorCode:
        found = self.coordinator.ask(
            self.coordinator.shard.verify_partitions, self.writing(request)
        )
        assert isinstance(found, dict)
        (error,) = found.values()
        assert isinstance(error, ErrorCode)
        return error

    @staticmethod
    def writing(request: Request) -> Writing:
        return Writing(
            ID, *request.producer, frozenset({TopicPartition("orders", request.partition)})
        )

    # -- producing, as broker/transactional_produce.py does it ------------------------------------

    def produce(self, request: Request) -> None:
        states = self.logs[request.partition].producers.states
        if request.partition == OFFSETS:
            error = self.add(request) if self.version == 2 else self.verify(request)
            self.later.append(lambda: self.commit_offsets(request, error))
        elif states.is_in_transaction(*request.producer):
            self.append(request, OPEN)
        else:
            verification = Verification(begins_epoch=self.version == 2)
            states.begin_verification(request.producer[0], verification)
            error = self.add(request) if self.version == 2 else self.verify(request)
            self.later.append(lambda: self.append_verified(request, verification, error))

    def append_verified(
        self, request: Request, verification: Verification, error: ErrorCode
    ) -> None:
        if error:
            self.tell(request, error)
        else:
            self.append(request, verification)
        states = self.logs[request.partition].producers.states
        states.end_verification(request.producer[0], verification)

    def append(self, request: Request, verification: Verification) -> None:
        log = self.logs[request.partition]
        batch = memoryview(self.batch(request))
        try:
            log.stage(batch, read_header(batch), self.coordinator_epoch, NOW_MS, verification)
            self.fail_if_asked()
            log.commit()
        except DuplicateBatchError:
            self.tell(request, ErrorCode.NONE)
        except ProtocolError as refused:
            self.tell(request, refused.code)
        else:
            self.note_accepted(request)
            self.tell(request, ErrorCode.NONE)
        finally:
            self.disk.heal()

    def fail_if_asked(self) -> None:
        if self.appends_fail:
            self.appends_fail = False
            self.disk.fail("append", ".log", errno.ENOSPC)

    def commit_offsets(self, request: Request, error: ErrorCode) -> None:
        shard = self.coordinator.shard
        if not error and not shard.is_member(self.writing(request)):
            error = ErrorCode.INVALID_TXN_STATE
        if not error:
            batch = self.batch(request, in_sequence=False)
            log = self.logs[OFFSETS]
            log.append(batch, leader_epoch=self.coordinator_epoch, now_ms=NOW_MS)
            self.note_accepted(request)
        self.tell(request, error)

    def batch(self, request: Request, *, in_sequence: bool = True) -> bytearray:
        producer_id, epoch = request.producer
        return build_batch(
            [Record(timestamp=NOW_MS, key=None, value=request.value)],
            producer_id=producer_id,
            producer_epoch=epoch,
            base_sequence=request.sequence if in_sequence else -1,
            transactional=True,
        )

    def note_accepted(self, request: Request) -> None:
        token = int(request.value.split(b"/")[0])
        self.accepted[token].append((request.partition, request.value))

    # -- finishing, as broker/transaction_coordinator.py does it ----------------------------------

    def finish_some(self) -> None:
        """One step of one end: the marker of one partition, or the record that it is complete."""
        if not self.ends:
            return
        ended = self.rng.choice(list(self.ends))
        missing = self.ends[ended]
        if not self.coordinator.shard.is_under_way(ended):
            del self.ends[ended]
        elif missing:
            where = self.rng.choice(sorted(missing))
            if self.write_marker(ended, where.partition):
                missing.discard(where)
        else:
            del self.ends[ended]
            answer = self.decided(lambda: self.coordinator.complete(ended))
            assert answer is None or isinstance(answer, Answer)
            if answer is not None:
                assert answer.error is ErrorCode.NONE
                self.check_markers(ended)

    def write_marker(self, ended: TransactionEnd, partition: int) -> bool:
        log = self.logs[partition]
        marker = Marker(
            ended.producer_id,
            ended.producer_epoch,
            ended.is_committed,
            self.coordinator_epoch,
            ended.transaction_version,
        )
        if log.producers.states.needs_marker(
            marker.producer_id,
            marker.producer_epoch,
            coordinator_epoch=marker.coordinator_epoch,
            begins_epoch=marker.begins_epoch,
        ):
            self.fail_if_asked()
            try:
                log.append(
                    marker.encoded(NOW_MS), leader_epoch=self.coordinator_epoch, now_ms=NOW_MS
                )
            except StorageError:
                return False
            finally:
                self.disk.heal()
        return True

    # -- what must hold --------------------------------------------------------------------------

    def check_stable_offsets(self) -> None:
        for index, log in enumerate(self.logs):
            stable = log.last_stable_offset(log.log_end_offset)
            assert stable >= self.stable[index], "a last stable offset went back"
            self.stable[index] = stable

    def check_markers(self, ended: TransactionEnd) -> None:
        for where in ended.partitions:
            assert any(
                header.is_control
                and (header.producer_id, header.producer_epoch)
                == (ended.producer_id, ended.producer_epoch)
                for header, _ in all_batches(self.logs[where.partition])
            ), f"{where} was not told how a transaction ended"

    def settle(self) -> None:
        """Everything comes to its end: no client acts any more, and what is open times out."""
        for _ in range(3):
            while self.later:
                self.do_later()
            self.coordinator.now_ms += TIMEOUT_MS + 1
            self.appends_fail = False
            for ended in self.coordinator.abort_timed_out():
                self.ends.setdefault(ended, set(ended.partitions))
            while self.ends:
                self.finish_some()
        self.check_stable_offsets()

    def check_outcomes(self) -> None:
        for index, log in enumerate(self.logs):
            assert log.last_stable_offset(log.log_end_offset) == log.log_end_offset, (
                f"a transaction hangs in partition {index}"
            )
            check_fences(log)
        visible = {(index, value) for index in EVERYWHERE for value in committed(self.logs[index])}
        for token, written in self.accepted.items():
            seen = [entry in visible for entry in written]
            assert all(seen) or not any(seen), f"transaction {token} is torn"
            if token in self.committed:
                assert all(seen), f"transaction {token} was committed and is not there"
            if token in self.aborted or token not in self.commit_wanted:
                assert not any(seen), f"transaction {token} was never committed and is there"
        everything = {entry for written in self.accepted.values() for entry in written}
        assert visible <= everything


def check_fences(log: PartitionLog) -> None:
    """No record of an epoch comes after a marker of a higher one."""
    fenced_below: dict[int, int] = {}
    for header, _ in all_batches(log):
        if header.is_control:
            fenced_below[header.producer_id] = max(
                header.producer_epoch, fenced_below.get(header.producer_id, 0)
            )
        else:
            assert header.producer_epoch >= fenced_below.get(header.producer_id, 0)


def committed(log: PartitionLog) -> Iterator[bytes]:
    """What a consumer of committed records sees: it skips what the log says was aborted."""
    stable = log.last_stable_offset(log.log_end_offset)
    coming = sorted(log.aborted_transactions(0, stable), key=lambda entry: entry.first_offset)
    skipped: set[int] = set()
    for header, batch in all_batches(log):
        if header.base_offset >= stable:
            return
        while coming and coming[0].first_offset <= header.last_offset:
            skipped.add(coming.pop(0).producer_id)
        if header.is_control:
            if is_abort(batch):
                skipped.discard(header.producer_id)
        elif header.producer_id not in skipped:
            for record in iter_records(batch):
                assert record.value is not None
                yield bytes(record.value)


def is_abort(batch: bytes) -> bool:
    return any(control_type(record.key) is ControlType.ABORT for record in iter_records(batch))
