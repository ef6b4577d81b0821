"""How soon can clients connect, what does an idle broker take, how long does a command take?"""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Iterator

from benchmarks.report import Figure
from tests.support.broker_process import OTTLA, BrokerProcess

STARTS = 5
READY_MS_MAX = 400
IDLE_MB_MAX = 60
IDLE_SECONDS = 2.0
QUESTIONS = 9
QUESTION_MS_MAX = 200


def run() -> Iterator[Figure]:
    """From the start of the process to the line `ready`, in an empty directory and again in it."""
    empty = []
    for _ in range(STARTS):
        with BrokerProcess() as broker:
            empty.append(broker.start_seconds * 1000)
    yield Figure("ready, new data directory (median)", statistics.median(empty), "ms", READY_MS_MAX)
    with BrokerProcess() as broker:
        broker.stop()
        again = []
        for _ in range(STARTS):
            broker.start()
            again.append(broker.start_seconds * 1000)
            broker.stop()
        broker.start()
        yield Figure("ready, restart (median)", statistics.median(again), "ms", READY_MS_MAX)
        before = broker.cpu_seconds()
        time.sleep(IDLE_SECONDS)
        idle_cpu = (broker.cpu_seconds() - before) / IDLE_SECONDS * 100
        yield Figure("idle, resident memory", broker.resident_bytes() / 1e6, "MB", IDLE_MB_MAX)
        yield Figure("idle, CPU", idle_cpu, "% of a core")
        asked = [_list_topics(broker.bootstrap) for _ in range(QUESTIONS)]
        yield Figure("ottla topic list (median)", statistics.median(asked), "ms", QUESTION_MS_MAX)


def _list_topics(bootstrap: str) -> float:
    """How long a person waits at the prompt, in milliseconds."""
    begin = time.perf_counter()
    subprocess.run([OTTLA, "topic", "list", "-b", bootstrap], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - begin) * 1000
