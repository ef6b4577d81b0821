"""How fast do clients write and read? Each in a process of its own, in turn, on one broker.

Six partitions, acks=all, idempotent (all of them are), 5 ms of linger; what each does is in
`client_rounds`. The figure is that of the best round; with it the client's CPU, and the peak memory
of its process, payloads included. `client_full` is the same with keys, and larger.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.client_rounds import PARTITIONS
from benchmarks.report import Bound, Figure
from benchmarks.requests import create_topic
from tests.support.broker_process import BrokerProcess

ROOT: Final = Path(__file__).parents[1]
VALUE_SIZES: Final = (100, 1024)
ROUND_SECONDS_MAX: Final = 60


class Way(NamedTuple):
    """One way of one client, and how many records of each size it is given in a round."""

    name: str
    package: str
    records: tuple[int, int]


WRITING: Final = (
    Way("ottla_send", "ottla", (150_000, 60_000)),
    Way("ottla_batch", "ottla", (400_000, 80_000)),
    Way("ottla_column", "ottla", (400_000, 80_000)),
    Way("confluent_produce", "confluent_kafka", (200_000, 60_000)),
    Way("aiokafka_send", "aiokafka", (40_000, 20_000)),
    Way("kafka_python_send", "kafka", (15_000, 15_000)),
)
READING: Final = (
    Way("ottla_poll", "ottla", (1_000_000, 400_000)),
    Way("ottla_iterate", "ottla", (600_000, 300_000)),
    Way("ottla_columns", "ottla", (2_000_000, 400_000)),
    Way("confluent_consume", "confluent_kafka", (600_000, 200_000)),
    Way("aiokafka_getmany", "aiokafka", (400_000, 150_000)),
    Way("aiokafka_iterate", "aiokafka", (150_000, 60_000)),
    Way("kafka_python_poll", "kafka", (40_000, 30_000)),
)
RATIOS: Final[Mapping[tuple[str, str], float | None]] = {
    ("ottla_send", "aiokafka_send"): 3.0,
    ("ottla_batch", "confluent_produce"): 1.5,
    ("ottla_column", "confluent_produce"): 1.5,
    ("ottla_poll", "aiokafka_getmany"): 3.0,
    ("ottla_iterate", "aiokafka_iterate"): 3.0,
    ("ottla_columns", "confluent_consume"): 3.0,
}
"""What is at least so many times as fast as what; None where it is only told.

On a machine that others use the ratio of CPU times, which is told beside it, says more."""


class Round(NamedTuple):
    """What one process has done."""

    records_per_second: float
    cpu_us_per_record: float
    peak_mib: float


class Scale(NamedTuple):
    """How much is done."""

    rounds: int
    factor: int
    keyed: tuple[bool, ...]


def run() -> Iterator[Figure]:
    """Less than a minute."""
    yield from run_at(Scale(rounds=2, factor=1, keyed=(False,)))


def run_at(scale: Scale) -> Iterator[Figure]:
    """Write and read at every size, then the ratios."""
    for package in sorted({way.package for way in (*WRITING, *READING)}):
        if not _is_there(package):
            print(f"  skipped: {package} is not installed")
    with BrokerProcess() as broker:
        for at, size in enumerate(VALUE_SIZES):
            for keyed in scale.keyed:
                kind = f"{size} B{', keyed' if keyed else ''}"
                topic = f"written-{size}-{keyed}"
                create_topic(broker.host, broker.port, topic, PARTITIONS)
                done = _rounds(broker, topic, size, at, WRITING, scale, keyed=keyed)
                yield from _figures(f"write {kind}", done)
            topic = f"read-{size}"
            create_topic(broker.host, broker.port, topic, PARTITIONS)
            most = max(way.records[at] for way in READING) * scale.factor
            _one(broker, WRITING[2], topic, size, most, keyed=True)
            done = _rounds(broker, topic, size, at, READING, scale, keyed=False)
            yield from _figures(f"read {size} B", done)


def _is_there(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _rounds(
    broker: BrokerProcess,
    topic: str,
    size: int,
    at: int,
    ways: Sequence[Way],
    scale: Scale,
    *,
    keyed: bool,
) -> dict[str, list[Round]]:
    """Each way in turn, over and over: what disturbs the machine disturbs them alike."""
    done: dict[str, list[Round]] = {way.name: [] for way in ways if _is_there(way.package)}
    for _ in range(scale.rounds):
        for way in ways:
            if way.name in done:
                records = way.records[at] * scale.factor
                done[way.name].append(_one(broker, way, topic, size, records, keyed=keyed))
    return done


def _one(
    broker: BrokerProcess, way: Way, topic: str, size: int, records: int, *, keyed: bool
) -> Round:
    arguments = [way.name, broker.bootstrap, topic, str(size), str(records)]
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.client_rounds", *arguments, *["keyed"] * keyed],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        timeout=ROUND_SECONDS_MAX,
    )
    answer = json.loads(told.stdout)
    return Round(
        answer["records"] / answer["seconds"],
        answer["cpu_seconds"] / answer["records"] * 1e6,
        answer["peak_mib"],
    )


def _figures(what: str, done: Mapping[str, Sequence[Round]]) -> Iterator[Figure]:
    best: dict[str, Round] = {}
    for name, rounds in done.items():
        best[name] = Round(
            max(one.records_per_second for one in rounds),
            min(one.cpu_us_per_record for one in rounds),
            max(one.peak_mib for one in rounds),
        )
        speed, cpu_us, peak_mib = best[name]
        note = f"{cpu_us:.2f} us CPU/record, peak {peak_mib:.0f} MiB"
        yield Figure(f"{what}, {name}", speed / 1000, "krecords/s", note=note)
    for (ours, theirs), budget in RATIOS.items():
        if ours in best and theirs in best:
            cpu = best[theirs].cpu_us_per_record / best[ours].cpu_us_per_record
            yield Figure(
                f"{what}, {ours} / {theirs}",
                best[ours].records_per_second / best[theirs].records_per_second,
                "times",
                budget,
                Bound.AT_LEAST,
                note=f"{cpu:.1f} times the records per CPU second",
            )
