"""A Kafka client's file of settings, as our clients take it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ottla.base.errors import UserError
from ottla.cli.cluster import consumer, producer
from ottla.cli.command_config import read_command_config
from ottla.cli.options import ClusterOptions, cluster_of, cluster_options

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "client.properties"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_settings_have_our_names_and_their_types(write: Write) -> None:
    bootstrap, settings = read_command_config(
        write(
            "bootstrap.servers=a:1,b:2\nclient.id=Me\nacks=1\nlinger.ms=0.5\nbatch.size=1024\n"
            "compression.type=zstd\nenable.auto.commit=false\nauto.offset.reset=EARLIEST\n"
        )
    )
    assert bootstrap == "a:1,b:2"
    assert settings == {
        "client_id": "Me",
        "acks": 1,
        "linger_ms": 0.5,
        "batch_bytes": 1024,
        "compression": "zstd",
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
    }


def test_what_means_nothing_here_is_told_once_and_left_out(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    _, settings = read_command_config(
        write("key.serializer=org.apache.X\nsecurity.protocol=PLAINTEXT\nnosuch=1\nacks=all\n")
    )
    assert settings == {"acks": "all"}
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.endswith("left out, they mean nothing here: key.serializer, nosuch\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("security.protocol=SASL_SSL", "connections of this version are PLAINTEXT"),
        ("request.timeout.ms=soon", "request.timeout.ms=soon cannot be"),
        ("auto.offset.reset=middle", "auto.offset.reset=middle cannot be"),
        ("fetch.min.bytes=", "fetch.min.bytes= cannot be"),
    ],
)
def test_what_cannot_be_is_refused(write: Write, text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_command_config(write(text))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="cannot read"):
        read_command_config(path)


def test_each_client_takes_what_it_knows_and_the_command_line_is_stronger() -> None:
    cluster = ClusterOptions(
        "a:1", {"client_id": "me", "acks": 1, "group_id": "of the file", "max_poll_records": 7}
    )
    reading = consumer(cluster, group_id="typed", max_poll_records=None)
    assert reading.options.group_id == "typed"
    assert reading.options.max_poll_records == 7
    assert producer(cluster).options.acks == 1


def test_what_is_typed_is_stronger_than_the_file_and_that_than_what_is_usual(write: Write) -> None:
    file = write("bootstrap.servers=file:1\n")
    assert cluster_of("typed:1", file).bootstrap == "typed:1"
    assert cluster_of(None, file).bootstrap == "file:1"
    assert cluster_of(None, None).bootstrap == "localhost:9092"


def test_a_command_is_given_the_cluster(write: Write) -> None:
    seen: list[ClusterOptions] = []

    @click.command()
    @cluster_options
    def note(cluster: ClusterOptions) -> None:
        seen.append(cluster)

    file = write("client.id=me\n")
    run = CliRunner(env={"OTTLA_BOOTSTRAP_SERVER": "env:1"})
    assert run.invoke(note, ["--command-config", str(file)]).exit_code == 0
    assert run.invoke(note, ["-b", "typed:1"]).exit_code == 0
    assert seen == [ClusterOptions("env:1", {"client_id": "me"}), ClusterOptions("typed:1", {})]
