"""Records go in and out by Kafka's tools, and are looked at where they lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.interop.java_tools.story import Step, Story, steps

TOPICS: Final = "kafka-topics"
WRITE: Final = "kafka-console-producer"
READ: Final = "kafka-console-consumer"
AT_ONCE: Final = "--command-property linger.ms=10000"
"""So that all records of a step are one batch; at the end of its input nobody waits for more."""
WITHOUT_END: Final = "--timeout-ms 20000"
"""Where that many records are sure to come."""


def deleted(refused: str, *partitions: str) -> Step:
    """Records below these offsets."""
    wanted = f'{{"partitions":[{",".join(partitions)}],"version":1}}'
    return Step(
        "kafka-delete-records", f"{refused}--offset-json-file {{wanted}}", files={"wanted": wanted}
    )


def dumped(rest: str) -> Step:
    """The first file of a kind."""
    line = f"--files {{data}}/dumped-0/00000000000000000000{rest}"
    return Step("kafka-dump-log", line, any_numbers=True)


STORIES: Final[Mapping[str, Story]] = {
    "offsets are told": steps(
        "kafka-get-offsets",
        Step(TOPICS, "--create --topic offsets-1"),
        Step(TOPICS, "--create --topic offsets-2 --partitions 2"),
        Step(WRITE, f"--topic offsets-1 {AT_ONCE}", input="a\nb\nc\n"),
        "--topic offsets.*",
        "--topic offsets-1 --time -1",
        "--topic offsets-1 --time earliest",
        "--topic offsets-1 --time -4",
        "--topic offsets-1 --time latest-tiered",
        "--topic offsets-1 --time earliest-pending-upload",
        "--topic offsets.* --time 1000",
        "--topic offsets.* --time 1990000000000",
        "! --topic offsets-2 --partitions 0-2",
        "--topic offsets-2 --partitions 1,7",
        "! --topic nosuch",
        "--topic-partitions offsets-1:0,offsets-2:1-",
        "--topic offsets.* --exclude-internal-topics",
        "! --topic offsets.* --time bogus",
        "! --topic offsets.* --bogus",
    ),
    "records are deleted": steps(
        "kafka-delete-records",
        Step(TOPICS, "--create --topic deleted"),
        Step(WRITE, f"--topic deleted {AT_ONCE}", input="a\nb\nc\n"),
        deleted("", '{"topic":"deleted","partition":0,"offset":1}'),
        deleted("! ", '{"topic":"deleted","partition":0,"offset":1000}'),
        deleted(
            "! ",
            '{"topic":"deleted","partition":0,"offset":2}',
            '{"topic":"deleted","partition":0,"offset":1}',
        ),
        deleted("", '{"topic":"deleted","partition":0,"offset":-1}'),
        Step("kafka-delete-records", "! --offset-json-file {bad}", files={"bad": "nonsense"}),
        "! --offset-json-file /nosuch",
        "! --bogus",
        Step("kafka-get-offsets", "--topic deleted --time earliest"),
    ),
    "directories are described": steps(
        "kafka-log-dirs",
        Step(TOPICS, "--create --topic stored"),
        # One record: how many bytes several have depends on how many milliseconds lie between.
        Step(WRITE, f"--topic stored {AT_ONCE}", input="a\n"),
        "--describe --topic-list stored",
        "--describe --topic-list stored,nosuch --broker-list 1",
        "! --describe --topic-list stored --broker-list 7",
        "! --describe --topic-list stored --broker-list x",
        "! --topic-list stored",
    ),
    "what was typed is read": steps(
        READ,
        Step(TOPICS, "--create --topic typed"),
        Step(WRITE, f"--topic typed {AT_ONCE}", input="a\nb\n\nü\n"),
        Step(
            WRITE,
            "--topic typed --reader-property parse.key=true --reader-property key.separator=:",
            input="key:value\n",
        ),
        Step(
            WRITE,
            "--topic typed --reader-property parse.key=true --reader-property key.separator=: "
            "--reader-property parse.headers=true --compression-codec gzip",
            input="h1:v1,h2:v2\tkey2:value2\n",
        ),
        Step(
            WRITE,
            "--topic typed --reader-property parse.key=true --reader-property null.marker=NULL",
            input="key3\tNULL\n",
        ),
        f"--topic typed --group typed --from-beginning --max-messages 7 {WITHOUT_END}",
        f"--topic typed --partition 0 --offset 4 --max-messages 3 {WITHOUT_END} "
        "--formatter-property print.key=true --formatter-property print.headers=true "
        "--formatter-property print.offset=true --formatter-property print.partition=true "
        "--formatter-property print.delivery=true",
        f"--topic typed --group typed-new --from-beginning --max-messages 1 {WITHOUT_END} "
        "--command-property group.protocol=consumer",
        "! --topic typed --partition 0 --offset latest --timeout-ms 300",
        "! --topic typed --partition 0 --offset bogus",
        "! --topic typed --bogus",
        "! --from-beginning",
        Step(WRITE, "! --topic typed --bogus"),
        Step(WRITE, "! --topic typed --reader-property parse.key=true", input="no separator\n"),
    ),
    "files are dumped": steps(
        "kafka-dump-log",
        Step(TOPICS, "--create --topic dumped"),
        Step(WRITE, f"--topic dumped {AT_ONCE}", input="a\nb\nc\n"),
        dumped(".log"),
        dumped(".log --print-data-log"),
        dumped(".log --deep-iteration"),
        Step("kafka-dump-log", "! --files {data}/dumped-0/nosuch.log"),
        "! --bogus",
    ),
    "records are written and read as fast as can be": (
        Step(TOPICS, "--create --topic fast"),
        Step(
            "kafka-producer-perf-test",
            "--topic fast --num-records 1000 --record-size 100 --throughput -1",
            any_numbers=True,
        ),
        Step(
            "kafka-consumer-perf-test",
            "--topic fast --group fast --num-records 1000 --timeout 20000",
            any_numbers=True,
        ),
        Step("kafka-producer-perf-test", "! --topic fast --num-records 10"),
    ),
    "records are written and read under control": (
        Step(TOPICS, "--create --topic verified"),
        Step(
            "kafka-verifiable-producer",
            "--topic verified --max-messages 5 --value-prefix 7",
            any_numbers=True,
        ),
        Step(
            "kafka-verifiable-consumer",
            "--topic verified --group-id verifying --max-messages 5 --reset-policy earliest "
            "--verbose",
            any_numbers=True,
        ),
        Step("kafka-verifiable-producer", "! --topic verified --bogus"),
    ),
}
