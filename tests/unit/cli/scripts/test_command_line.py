"""jopt-simple's rules; the cases and their outcomes were read from jopt-simple 5.0.4."""

from __future__ import annotations

import pytest

from ottla.cli.scripts.command_line import Kind, Options, ScriptParser, UsageError, VersionAsked


def parser(*, abbreviations: bool = False) -> ScriptParser:
    known = ScriptParser("It is for tests.", abbreviations=abbreviations)
    known.value("topic", help="t")
    known.value("topic-id", help="t")
    known.value("partitions", help="how many", kind=Kind.INTEGER, default=3)
    known.value("size", help="how large", kind=Kind.LONG)
    known.value("rate", help="how fast", kind=Kind.DOUBLE)
    known.flag("list", help="l")
    known.value("lax", help="x", argument="thing", may_lack=True)
    known.value("b", "bootstrap", help="x", separator=",")
    return known


def read(*arguments: str) -> Options:
    return parser().parse(arguments)


@pytest.mark.parametrize(
    ("arguments", "name", "values", "rest"),
    [
        (["--topic", "a"], "topic", ["a"], []),
        (["--topic=a"], "topic", ["a"], []),
        (["-topic", "a"], "topic", ["a"], []),
        (["--topic="], "topic", [""], []),
        (["--topic=", "z"], "topic", [""], ["z"]),
        (["--topic", "--list"], "topic", ["--list"], []),
        (["--topic", "a", "--topic", "b"], "topic", ["a", "b"], []),
        (["--topic", "-5"], "topic", ["-5"], []),
        (["--topic=a=b"], "topic", ["a=b"], []),
        (["foo", "--list", "bar"], "list", [], ["foo", "bar"]),
        (["--list=foo"], "list", [], []),
        (["--lax"], "lax", [], []),
        (["--lax", "v"], "lax", ["v"], []),
        (["--lax", "--list"], "lax", [], []),
        (["-ba,b"], "b", ["a", "b"], []),
        (["-b", "a,b", "--bootstrap", "c"], "b", ["a", "b", "c"], []),
        (["-b=a,b"], "b", ["a", "b"], []),
        (["--list", "-"], "list", [], ["-"]),
        (["--list", "--", "--topic"], "list", [], ["--topic"]),
        (["--size", "-8589934592"], "size", [-8589934592], []),
        (["--rate=0.5"], "rate", [0.5], []),
    ],
)
def test_an_option_is_read_wherever_it_stands(
    arguments: list[str], name: str, values: list[object], rest: list[str]
) -> None:
    options = read(*arguments)
    assert options.has(name)
    assert options.values(name) == values
    assert options.rest == rest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--topic"], "Option topic requires an argument"),
        (["--li"], "li is not a recognized option"),
        (["--topi", "q"], "topi is not a recognized option"),
        (["-l"], "l is not a recognized option"),
        (["-lb", "q"], "l is not a recognized option"),
        (["--partitions", "x"], "Cannot parse argument 'x' of option partitions"),
        (["--partitions=2147483648"], "Cannot parse argument '2147483648' of option partitions"),
        (["--rate=fast"], "Cannot parse argument 'fast' of option rate"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_usage(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(*arguments)
    assert str(caught.value) == message
    assert caught.value.usage is not None
    assert "--topic-id" in caught.value.usage


def test_the_usage_is_two_columns_of_80_characters() -> None:
    usage = parser().usage().splitlines()
    assert usage[0].split() == ["Option", "Description"]
    assert max(len(line) for line in usage) <= 80
    assert "-b, --bootstrap <String: b>        x" in usage
    assert "--lax [String: thing]              x" in usage
    assert "--partitions <Integer: partitions> how many (default: 3)" in usage


def test_a_default_is_a_value_that_was_not_given() -> None:
    options = read("--list")
    assert not options.has("partitions")
    assert options.integer("partitions") == 3
    assert options.text("topic") is None


def test_one_value_is_asked_for_and_two_are_refused() -> None:
    options = read("--topic", "a", "--topic", "b")
    assert options.texts("topic") == ["a", "b"]
    with pytest.raises(UsageError, match="Found multiple arguments for option topic, but you ask"):
        options.text("topic")


def test_abbreviations_are_taken_where_they_are_allowed_and_clear() -> None:
    known = parser(abbreviations=True)
    assert known.parse(["--li"]).has("list")
    assert known.parse(["--part", "5"]).integer("partitions") == 5
    with pytest.raises(UsageError, match="top is not a recognized option"):
        known.parse(["--top", "q"])


def test_help_is_told_as_a_failure_and_also_where_nothing_was_typed() -> None:
    for arguments in ([], ["--help"], ["--list", "--help"]):
        with pytest.raises(UsageError, match="It is for tests") as caught:
            read(*arguments)
        assert caught.value.usage == parser().usage()


def test_the_version_ends_the_reading() -> None:
    with pytest.raises(VersionAsked):
        read("--version")


def test_what_is_required_and_what_excludes_each_other_is_said_by_name() -> None:
    options = read("--list", "--topic", "a")
    options.require("list", "topic")
    options.forbid_beside("list", "b", "size")
    with pytest.raises(UsageError, match=r'Missing required argument "\[b, bootstrap\]"'):
        options.require("topic", "b")
    with pytest.raises(UsageError, match=r'"\[list\]" can\'t be used with option "\[topic\]"'):
        options.forbid_beside("list", "size", "topic")
