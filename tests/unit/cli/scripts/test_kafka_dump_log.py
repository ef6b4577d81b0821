"""kafka-dump-log, held to what Kafka's own tool printed of the same files (tests/golden)."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from ottla.cli.scripts.running import run
from tests.golden.dump import DUMP, GOLDEN

GAP = re.compile(r"Non-consecutive offsets in |  -?\d+ is followed by ")
DECODERS = {
    "__consumer_offsets": "--offsets-decoder",
    "__transaction_state": "--transaction-log-decoder",
    "__cluster_metadata": "--cluster-metadata-decoder",
    "bootstrap": "--cluster-metadata-decoder",
}
JSON = re.compile(r"(key|payload): (\{.*?\})(?= payload: |$)")


def recorded() -> dict[str, list[str]]:
    """The lines of each file; what is told behind all of them is left out."""
    files: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in DUMP.read_text().splitlines():
        if line.startswith("Dumping "):
            lines = files.setdefault(line.removeprefix("Dumping "), [])
        elif not GAP.match(line):
            lines.append(line)
    return files


FILES = recorded()


def dumped(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert run("kafka-dump-log", arguments) == 0
    told = capsys.readouterr()
    assert told.err == ""
    return told.out.splitlines()


def comparable(line: str) -> str:
    """JSON by its content: in which order it names its fields is nobody's business."""
    return JSON.sub(lambda found: f"{found[1]}: {_sorted(found[2])}", line)


def _sorted(text: str) -> str:
    return json.dumps(json.loads(text), sort_keys=True)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_dumped_as_kafka_does(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(GOLDEN)
    topic = name.partition("-")[0].partition(".")[0]
    is_log = name.endswith((".log", ".checkpoint"))
    wish = DECODERS.get(topic, "--print-data-log") if is_log else "--print-data-log"
    title, *lines = dumped(capsys, "--files", name, wish)
    assert title == f"Dumping {name}"
    told = [comparable(line) for line in lines if not GAP.match(line)]
    assert told == [comparable(line) for line in FILES[name]]


def test_gaps_are_told_at_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(GOLDEN)
    name = "compacted-0/00000000000000000000.log"
    lines = dumped(capsys, "--files", name, "--deep-iteration")
    path = GOLDEN / name
    assert lines[-2:] == [f"Non-consecutive offsets in {path}", "  -1 is followed by 100"]


def test_records_are_shown_as_far_as_that_was_wished(capsys: pytest.CaptureFixture[str]) -> None:
    log = str(GOLDEN / "log-append-time-0/00000000000000000000.log")
    record = "| offset: 0 LogAppendTime: 1795249501935 keySize: -1 valueSize: 1 sequence: -1 "
    assert len(dumped(capsys, "--files", log)) == 3
    assert dumped(capsys, "--files", log, "--deep-iteration")[3] == record + "headerKeys: []"
    whole = dumped(capsys, "--files", log, "--print-data-log")
    assert whole[3] == record + "headerKeys: [] payload: x"
    bare = dumped(capsys, "--files", log, "--print-data-log", "--skip-record-metadata")
    assert bare[3] == "| payload: x"


def test_values_are_decoded_by_a_class_of_kafkas(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = str(GOLDEN / "transactions-0/00000000000000000000.log")
    numbers = ("--value-decoder-class", "org.apache.kafka.tools.api.IntegerDecoder")
    lines = dumped(capsys, "--files", log, "--skip-record-metadata", *numbers)
    assert lines[3] == f"| key: k0 payload: {int.from_bytes(b't0-0', 'big')}"


def test_reading_ends_where_it_was_told_to(capsys: pytest.CaptureFixture[str]) -> None:
    log = str(GOLDEN / "transactions-0/00000000000000000000.log")
    lines = dumped(capsys, "--files", log, "--max-bytes", "204")
    assert [line.partition(" ")[0] for line in lines] == [
        "Dumping",
        "Log",
        "baseOffset:",
        "baseOffset:",
    ]


def test_what_is_damaged_is_shown_and_what_is_cut_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "00000000000000000000.log"
    whole = (GOLDEN / "transactions-0/00000000000000000000.log").read_bytes()
    log.write_bytes(whole[:65] + b"\xff" + whole[66:150])
    lines = dumped(capsys, "--files", str(log))
    assert lines[2].endswith("isvalid: false")
    assert lines[3:] == ["Found 24 invalid bytes at the end of 00000000000000000000.log"]


def copied(folder: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN / folder, tmp_path / folder))


def test_an_index_that_differs_from_its_log_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = copied("codec-none-0", tmp_path) / "00000000000000000000.index"
    index.write_bytes((199).to_bytes(4, "big") + bytes(4) + (7).to_bytes(4, "big") + bytes(4))
    lines = dumped(capsys, "--files", str(index), "--verify-index-only")
    assert lines[1:] == [f"Mismatches in :{index}", "  Index offset: 7, log offset: 199"]


def test_a_time_index_that_differs_from_its_log_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = copied("rolled-0", tmp_path) / "00000000000000000000.timeindex"
    right = index.read_bytes()[:12]
    index.write_bytes(right + (5).to_bytes(8, "big") + (39).to_bytes(4, "big"))
    lines = dumped(capsys, "--files", str(index), "--verify-index-only")
    assert lines[1:] == [
        f"Found timestamp mismatch in :{index}",
        "  Index timestamp: 5, log timestamp: 1795249501936",
        f"Found out of order timestamp in :{index}",
        "  Index timestamp: 5, Previously indexed timestamp: 1795249501936",
    ]


def test_an_index_is_checked_without_its_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = tmp_path / "00000000000000000010.index"
    index.write_bytes((5).to_bytes(4, "big") + (100).to_bytes(4, "big"))
    sane = dumped(capsys, "--files", str(index), "--index-sanity-check")
    assert sane[1:] == [f"{index} passed sanity check."]
    assert run("kafka-dump-log", ["--files", str(index)]) == 1
    assert "and that is not there" in capsys.readouterr().err
    index.write_bytes(b"123")
    assert run("kafka-dump-log", ["--files", str(index)]) == 1
    assert "is corrupt: 3 bytes are no entries of 8" in capsys.readouterr().err


def test_a_file_that_is_not_known_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("kafka-dump-log", ["--files", str(tmp_path / "odd.txt")]) == 0
    assert capsys.readouterr().err == f"Ignoring unknown file {tmp_path}/odd.txt\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--deep-iteration", 'Missing required argument "[files]"'),
        ("--files odd.log", "odd.log is no name of a segment"),
        ("--files 7.log", "No such file or directory"),
        ("--files 7.log --share-group-state-decoder", "such records are not known here"),
        ("--files 7.log --key-decoder-class com.example.Mine", "is a class of Java"),
    ],
)
def test_what_cannot_be_dumped_is_refused(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("kafka-dump-log", words.split()) == 1
    assert message in capsys.readouterr().err
