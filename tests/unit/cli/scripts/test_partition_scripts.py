"""kafka-get-offsets, kafka-delete-records, kafka-log-dirs, kafka-broker-api-versions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.scripts.conftest import Script


def three_records(script: Script, topic: str) -> None:
    script("kafka-topics", "--create", "--topic", topic, "--partitions", 2)
    typed = "k:a\nk:b\nk:c\n"
    key = ("--reader-property", "parse.key=true", "--reader-property", "key.separator=:")
    assert script("kafka-console-producer", "--topic", topic, *key, typed=typed).code == 0


def offsets(script: Script, *words: object) -> list[str]:
    told = script("kafka-get-offsets", *words)
    assert (told.code, told.err) == (0, "")
    return told.lines


def test_offsets_are_told_by_name_and_by_time(script: Script) -> None:
    three_records(script, "ends")
    latest = offsets(script, "--topic", "ends")
    assert sorted(line.rpartition(":")[2] for line in latest) == ["0", "3"]
    assert offsets(script, "--topic", "ends", "--time", -1) == latest
    for name in ("earliest", "-2", "earliest-local"):
        assert offsets(script, "--topic", "ends", "--time", name) == ["ends:0:0", "ends:1:0"]
    assert len(offsets(script, "--topic", "ends", "--time", -3)) == 1
    assert [line[-2:] for line in offsets(script, "--topic", "ends", "--time", 5)] == [":0"]
    assert offsets(script, "--topic", "ends", "--time", 2**52) == []
    assert offsets(script, "--topic", "ends", "--time", "latest-tiered") == []


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("--topic pick-.", ["pick-a:0", "pick-a:1", "pick-a:2", "pick-b:0"]),
        ("--topic pick-. --partitions 0,2", ["pick-a:0", "pick-a:2", "pick-b:0"]),
        ("--topic-partitions pick-a:1,pick-b", ["pick-a:1", "pick-b:0"]),
        ("--topic-partitions pick-a:1-", ["pick-a:1", "pick-a:2"]),
        ("--topic-partitions pick-a:-2", ["pick-a:0", "pick-a:1"]),
        ("--topic-partitions pick-.:0-1", ["pick-a:0", "pick-b:0"]),
    ],
)
def test_partitions_are_picked_by_names_and_rules(
    script: Script, words: str, names: list[str]
) -> None:
    script("kafka-topics", "--create", "--topic", "pick-a", "--partitions", 3, "--if-not-exists")
    script("kafka-topics", "--create", "--topic", "pick-b", "--if-not-exists")
    assert offsets(script, *words.split()) == [f"{name}:0" for name in names]


def test_internal_topics_are_left_out_where_that_is_asked(script: Script) -> None:
    three_records(script, "outer")
    read = ("--topic", "outer", "--from-beginning", "--max-messages", 1, "--group", "g")
    assert script("kafka-console-consumer", *read).code == 0
    inner = [line for line in offsets(script) if line.startswith("__consumer_offsets:")]
    assert inner
    assert not set(inner) & set(offsets(script, "--exclude-internal-topics"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--topic nowhere-at-all", "Could not match any topic-partitions with the specified filte"),
        ("--time odd", "Malformed time argument odd. "),
        ("--time -7", "Malformed time argument -7. "),
        ("--topic a --partitions x", "--partitions expects a comma separated list of numeric"),
        ("--topic a --topic-partitions b", "--topic-partitions cannot be used with --topic or --"),
        ("--topic-partitions a:b", "Invalid rule specification: a:b"),
    ],
)
def test_what_has_no_offsets_is_an_error_that_occurred(
    script: Script, words: str, message: str
) -> None:
    code, out, err = script("kafka-get-offsets", *words.split())
    assert (code, out) == (1, "")
    assert err.startswith(f"Error occurred: {message}")


def test_records_are_deleted_up_to_an_offset(script: Script, tmp_path: Path) -> None:
    three_records(script, "cut-short")
    filled = next(
        int(line.split(":")[1]) for line in offsets(script, "--topic", "cut-short") if ":3" in line
    )
    file = tmp_path / "wish.json"
    wish = [
        {"topic": "cut-short", "partition": filled, "offset": 2},
        {"topic": "cut-short", "partition": 1 - filled, "offset": 99},
    ]
    file.write_text(json.dumps({"partitions": wish, "version": 1}))
    told = script("kafka-delete-records", "--offset-json-file", file)
    assert told.code == 0
    assert told.lines[:2] == [
        "Executing records delete operation",
        "Records delete operation completed:",
    ]
    assert told.lines[2] == f"partition: cut-short-{filled}\tlow_watermark: 2"
    assert told.lines[3].startswith(
        f"partition: cut-short-{1 - filled}\terror: OFFSET_OUT_OF_RANGE"
    )
    begun = offsets(script, "--topic", "cut-short", "--time", "earliest")
    assert f"cut-short:{filled}:2" in begun


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("odd", "The input string is not a valid JSON"),
        ('{"version": 1}', "Missing partitions field"),
        ('{"partitions": 5}', "The partitions field is no list"),
        ('{"version": 2, "partitions": []}', "Not supported version field value 2"),
        ('{"partitions": [{"topic": "a"}]}', "a partition needs topic, partition and offset"),
        (
            (
                '{"partitions": [{"topic": "a", "partition": 0, "offset": 1},'
                ' {"topic": "a", "partition": 0, "offset": 2}]}'
            ),
            "Offset json file contains duplicate topic partitions: a-0",
        ),
    ],
)
def test_a_file_that_names_no_partitions_is_refused(
    script: Script, tmp_path: Path, content: str, message: str
) -> None:
    file = tmp_path / "wish.json"
    file.write_text(content)
    code, out, err = script("kafka-delete-records", "--offset-json-file", file)
    assert (code, out) == (1, "")
    assert err.startswith(message)
    missing = script("kafka-delete-records", "--offset-json-file", tmp_path / "no")
    assert missing.err == f"Unable to read file {tmp_path}/no\n"


def test_directories_are_told_as_json(script: Script) -> None:
    three_records(script, "placed")
    told = script("kafka-log-dirs", "--describe", "--topic-list", "placed")
    assert told.lines[:2] == [
        "Querying brokers for log directories information",
        "Received log directory information from brokers 1",
    ]
    document = json.loads(told.lines[2])
    assert document["version"] == 1
    (broker,) = document["brokers"]
    (directory,) = broker["logDirs"]
    assert (broker["broker"], directory["error"]) == (1, None)
    sizes = {each.pop("partition"): each for each in directory["partitions"]}
    assert sizes.keys() == {"placed-0", "placed-1"}
    assert sorted(each["size"] > 0 for each in sizes.values()) == [False, True]
    assert all((each["offsetLag"], each["isFuture"]) == (0, False) for each in sizes.values())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", 'Missing required argument "[describe]"'),
        (
            "--describe --broker-list 1,7",
            (
                "ERROR: The given brokers do not exist from --broker-list: 7. "
                "Current existent brokers: 1"
            ),
        ),
        ("--describe --broker-list x", "--broker-list x: it takes ids with commas between them"),
    ],
)
def test_brokers_that_are_not_there_are_told(script: Script, words: str, message: str) -> None:
    code, out, err = script("kafka-log-dirs", *words.split())
    assert (code, out) == (1, "")
    assert err.splitlines()[0] == message


def test_every_api_is_listed_with_the_version_in_use(script: Script) -> None:
    told = script("kafka-broker-api-versions")
    assert told.code == 0
    first, *apis, last = told.lines
    assert first.endswith(" (id: 1 rack: null isFenced: false) -> (")
    assert last == ")"
    assert apis[0] == "\tProduce(0): 0 to 13 [usable: 13],"
    assert "\tOffsetDelete(47): 0 [usable: 0]," in apis
    assert apis[-1][-1] != ","
