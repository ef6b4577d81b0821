"""Settings by their Kafka names, from a file, assignments and named options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ottla.base.errors import UserError
from ottla.node.options import broker_texts

NOTHING: dict[str, Any] = {
    "config": None,
    "data_dir": None,
    "listen": (),
    "advertise": (),
    "assignments": (),
}


def texts(**given: object) -> dict[str, str]:
    return broker_texts(**{**NOTHING, **given})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "broker.properties"
    path.write_text(
        "# a broker\nnum.partitions = 3\nlog.dir=/file\nlisteners=PLAINTEXT://file:1\n",
        encoding="utf-8",
    )
    return path


def test_nothing_given_is_nothing_set() -> None:
    assert texts() == {}


def test_a_file_is_read(file: Path) -> None:
    assert texts(config=file) == {
        "num.partitions": "3",
        "log.dir": "/file",
        "listeners": "PLAINTEXT://file:1",
    }


def test_an_assignment_is_stronger_than_the_file(file: Path) -> None:
    assert texts(config=file, assignments=["num.partitions=8"])["num.partitions"] == "8"


def test_a_named_option_is_stronger_than_both(file: Path) -> None:
    given = texts(
        config=file,
        assignments=["listeners=PLAINTEXT://set:2", "log.dir=/set"],
        listen=["option:3"],
        data_dir=Path("/option"),
    )
    assert given["listeners"] == "PLAINTEXT://option:3"
    assert given["log.dirs"] == "/option"
    assert "log.dir" not in given


def test_addresses_belong_to_the_plain_listener_unless_they_say_another() -> None:
    given = texts(listen=["host:1", "OUT://host:2"], advertise=["[::1]:1", "OUT://x:3"])
    assert given["listeners"] == "PLAINTEXT://host:1,OUT://host:2"
    assert given["advertised.listeners"] == "PLAINTEXT://[::1]:1,OUT://x:3"


@pytest.mark.parametrize(
    ("assignment", "key", "value"),
    [("a=1", "a", "1"), (" a = 1 ", "a", "1"), ("a=", "a", ""), ("a=b=c", "a", "b=c")],
)
def test_an_assignment_is_split_at_the_first_equals_sign(
    assignment: str, key: str, value: str
) -> None:
    assert texts(assignments=[assignment]) == {key: value}


@pytest.mark.parametrize("assignment", ["num.partitions", "=8", " =8", ""])
def test_an_assignment_of_nothing_is_refused_with_an_example(assignment: str) -> None:
    with pytest.raises(UserError, match=r"KEY=VALUE, as num\.partitions=8"):
        texts(assignments=[assignment])


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a=1\nb=\\u12\n"])
def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.properties"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"broken\.properties"):
        texts(config=path)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nosuch\.properties"):
        texts(config=tmp_path / "nosuch.properties")


def test_addresses_for_http_are_stronger_than_both(file: Path) -> None:
    given = texts(config=file, assignments=["ottla.http.listeners=a:1"], http=["b:2", ":3"])
    assert given["ottla.http.listeners"] == "b:2,:3"
