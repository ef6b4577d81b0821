"""kafka-console-producer and kafka-console-consumer: what lines become, and records."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from ottla.base.errors import UserError
from ottla.cli.scripts.line_reader import LineReader
from ottla.cli.scripts.message_formatter import DEFAULT, NO_OP, deserializer, formatter
from ottla.client.consumer.record import ConsumerRecord
from ottla.wire.records.header import TimestampType
from tests.unit.cli.scripts.conftest import Script

KEYED = ("--reader-property", "parse.key=true", "--reader-property", "key.separator=:")
HEADED = ("--reader-property", "parse.headers=true", "--reader-property", "parse.key=true")
EVERYTHING = tuple(
    word
    for part in ("key", "offset", "partition", "headers", "timestamp", "epoch")
    for word in ("--formatter-property", f"print.{part}=true")
)


def all_of(script: Script, topic: str, *more: object, count: int) -> list[str]:
    told = script(
        "kafka-console-consumer", "--topic", topic, "--from-beginning", "--max-messages", count,
        *more,
    )  # fmt: skip
    assert (told.code, told.err) == (0, f"Processed a total of {count} messages\n")
    return told.lines


def test_lines_become_records_and_records_become_lines(script: Script) -> None:
    script("kafka-topics", "--create", "--topic", "lines")
    sent = script("kafka-console-producer", "--topic", "lines", typed="a\nb\r\n\nlast")
    assert sent == (0, "", "")
    assert all_of(script, "lines", count=4) == ["a", "b", "", "last"]


@pytest.mark.parametrize("sync", [(), ("--sync",)])
def test_keys_headers_and_nulls_are_read_and_shown(script: Script, sync: tuple[str, ...]) -> None:
    topic = f"parts-{len(sync)}"
    script("kafka-topics", "--create", "--topic", topic)
    marked = ("--reader-property", "null.marker=NULL")
    typed = "h1:v1,h2:NULL\tk\tv\nNULL\tNULL\tNULL\n"
    sent = script("kafka-console-producer", "--topic", topic, *HEADED, *marked, *sync, typed=typed)
    assert sent == (0, "", "")
    first, second = all_of(script, topic, *EVERYTHING, count=2)
    time, *rest = first.split("\t")
    assert time.startswith("CreateTime:")
    assert rest == ["Partition:0", "Offset:0", "Epoch:0", "h1:v1,h2:null", "k", "v"]
    assert second.split("\t")[2:] == ["Offset:1", "Epoch:0", "NO_HEADERS", "null", "null"]


def test_a_line_without_its_key_ends_it_and_those_before_are_sent(script: Script) -> None:
    script("kafka-topics", "--create", "--topic", "cut")
    told = script("kafka-console-producer", "--topic", "cut", *KEYED, typed="k:v\nnothing\n")
    assert told == (1, "", "No key separator found on line number 2: 'nothing'\n")
    assert all_of(script, "cut", count=1) == ["v"]


def test_a_record_that_cannot_be_sent_is_told_and_the_next_is_sent(script: Script) -> None:
    script("kafka-topics", "--create", "--topic", "small", "--config", "max.message.bytes=1000")
    typed = "x" * 2000 + "\nshort\n"
    told = script("kafka-console-producer", "--topic", "small", "--sync", typed=typed)
    assert (told.code, told.out) == (0, "")
    assert told.err.startswith("Error when sending message to topic small with error:")
    assert all_of(script, "small", count=1) == ["short"]


def test_one_partition_is_read_from_an_offset(script: Script) -> None:
    script("kafka-topics", "--create", "--topic", "places")
    script("kafka-console-producer", "--topic", "places", typed="a\nb\nc\n")
    one = ("--topic", "places", "--partition", 0, "--max-messages", 1)
    for offset, line in ((1, "b"), ("earliest", "a")):
        told = script("kafka-console-consumer", *one, "--offset", offset)
        assert told.lines == [line]
    begun = script("kafka-console-consumer", *one, "--from-beginning")
    assert begun.lines == ["a"]
    nothing = script("kafka-console-consumer", *one, "--timeout-ms", 200)
    assert nothing.code == 0
    assert nothing.err.endswith("Processed a total of 0 messages\n")


@pytest.mark.parametrize("place", [(), ("--offset", 3), ("--from-beginning",)])
def test_a_partition_that_is_not_there_is_waited_for_and_told(
    script: Script, place: tuple[object, ...]
) -> None:
    script("kafka-topics", "--create", "--topic", f"narrow-{len(place)}", "--partitions", 2)
    one = ("--topic", f"narrow-{len(place)}", "--partition", 9, "--timeout-ms", 1)
    told = script("kafka-console-consumer", *one, *place)
    assert (told.code, told.out) == (0, "")
    first, *_ = told.err.splitlines()
    assert first == f"narrow-{len(place)} has no partition 9, only 0 to 1: waiting for it"


def test_a_group_goes_on_where_it_was(script: Script) -> None:
    script("kafka-topics", "--create", "--topic", "grouped")
    script("kafka-console-producer", "--topic", "grouped", typed="a\nb\nc\n")
    group = ("--group", "readers")
    assert all_of(script, "grouped", *group, count=1) == ["a"]
    assert all_of(script, "grouped", *group, count=2) == ["b", "c"]


def test_topics_are_read_by_an_expression(script: Script) -> None:
    for name in ("some-1", "some-2", "other-3"):
        script("kafka-topics", "--create", "--topic", name)
        script("kafka-console-producer", "--topic", name, typed=f"{name}\n")
    told = script(
        "kafka-console-consumer", "--include", "some-1,some-2", "--from-beginning",
        "--max-messages", 2,
    )  # fmt: skip
    assert sorted(told.lines) == ["some-1", "some-2"]


def test_properties_come_from_files_too(script: Script, tmp_path: Path) -> None:
    script("kafka-topics", "--create", "--topic", "files")
    (tmp_path / "reader").write_text("parse.key=true\nkey.separator=:\n")
    (tmp_path / "client").write_text("linger.ms=0\ncompression.type=zstd\n")
    reader = ("--reader-config", tmp_path / "reader", "--command-config", tmp_path / "client")
    assert script("kafka-console-producer", "--topic", "files", *reader, typed="k:v\n").code == 0
    (tmp_path / "form").write_text("print.key=true\nkey.separator==>\nline.separator=;\n")
    shown = all_of(script, "files", "--formatter-config", tmp_path / "form", count=1)
    assert shown == ["k=>v;"]


def test_the_end_is_told_as_an_event_where_that_is_asked(script: Script) -> None:
    script("kafka-topics", "--create", "--topic", "events")
    wish = ("--topic", "events", "--timeout-ms", 100, "--partition", 0, "--enable-systest-events")
    told = script("kafka-console-consumer", *wish)
    assert json.loads(told.out)["name"] == "shutdown_complete"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "Exactly one of the following arguments is required: [topic], [include]"),
        ("--topic a --include b", "Exactly one of the following arguments is required: [topic]"),
        ("--include a --partition 0", "The topic is required when partition is specified."),
        ("--topic a --partition 0 --group g", "Options group and partition cannot be specified"),
        ("--topic a --offset 3", "The partition is required when offset is specified."),
        ("--topic a --partition 0 --offset -2", "The provided offset value '-2' is incorrect."),
        ("--topic a --partition 0 --offset 1 --from-beginning", "Options from-beginning and off"),
        ("--topic a --group g --command-property group.id=h", "several groups are named"),
        ("--topic a --from-beginning --command-property auto.offset.reset=latest", "--from-begi"),
        ("--topic a --formatter com.example.Mine", "it is a class of Java"),
        ("--topic a --value-deserializer com.example.Mine", "is a class of Java"),
    ],
)
def test_what_the_consumer_cannot_do_is_refused(script: Script, words: str, message: str) -> None:
    code, out, err = script("kafka-console-consumer", *words.split())
    assert (code, out) == (1, "")
    assert message in err.splitlines()[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--sync", 'Missing required argument "[topic]"'),
        ("--topic a --line-reader com.example.Mine", "--line-reader takes a class of Java"),
        ("--topic a --compression-codec odd", "compression.type=odd"),
        ("--topic a --reader-property odd", "--reader-property odd: it takes key=value"),
    ],
)
def test_what_the_producer_cannot_do_is_refused(script: Script, words: str, message: str) -> None:
    code, out, err = script("kafka-console-producer", *words.split())
    assert (code, out) == (1, "")
    assert message in err.splitlines()[0]


def test_a_reader_forgives_what_it_is_told_to() -> None:
    reader = LineReader({"parse.key": "true", "parse.headers": "true", "ignore.error": "true"})
    assert reader.read(b"plain") == (None, b"plain", ())
    assert reader.read(b"h\tk\tv") == (b"k", b"v", (("h", None),))


@pytest.mark.parametrize(
    "properties",
    [
        {"null.marker": "\t"},
        {"headers.separator": ":"},
        {"parse.headers": "true", "headers.delimiter": ","},
    ],
)
def test_separators_that_cannot_be_told_apart_are_refused(properties: dict[str, str]) -> None:
    with pytest.raises(UserError, match="may not be equal"):
        LineReader(properties)


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("IntegerDeserializer", b"\xff\xff\xff\xfe", b"-2"),
        ("org.apache.kafka.common.serialization.LongDeserializer", b"\0" * 7 + b"\7", b"7"),
        ("ShortDeserializer", b"\1\0", b"256"),
        ("DoubleDeserializer", b"\x41\x63\x12\xd0\0\0\0\0", b"1.0E7"),
        ("BooleanDeserializer", b"\1", b"true"),
        ("StringDeserializer", b"text", b"text"),
    ],
)
def test_values_are_read_as_kafka_writes_them(name: str, data: bytes, text: bytes) -> None:
    assert deserializer(name)(data) == text


def test_bytes_that_are_no_number_are_refused() -> None:
    with pytest.raises(UserError, match="Size of data received is not 4"):
        deserializer("IntegerDeserializer")(b"\1")
    with pytest.raises(UserError, match="no data was expected"):
        deserializer("VoidDeserializer")(b"\1")


def test_a_record_that_cannot_be_shown_is_left_out_where_that_is_asked(script: Script) -> None:
    script("kafka-topics", "--create", "--topic", "mixed")
    script("kafka-console-producer", "--topic", "mixed", typed="four\nthree\n")
    as_number = ("--value-deserializer", "IntegerDeserializer", "--max-messages", 2)
    from_start = ("--topic", "mixed", "--from-beginning", *as_number)
    assert script("kafka-console-consumer", *from_start).code == 1
    told = script("kafka-console-consumer", *from_start, "--skip-message-on-error")
    assert (told.code, told.lines) == (0, [str(int.from_bytes(b"four", "big"))])
    assert "left out mixed-0 at offset 1" in told.err


def test_a_log_append_time_and_no_time_are_named() -> None:
    parts = dict.fromkeys(("print.timestamp", "print.delivery", "print.epoch"), "true")
    shown = formatter(DEFAULT, {**parts, "print.value": "false"})

    def record(time_ms: int, kind: TimestampType) -> ConsumerRecord:
        return ConsumerRecord("t", 0, 0, time_ms, None, b"v", (), -1, kind)

    assert shown.line(record(5, TimestampType.LOG_APPEND_TIME)) == (
        b"LogAppendTime:5\tDelivery:NOT_PRESENT\tEpoch:NOT_PRESENT\n"
    )
    assert shown.line(record(-1, TimestampType.CREATE_TIME)) == (
        b"NO_TIMESTAMP\tDelivery:NOT_PRESENT\tEpoch:NOT_PRESENT\n"
    )
    assert formatter(NO_OP, {}).line(record(5, TimestampType.CREATE_TIME)) == b""


@pytest.mark.parametrize(
    ("kind", "topic", "type_", "named"),
    [
        ("OffsetsMessageFormatter", "__consumer_offsets", 1, {"group", "topic", "partition"}),
        ("GroupMetadataMessageFormatter", "__consumer_offsets", 2, {"group"}),
        ("TransactionLogMessageFormatter", "__transaction_state", 0, {"transactionalId"}),
    ],
)
def test_records_of_coordinators_are_shown_as_json(
    script: Script, kind: str, topic: str, type_: int, named: set[str]
) -> None:
    script("kafka-topics", "--create", "--topic", "inside", "--if-not-exists")
    in_transactions = ("--record-size", 1, "--transaction-duration-ms", 1000)
    script(
        "kafka-producer-perf-test", "--topic", "inside", "--num-records", 2, "--throughput", -1,
        *in_transactions,
    )  # fmt: skip
    all_of(script, "inside", "--group", f"seen-by-{kind}", count=2)
    form = f"org.apache.kafka.tools.consumer.{kind}"
    told = script(
        "kafka-console-consumer", "--include", topic, "--from-beginning", "--timeout-ms", 1000,
        "--formatter", form, "--command-property", "exclude.internal.topics=false",
    )  # fmt: skip
    assert told.code == 0
    shown = [json.loads(line) for line in told.lines]
    assert shown
    assert {each["key"]["type"] for each in shown} == {type_}
    assert {frozenset(each["key"]["data"]) for each in shown} == {frozenset(named)}
    assert any(isinstance(each["value"]["version"], int) for each in shown if each["value"])


class _Counting(io.BytesIO):
    """Counts how often it is written to, as Python does with each write when nothing buffers."""

    writes = 0

    def write(self, data: Any, /) -> int:
        self.writes += 1
        return super().write(data)


def test_records_that_came_together_are_written_together(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    script("kafka-topics", "--create", "--topic", "together")
    script("kafka-console-producer", "--topic", "together", typed="line\n" * 400)
    written = _Counting()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written))
    script("kafka-console-consumer", "--topic", "together", "--partition", 0, "--offset", 0,
           "--max-messages", 400)  # fmt: skip
    assert written.getvalue() == b"line\n" * 400
    assert written.writes < 20


@pytest.mark.parametrize(
    "words",
    [
        "kafka-console-producer --topic a",
        "kafka-console-consumer --topic a",
        "kafka-consumer-perf-test --topic a --num-records 1",
        "kafka-producer-perf-test --topic a --num-records 1 --record-size 1 --throughput -1",
    ],
)
def test_a_server_that_is_not_there_is_told_at_once(script: Script, words: str) -> None:
    name, *arguments = words.split()
    told = script(name, *arguments, typed="line\n", at="localhost:1")
    assert told.code == 1
    assert told.err.startswith("cannot connect to localhost:1: ")
