"""kafka-producer-perf-test and kafka-consumer-perf-test: what they send, read and tell."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ottla.base.errors import UserError
from ottla.cli.scripts.java_text import java_date
from ottla.cli.scripts.running import run
from tests.unit.cli.scripts.conftest import Script

TOTAL = re.compile(
    r"(?P<count>\d+) (steady state )?records sent, \d+\.\d{6} records/sec "
    r"\(\d+\.\d\d MB/sec\), \d+\.\d\d ms avg latency, \d+\.\d\d ms max latency, "
    r"\d+ ms 50th, \d+ ms 95th, \d+ ms 99th, \d+ ms 99\.9th\."
)
WINDOW = re.compile(
    r"(?P<count>\d+) records sent, \d+\.\d records/sec \(\d+\.\d\d MB/sec\), "
    r"\d+\.\d ms avg latency, \d+\.\d ms max latency\."
)
HEADER = (
    "start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, "
    "rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec"
)


def sent(script: Script, topic: str, *words: object) -> list[str]:
    script("kafka-topics", "--create", "--topic", topic, "--if-not-exists")
    told = script("kafka-producer-perf-test", "--topic", topic, *words)
    assert (told.code, told.err) == (0, "")
    return told.lines


def count_in(line: str, form: re.Pattern[str] = TOTAL) -> int:
    found = form.fullmatch(line)
    assert found is not None, line
    return int(found["count"])


def test_records_are_written_and_counted(script: Script) -> None:
    lines = sent(script, "fast", "--num-records", 2500, "--record-size", 10, "--throughput", -1)
    assert [count_in(line) for line in lines] == [2500]
    assert script("kafka-get-offsets", "--topic", "fast").lines == ["fast:0:2500"]


def test_a_throughput_is_kept_and_told_in_intervals(script: Script) -> None:
    lines = sent(
        script, "slow", "--num-records", 300, "--payload-monotonic", "--throughput", 1000,
        "--reporting-interval", 100, "--warmup-records", 100,
    )  # fmt: skip
    assert lines[0].startswith("Warmup first 100 records.")
    assert "In steady state." in lines
    *windows, whole, steady = [line for line in lines if line[0].isdigit()]
    assert all(count_in(line, WINDOW) for line in windows)
    assert count_in(whole) == 300
    assert "steady state" in steady
    assert 200 <= count_in(steady) < 300
    values = script("kafka-console-consumer", "--topic", "slow", "--from-beginning",
                    "--max-messages", 300)  # fmt: skip
    assert values.lines == [str(number) for number in range(300)]


def test_values_come_from_a_file(script: Script, tmp_path: Path) -> None:
    (tmp_path / "values").write_text("one;two;three;")
    sent(
        script, "filed", "--num-records", 50, "--payload-file", tmp_path / "values",
        "--payload-delimiter", ";", "--throughput", -1, "--command-property", "acks=1",
    )  # fmt: skip
    values = script("kafka-console-consumer", "--topic", "filed", "--from-beginning",
                    "--max-messages", 50)  # fmt: skip
    assert set(values.lines) == {"one", "two", "three"}


def test_transactions_are_committed(script: Script) -> None:
    sent(
        script, "kept", "--num-records", 200, "--record-size", 5, "--throughput", 2000,
        "--transaction-duration-ms", 40,
    )  # fmt: skip
    committed = ("--isolation-level", "read_committed", "--max-messages", 200)
    read = script("kafka-console-consumer", "--topic", "kept", "--from-beginning", *committed)
    assert len(read.lines) == 200
    (end,) = script("kafka-get-offsets", "--topic", "kept").lines
    assert int(end.rpartition(":")[2]) >= 202


def test_the_producer_tells_its_metrics(script: Script) -> None:
    lines = sent(script, "told", "--num-records", 9, "--record-size", 1, "--throughput", -1,
                 "--print-metrics")  # fmt: skip
    assert re.fullmatch(r"producer-metrics:records-stored +: 9\.000", lines[-2])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--topic a --num-records 1 --record-size 1", "required: --throughput"),
        ("--topic a --num-records 1 --throughput 1", "one of the arguments --record-size"),
        ("--topic a --num-records 0 --throughput 1 --record-size 1", "--num-records should be"),
        ("--topic a --num-records 1 --throughput 1 --record-size 0", "--record-size should be"),
        (
            "--topic a --num-records 1 --throughput 1 --record-size 1 --warmup-records 1",
            "--warmup-records is at least 0 and less than --num-records",
        ),
        (
            "--topic a --num-records 1 --throughput 1 --record-size 1 --transaction-duration-ms 0",
            "--transaction-duration-ms should be greater than zero",
        ),
        ("--topic a --num-records 1 --throughput 1 --payload-file none", "none: No such file"),
        (
            "--topic a --num-records 1 --throughput 1 --payload-file a --payload-delimiter \\",
            "--payload-delimiter \\: ",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused(script: Script, words: str, message: str) -> None:
    code, out, err = script("kafka-producer-perf-test", *words.split())
    assert (code, out) == (1, "")
    assert message in err.splitlines()[-1]


def test_help_is_told_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("kafka-producer-perf-test", ["--help"]) == 1
    assert "--payload-monotonic" in capsys.readouterr().out
    assert run("kafka-producer-perf-test", []) == 0
    assert "--payload-monotonic" in capsys.readouterr().out


def test_records_are_read_and_counted(script: Script) -> None:
    sent(script, "read", "--num-records", 3000, "--record-size", 1000, "--throughput", -1)
    wish = ("--topic", "read", "--num-records", 3000)
    told = script("kafka-consumer-perf-test", *wish)
    assert (told.code, told.err) == (0, "")
    header, line = told.lines
    assert header == HEADER
    started, ended, mib, _, count, *rest = line.split(", ")
    form = "%Y-%m-%d %H:%M:%S:%f"
    assert datetime.strptime(started, form) <= datetime.strptime(ended, form)  # noqa: DTZ007
    assert (mib, count) == ("2.8610", "3000")
    assert len(rest) == 5
    bare = script("kafka-consumer-perf-test", *wish, "--hide-header", "--print-metrics")
    assert len(bare.lines[0].split(", ")) == 10
    assert "consumer-metrics:records-taken" in bare.out


def test_too_few_records_end_after_the_timeout(script: Script) -> None:
    sent(script, "few", "--num-records", 5, "--record-size", 1, "--throughput", -1)
    wish = ("--topic", "few", "--messages", 9, "--timeout", 200, "--show-detailed-stats")
    told = script("kafka-consumer-perf-test", *wish, "--reporting-interval", 50)
    assert told.code == 0
    assert told.lines[0].startswith("time, threadId, data.consumed.in.MB")
    assert any(line.split(", ")[4] == "5" for line in told.lines[1:-1])
    assert told.lines[-1].startswith("WARNING: Exiting before consuming the expected number")
    assert "--messages is deprecated" in told.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--topic a", "Exactly one of the following arguments is required: [messages], [num-r"),
        ("--num-records 1", "Exactly one of the following arguments is required: [topic], [incl"),
        ("--topic a --num-records 1 --reporting-interval 0", "--reporting-interval is more than"),
    ],
)
def test_a_reader_without_a_goal_is_refused(script: Script, words: str, message: str) -> None:
    code, out, err = script("kafka-consumer-perf-test", *words.split())
    assert (code, out) == (1, "")
    assert err.startswith(message)


def test_dates_are_written_by_the_forms_of_java() -> None:
    moment = datetime(2026, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC)
    assert java_date(moment, "yyyy-MM-dd HH:mm:ss:SSS") == "2026-03-04 05:06:07:089"
    assert java_date(moment, "dd/MM/yy 'at' HH''mm") == "04/03/26 at 05'06"
    with pytest.raises(UserError, match="dates are not written by 'GG' here"):
        java_date(moment, "GG")
