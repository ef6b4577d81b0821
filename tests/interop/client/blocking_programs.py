"""Programs for `test_blocking`: `python -m tests.interop.client.blocking_programs NAME ARGUMENT…`.

Each is a process of its own, because it forks, is hit by signals, or ends without closing anything.
"""

from __future__ import annotations

import asyncio
import atexit
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped]  # has no types
from kafka import KafkaProducer  # type: ignore[import-untyped]  # has no types

from ottla import TopicPartition
from ottla.blocking import ClientForkedError, Consumer, Producer

# From Python 3.12 on every fork of a process with threads warns.
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)

CHILDREN = 3
RECORDS = 100


def end_child(status: int = 0) -> NoReturn:
    """As programs do it: with the interpreter's whole end."""
    sys.stdout.flush()
    sys.exit(status)


def wait_for(child: int) -> None:
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status


def refuses(use: Callable[[], object]) -> bool:
    try:
        use()
    except ClientForkedError:
        return True
    return False


def read_all(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    with Consumer(bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        values: list[bytes | None] = []
        while len(values) < count:
            found = consumer.poll(timeout_s=10)
            assert found, values
            values += [record.value for record in found]
        return values


def fork_under_load(bootstrap: str, topic: str) -> None:
    """Clients in use by another thread; children find them unusable, and make their own."""
    reader = Consumer(bootstrap, auto_offset_reset="earliest")
    with Producer(bootstrap, linger_ms=1) as producer, reader as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        over = threading.Event()
        sent: list[Any] = []

        def send() -> None:
            while not over.is_set():
                sent.append(producer.send(topic, b"parent %d" % len(sent)))
                time.sleep(0.0001)

        sender = threading.Thread(target=send)
        sender.start()
        for number in range(CHILDREN):
            time.sleep(0.05)
            unsettled = producer.send(topic, b"unsettled")
            child = os.fork()
            if not child:
                assert refuses(lambda: producer.send(topic, b"never"))
                assert refuses(producer.flush)
                assert refuses(lambda: consumer.poll(timeout_s=1))
                assert refuses(lambda: consumer.seek_to_end())
                assert unsettled.done() or refuses(unsettled.result)
                producer.close()
                consumer.close()
                with Producer(bootstrap) as mine:
                    mine.send(topic, b"child %d" % number).result(10)
                end_child()
            wait_for(child)
            unsettled.result(10)
        over.set()
        sender.join()
        producer.flush()
        assert all(delivery.exception() is None for delivery in sent)
        assert consumer.poll(timeout_s=10)
        count = len(sent) + 2 * CHILDREN
    values = read_all(bootstrap, topic, count)
    assert sorted(value for value in values if value and value.startswith(b"child")) == [
        b"child %d" % number for number in range(CHILDREN)
    ]
    parents = [value for value in values if value and value.startswith(b"parent")]
    assert parents == [b"parent %d" % number for number in range(len(sent))]
    print("all", len(values))


def work(bootstrap: str, topic: str, number: int) -> None:
    with Producer(bootstrap) as producer:
        producer.send(topic, b"%d" % number).result(10)


def processes(bootstrap: str, topic: str, method: str) -> None:
    """`multiprocessing`, beside clients that are open."""
    context: Any = multiprocessing.get_context(method)
    with Producer(bootstrap) as producer:
        producer.send(topic, b"parent").result(10)
        children = [
            context.Process(target=work, args=(bootstrap, topic, number))
            for number in range(CHILDREN)
        ]
        for child in children:
            child.start()
        for child in children:
            child.join(30)
            assert child.exitcode == 0
        producer.send(topic, b"parent again").result(10)
    print(sorted(value or b"" for value in read_all(bootstrap, topic, CHILDREN + 2)))


def prefork(bootstrap: str, topic: str) -> None:
    """As a web server: the application is loaded once, workers are forked, each ends by SIGTERM."""
    application = Producer(bootstrap)
    application.start()
    application.send(topic, b"loaded").result(10)
    workers = []
    for number in range(CHILDREN):
        told, tell = os.pipe()
        worker = os.fork()
        if not worker:
            os.close(told)
            serve(bootstrap, topic, number, tell)
        os.close(tell)
        assert os.read(told, 1) == b"+"
        os.close(told)
        workers.append(worker)
    for worker in workers:
        os.kill(worker, signal.SIGTERM)
    for worker in workers:
        wait_for(worker)
    application.close()
    print("all", len(read_all(bootstrap, topic, 1 + CHILDREN * RECORDS)))


def serve(bootstrap: str, topic: str, number: int, tell: int) -> NoReturn:
    producer = Producer(bootstrap, linger_ms=60_000, delivery_timeout_ms=120_000)
    producer.start()
    atexit.register(producer.close)
    signal.signal(signal.SIGTERM, lambda *_: end_child())
    for record in range(RECORDS):
        producer.send(topic, b"%d of %d" % (record, number))
    os.write(tell, b"+")
    while True:
        signal.pause()


def unclosed(bootstrap: str, topic: str) -> None:
    """Nobody closes anything; a thread waits for records for ever."""
    producer = Producer(bootstrap, linger_ms=60_000, delivery_timeout_ms=120_000)
    producer.start()
    for number in range(RECORDS):
        producer.send(topic, b"%d" % number)
    consumer = Consumer(bootstrap)
    consumer.start()
    consumer.assign([TopicPartition(topic, 0)])
    threading.Thread(target=lambda: list(consumer), daemon=True).start()
    time.sleep(0.2)
    print("over")


def unclosed_without_broker(bootstrap: str, topic: str) -> None:
    """As `unclosed`, of a cluster that is not there."""
    producer = Producer("127.0.0.1:1")
    producer.start()
    producer.send(topic, b"nowhere")
    globals()["kept"] = producer
    print("over")


def interrupted(bootstrap: str, topic: str) -> None:
    """Ctrl-C, wherever something waits; afterwards all goes on."""
    partition = TopicPartition(topic, 0)
    hits = 0

    def hit(use: Callable[[], object]) -> None:
        nonlocal hits
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        try:
            use()
        except KeyboardInterrupt:
            hits += 1

    signal.signal(signal.SIGALRM, signal.default_int_handler)
    with Producer(bootstrap, linger_ms=60_000, delivery_timeout_ms=120_000) as producer:
        first = producer.send(topic, b"first")
        hit(first.result)
        hit(lambda: producer.send_and_wait(topic, b"second"))
        producer.flush()
        assert first.result().offset == 0
        with Consumer(bootstrap, auto_offset_reset="earliest") as consumer:
            consumer.assign([partition])
            assert [next(consumer).value for _ in range(2)] == [b"first", b"second"]
            hit(lambda: next(consumer))
            hit(lambda: consumer.poll())
            hit(lambda: consumer.poll_batch())
            assert consumer.position(partition) == 2
            producer.send(topic, b"third")
            producer.flush()
            assert [record.value for record in consumer.poll(timeout_s=10)] == [b"third"]
    print("hits", hits)


def terminated(bootstrap: str, topic: str) -> None:
    """A signal handler closes what the same thread is reading from."""
    consumer = Consumer(bootstrap)
    consumer.start()
    consumer.assign([TopicPartition(topic, 0)])
    signal.signal(signal.SIGTERM, lambda *_: consumer.close())
    threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
    for record in consumer:
        print("unexpected", record)
    print("closed")


def cost(bootstrap: str, topic: str, name: str) -> None:
    """Microseconds of this process for each record that one loop sends, as the client has it."""
    value, count = bytes(100), 30_000
    if name == "aiokafka":
        asyncio.run(cost_of_aiokafka(bootstrap, topic, value, count))
        return
    if name == "ottla":
        ours = Producer(bootstrap)
        ours.start()
        send, flush, close = ours.send, ours.flush, ours.close
    else:
        theirs: Any = KafkaProducer(bootstrap_servers=bootstrap)
        send, flush, close = theirs.send, theirs.flush, theirs.close
    send(topic, value)
    flush()
    began = time.process_time()
    for _ in range(count):
        send(topic, value)
    flush()
    print((time.process_time() - began) / count * 1e6)
    close()


async def cost_of_aiokafka(bootstrap: str, topic: str, value: bytes, count: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    await producer.send_and_wait(topic, value)
    began = time.process_time()
    for _ in range(count):
        await producer.send(topic, value)
    await producer.flush()
    print((time.process_time() - began) / count * 1e6)
    await producer.stop()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
