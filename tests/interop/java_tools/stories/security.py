"""kafka-acls and kafka-delegation-tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.interop.java_tools.story import Step, Story, steps

ACLS: Final = "kafka-acls"
TOKENS: Final = "kafka-delegation-tokens"


def token(line: str) -> Step:
    """It wants a file of settings, whatever is in it."""
    return Step(
        TOKENS, f"! {line} --command-config {{settings}}", files={"settings": "client.id=tokens\n"}
    )


def add(rest: str) -> Step:
    """Principals and resources, which are told in any order."""
    return Step(ACLS, f"--add --allow-principal {rest}", any_order=True)


def told(line: str) -> Step:
    """Of a set."""
    return Step(ACLS, line, any_order=True)


STORIES: Final[Mapping[str, Story]] = {
    "tokens are refused to whom nobody knows": (
        Step(TOKENS, "! --describe"),
        token("--describe"),
        token("--create --max-life-time-period -1"),
        token("--create --max-life-time-period -1 --renewer-principal User:bob"),
        token("--renew --renew-time-period -1 --hmac YWJj"),
        token("--expire --expiry-time-period -1 --hmac YWJj"),
        token("--create"),
        token(""),
    ),
    "access is allowed, denied and taken back": steps(
        ACLS,
        add("User:bob --operation Read --topic t1"),
        add(
            "User:bob --allow-principal User:carl --operation Read --operation Write "
            "--topic t1 --topic t2 --allow-host 10.0.0.1"
        ),
        add("User:bob --deny-principal User:dan --operation All --group g --deny-host 10.0.0.2"),
        add("User:bob --producer --topic p1"),
        add("User:bob --producer --idempotent --transactional-id x --topic p2"),
        add("User:bob --consumer --topic c1 --group cg"),
        add("User:bob --operation Describe --operation AlterConfigs --cluster"),
        add("User:bob --operation IdempotentWrite --cluster"),
        add("User:bob --operation Describe --topic pre --resource-pattern-type prefixed"),
        add("User:bob --operation Describe --delegation-token token"),
        add("User:bob --operation CreateTokens --user-principal User:carl"),
        *map(
            told,
            (
                "--list",
                "--list --topic t1",
                "--list --topic t1 --topic t2",
                "--list --topic pre1 --resource-pattern-type match",
                "--list --topic pre --resource-pattern-type any",
                "--list --principal User:carl",
                "--list --group *",
                "--list --cluster",
            ),
        ),
        "--remove --allow-principal User:bob --operation Read --topic t1 --force",
        "--remove --topic t2 --force",
        "--remove --topic nosuch --force",
        "--remove --allow-principal User:bob --producer --topic p1 --force",
        "--remove --allow-principal User:bob --consumer --topic c1 --group cg --force",
        told("--list"),
        "! --add --allow-principal bob --operation Read --topic t1",
        "! --add --allow-principal User:bob --operation Bogus --topic t1",
        "! --add --allow-principal User:bob --operation Create --group g",
        "! --add --operation Read --topic t1",
        "! --add --allow-principal User:bob --operation Read",
        "! --add --allow-principal User:bob --topic x --resource-pattern-type any",
        "! --add --allow-principal User:bob --consumer --topic x",
        "! --list --add",
        "! --remove --force",
        "! --bogus",
    ),
}
