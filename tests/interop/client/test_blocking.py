"""The blocking clients against a broker: threads, forks, signals, and the end of programs."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from ottla import BufferFullError, RebalanceListener, TopicPartition, UserError
from ottla.blocking import ConcurrentUseError, Consumer, Delivery, Producer, WakeupError
from ottla.client.consumer import ConsumerClosedError, RecordDeserializationError
from ottla.client.producer import ProducerClosedError
from tests.interop.conftest import TopicMaker
from tests.support.broker_process import BrokerProcess
from tests.support.waiting import wait_until

pytestmark = pytest.mark.interop

ROOT = Path(__file__).parents[3]
PROGRAMS = "tests.interop.client.blocking_programs"
THREADS = 4
GUIDE = ROOT / "docs" / "guides" / "blocking.md"
PROGRAM = re.compile(r"```python\n# (?P<name>\w+\.py)\n(?P<text>.*?)```", re.DOTALL)


def run(name: str, *arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """A program to its end; what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "default", "-m", PROGRAMS, name, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done


def in_thread(function: object) -> threading.Thread:
    thread = threading.Thread(target=function)  # type: ignore[arg-type]  # any callable
    thread.start()
    return thread


# -- threads -------------------------------------------------------------------------------------


def test_many_threads_send_by_one_producer_each_in_its_order(
    shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    topic, count = new_topic(partitions=2), 5000
    with Producer(shared_broker.bootstrap, buffer_memory=200_000, batch_bytes=20_000) as producer:

        def send(thread: int) -> list[Delivery]:
            return [
                producer.send(topic, b"%d %d" % (thread, number), partition=thread % 2)
                for number in range(count)
            ]

        with ThreadPoolExecutor(THREADS) as pool:
            deliveries = [one for sent in pool.map(send, range(THREADS)) for one in sent]
        places = {delivery.result(30)[1:3] for delivery in deliveries}
        assert producer.metrics() is not None
    assert len(places) == THREADS * count
    with Consumer(shared_broker.bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0), TopicPartition(topic, 1)])
        found: dict[int, list[int]] = {thread: [] for thread in range(THREADS)}
        for _ in range(THREADS * count):
            thread, number = map(int, (next(consumer).value or b"").split())
            found[thread].append(number)
    assert found == {thread: list(range(count)) for thread in range(THREADS)}


def test_a_second_thread_is_refused_while_one_reads_and_may_read_after_it(
    shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    with Consumer(shared_broker.bootstrap) as consumer:
        consumer.assign([TopicPartition(new_topic(), 0)])
        consumer.poll(timeout_s=0)

        def read() -> None:
            with pytest.raises(WakeupError):
                consumer.poll()

        reader = in_thread(read)
        wait_until(lambda: reader.ident in consumer._reading._calls, "the other thread reads")
        with pytest.raises(ConcurrentUseError, match="another thread"):
            consumer.poll(timeout_s=0)
        with pytest.raises(ConcurrentUseError):
            consumer.seek_to_end()
        consumer.wakeup()
        reader.join()
        assert consumer.poll(timeout_s=0) == []


def test_wakeup_ends_the_read_that_waits_or_the_next_one(
    shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    with Consumer(shared_broker.bootstrap) as consumer:
        consumer.assign([TopicPartition(new_topic(), 0)])
        threading.Timer(0.2, consumer.wakeup).start()
        with pytest.raises(WakeupError):
            consumer.poll()
        assert consumer.poll(timeout_s=0.1) == []
        consumer.wakeup()
        with pytest.raises(WakeupError):
            next(consumer)
        assert consumer.poll(timeout_s=0.1) == []


def test_closing_in_another_thread_ends_the_loop_of_a_reader_and_fails_its_poll(
    shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    for is_loop in (True, False):
        consumer = Consumer(shared_broker.bootstrap)
        consumer.start()
        consumer.assign([TopicPartition(new_topic(), 0)])
        closing = threading.Timer(0.2, consumer.close)
        closing.start()
        if is_loop:
            assert list(consumer) == []
        else:
            with pytest.raises(ConsumerClosedError):
                consumer.poll()
        closing.join()


def test_the_thread_behind_is_there_only_while_a_client_is_open(
    shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    def behind() -> list[str]:
        names = (thread.name for thread in threading.enumerate())
        return [name for name in names if name.startswith("ottla")]

    topic = new_topic()
    assert behind() == []
    for _ in range(3):
        with Producer(shared_broker.bootstrap) as one, Producer(shared_broker.bootstrap) as other:
            one.send(topic, b"1").result(10)
            other.send(topic, b"2").result(10)
            assert behind() == ["ottla-blocking"]
        assert behind() == []


def test_clients_work_where_the_caller_runs_a_loop_of_its_own(
    shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    topic = new_topic()

    async def main() -> int:
        with Producer(shared_broker.bootstrap) as producer:
            return producer.send_and_wait(topic, b"from inside a loop").offset

    assert asyncio.run(main()) == 0


# -- sending -------------------------------------------------------------------------------------


def test_a_full_buffer_holds_back_the_sender_and_then_refuses(
    broker: BrokerProcess,
) -> None:
    settings = {"buffer_memory": 100_000, "batch_bytes": 20_000, "max_block_ms": 2000}
    with Producer(broker.bootstrap, **settings) as producer:
        producer.send("full", b"first").result(10)
        broker.stop()
        taken: list[Delivery] = []

        def fill() -> None:
            while True:
                taken.append(producer.send("full", b"x" * 10_000))

        with pytest.raises(BufferFullError):
            fill()
        broker.start()
        assert [delivery.result(30).offset for delivery in taken] == [
            1 + number for number in range(len(taken))
        ]
        assert len(taken) > 100, "the hand-over has room of its own"


def test_outcomes_are_told_by_callbacks_which_may_send_and_may_not_wait(
    shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    topic = new_topic()
    told: list[object] = []
    with Producer(shared_broker.bootstrap) as producer:

        def on_delivery(delivery: Delivery) -> None:
            told.append(delivery.result().offset)
            producer.send(topic, b"again", on_delivery=lambda again: told.append(again.result()))
            try:
                producer.flush()
            except UserError as error:
                told.append(str(error))

        producer.send(topic, b"first", on_delivery=on_delivery).result(10)
        producer.flush()
    assert told[0] == 0
    assert "cannot wait" in str(told[1])
    assert told[2][2] == 1  # type: ignore[index]  # the offset of a RecordMetadata


def test_closing_in_haste_tells_every_delivery_and_later_sends_are_refused(
    broker: BrokerProcess,
) -> None:
    producer = Producer(broker.bootstrap)
    producer.start()
    producer.send("haste", b"first").result(10)
    broker.stop()
    deliveries = [producer.send("haste", b"never") for _ in range(1000)]
    producer.close(timeout_s=0.2)
    assert all(isinstance(one.exception(1), ProducerClosedError) for one in deliveries)
    with pytest.raises(ProducerClosedError):
        producer.send("haste", b"late")
    broker.start()


def test_transactions_commit_and_abort_what_was_sent_in_them(
    shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    topic = new_topic()
    with Producer(shared_broker.bootstrap, transactional_id=f"for {topic}") as producer:
        with pytest.raises(UserError, match="inside a transaction"):
            producer.send(topic, b"outside")
        with producer.transaction():
            producer.send(topic, b"committed")

        def fail() -> None:
            with producer.transaction():
                producer.send(topic, b"aborted")
                raise ValueError("no such customer")

        with pytest.raises(ValueError, match="no such customer"):
            fail()
        producer.begin_transaction()
        producer.send(topic, b"committed, too")
        producer.commit_transaction()
    settings = {"auto_offset_reset": "earliest", "isolation_level": "read_committed"}
    with Consumer(shared_broker.bootstrap, **settings) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        assert [next(consumer).value for _ in range(2)] == [b"committed", b"committed, too"]
        assert consumer.poll(timeout_s=0.2) == []


def test_rows_are_sent_at_once_and_come_back_as_columns(
    shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    topic = new_topic()
    values = [b"%d" % number for number in range(10_000)]
    with Producer(shared_broker.bootstrap) as producer:
        delivery = producer.send_batch(topic, values, partition=0)
        assert len(delivery.result(30)) == 10_000
        assert delivery.done()
        assert delivery.exception() is None
    with Consumer(shared_broker.bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        found: list[bytes | None] = []
        while len(found) < 10_000:
            for columns in consumer.poll_batch(timeout_s=10).values():
                found += list(columns.values)
    assert found == values


# -- positions -----------------------------------------------------------------------------------


def test_positions_are_those_of_what_was_handed_out_and_no_further(
    shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    partition = TopicPartition(new_topic(), 0)
    with Producer(shared_broker.bootstrap) as producer:
        producer.send_batch(partition.topic, [b"%d" % number for number in range(2000)])
    with Consumer(shared_broker.bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([partition])
        assert [next(consumer).offset for _ in range(3)] == [0, 1, 2]
        assert consumer.position(partition) == 3
        assert [record.offset for record in consumer.poll(2)] == [3, 4]
        assert next(iter(consumer.poll_batch().values())).offsets[0] == 5
        consumer.seek(partition, 7)
        assert next(consumer).offset == 7
        consumer.pause(partition)
        assert consumer.poll(timeout_s=0.1) == []
        consumer.resume(partition)
        assert next(consumer).offset == 8
        offsets = [next(consumer).offset for _ in range(1500)]
        assert offsets == list(range(9, 1509))
        assert consumer.position(partition) == 1509


# -- processes -----------------------------------------------------------------------------------


def test_children_make_their_own_clients_while_the_parents_go_on(
    shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    assert run("fork_under_load", shared_broker.bootstrap, new_topic()).stdout.startswith("all")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing_works_beside_open_clients(
    method: str, shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    told = run("processes", shared_broker.bootstrap, new_topic(), method).stdout
    assert told.strip() == str([b"0", b"1", b"2", b"parent", b"parent again"])


def test_workers_forked_from_a_loaded_application_lose_nothing_at_sigterm(
    shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    assert run("prefork", shared_broker.bootstrap, new_topic()).stdout == "all 301\n"


def test_a_program_that_closes_nothing_ends_at_once_warned_and_without_loss(
    shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    topic = new_topic()
    done = run("unclosed", shared_broker.bootstrap, topic, timeout_s=40)
    assert done.stdout == "over\n"
    assert done.stderr.count("ResourceWarning: unclosed") == 2
    with Consumer(shared_broker.bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        assert [next(consumer).value for _ in range(100)] == [b"%d" % n for n in range(100)]


def test_a_program_that_closes_nothing_ends_also_where_no_broker_is() -> None:
    done = run("unclosed_without_broker", "", "topic", timeout_s=40)
    assert done.stdout == "over\n"
    assert done.stderr.count("ResourceWarning: unclosed") == 1


def test_an_interrupt_cancels_what_waits_and_leaves_all_usable(
    shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    assert run("interrupted", shared_broker.bootstrap, new_topic()).stdout == "hits 5\n"


def test_a_signal_handler_may_close_the_consumer_that_it_interrupts(
    shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    assert run("terminated", shared_broker.bootstrap, new_topic()).stdout == "closed\n"


# -- groups --------------------------------------------------------------------------------------


class Listening(RebalanceListener):
    """Asks and commits from inside, and remembers where it was called."""

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer
        self.told: list[object] = []

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        here = threading.current_thread() is threading.main_thread()
        self.told.append(("assigned", len(partitions), here))
        for partition in partitions:
            self.consumer.seek(partition, 2)
        with pytest.raises(UserError):
            self.consumer.poll(timeout_s=0)

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        here = threading.current_thread() is threading.main_thread()
        self.consumer.commit()
        self.told.append(("revoked", len(partitions), here))


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_listeners_are_called_in_the_readers_thread_and_may_use_the_consumer(
    protocol: str, shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    topic = new_topic()
    partition = TopicPartition(topic, 0)
    with Producer(shared_broker.bootstrap) as producer:
        producer.send_batch(topic, [b"%d" % number for number in range(10)])
    settings = {
        "group_id": f"of-{topic}",
        "group_protocol": protocol,
        "auto_offset_reset": "earliest",
        "enable_auto_commit": False,
    }
    with Consumer(shared_broker.bootstrap, **settings) as consumer:
        listener = Listening(consumer)
        consumer.subscribe([topic], listener=listener)
        assert [next(consumer).offset for _ in range(3)] == [2, 3, 4]
        assert consumer.assignment == [partition]
        consumer.unsubscribe()
        assert listener.told == [("assigned", 1, True), ("revoked", 1, True)]
    with Consumer(shared_broker.bootstrap, **settings) as consumer:
        committed = consumer.committed(partition)[partition]
        assert committed is not None
        assert committed.offset == 5, "what was handed out, not what was fetched"


@pytest.mark.parametrize("fails", [False, True])
def test_what_was_handed_out_is_committed_at_the_end_but_not_what_failed(
    fails: bool, shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    topic = new_topic()
    partition = TopicPartition(topic, 0)
    settings = {"group_id": f"of-{topic}", "auto_offset_reset": "earliest"}
    with Producer(shared_broker.bootstrap) as producer:
        producer.send_batch(topic, [b"%d" % number for number in range(10)])

    def work() -> None:
        with Consumer(shared_broker.bootstrap, **settings) as consumer:
            consumer.subscribe([topic])
            for record in consumer:
                if record.offset == 6:
                    break
            if fails:
                raise ValueError("record 6 is a bad one")

    with suppress(ValueError):
        work()
    with Consumer(shared_broker.bootstrap, **settings) as consumer:
        committed = consumer.committed(partition)[partition]
        if fails:
            assert committed is None or committed.offset <= 6
        else:
            assert committed is not None
            assert committed.offset == 7


def test_a_group_asks_for_its_turn_while_lent_records_are_handed_out(
    shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    topic = new_topic(partitions=2)
    with Producer(shared_broker.bootstrap) as producer:
        for partition in (0, 1):
            producer.send_batch(topic, [b"%d" % n for n in range(400)], partition=partition)
    settings = {
        "group_id": f"of-{topic}",
        "auto_offset_reset": "earliest",
        "heartbeat_interval_ms": 100,
    }
    with Consumer(shared_broker.bootstrap, **settings) as first:
        first.subscribe([topic])
        next(first)
        second = Consumer(shared_broker.bootstrap, **settings)
        second.start()
        second.subscribe([topic])
        joining = in_thread(lambda: second.poll(timeout_s=20))
        handed_out = 0
        while len(first.assignment) == 2 and handed_out < 350:
            next(first)
            handed_out += 1
            time.sleep(0.02)
        joining.join()
        second.close()
    assert handed_out < 350, "the rebalance did not wait for what was lent"


def test_serializers_work_in_the_callers_thread(
    shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    topic = new_topic()
    threads: set[str] = set()

    class Numbers:
        def serialize(self, topic: str, value: int, headers: object) -> bytes:
            threads.add(threading.current_thread().name)
            return b"%d" % value

        def deserialize(self, topic: str, data: bytes, headers: object) -> int:
            threads.add(threading.current_thread().name)
            return int(data)

    with Producer(shared_broker.bootstrap, value_serializer=Numbers()) as producer:
        producer.send(topic, 1)
        producer.put(topic, 2)
        assert producer.send_and_wait(topic, 3).offset == 2
    with Producer(shared_broker.bootstrap) as producer:
        producer.send(topic, b"bad")
        producer.send(topic, b"5")
    settings = {"auto_offset_reset": "earliest", "value_deserializer": Numbers()}
    with Consumer(shared_broker.bootstrap, **settings) as consumer:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        assert [next(consumer).value for _ in range(3)] == [1, 2, 3]
        for _ in range(2):
            with pytest.raises(RecordDeserializationError):
                consumer.poll(timeout_s=10)
        assert consumer.position(partition) == 3
        consumer.seek(partition, 4)
        assert next(consumer).value == 5
    assert threads == {threading.current_thread().name}


# -- the guide, and what a record costs ----------------------------------------------------------


def test_the_programs_of_the_guide_do_what_they_say(broker: BrokerProcess, tmp_path: Path) -> None:
    programs = {found["name"]: found["text"] for found in PROGRAM.finditer(GUIDE.read_text())}
    assert list(programs) == ["plain.py"]
    program = tmp_path / "plain.py"
    program.write_text(programs["plain.py"])
    told = subprocess.run(
        [sys.executable, "-W", "error", program, broker.bootstrap],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert told == "stored at 1000\nread 1001 and committed 1001\n"


def test_the_first_program_of_the_readme_reads_what_it_has_written(broker: BrokerProcess) -> None:
    readme = (ROOT / "README.md").read_text()
    (program,) = re.findall(r"```python\n(from ottla\.blocking .*?)```", readme, re.DOTALL)
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", program.replace("localhost:9092", broker.bootstrap)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert told.splitlines() == [
        f"{number} b'customer-7' b'payment {number}'" for number in range(10)
    ]


def test_a_record_costs_a_third_of_kafka_pythons_and_less_than_aiokafkas(
    shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    def cost(name: str) -> float:
        """The least of three: whatever else the machine does only adds to it."""
        costs = [run("cost", shared_broker.bootstrap, new_topic(), name).stdout for _ in range(3)]
        return min(map(float, costs))

    ours = cost("ottla")
    assert 3 * ours < cost("kafka-python")
    assert 1.5 * ours < cost("aiokafka")
