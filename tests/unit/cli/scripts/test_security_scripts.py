"""kafka-acls, kafka-delegation-tokens, kafka-transactions, kafka-client-metrics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ottla.blocking import Producer
from ottla.testing import TemporaryBroker
from tests.unit.cli.scripts.conftest import Script

ACLS = "kafka-acls"
TOKENS = "kafka-delegation-tokens"
TRANSACTIONS = "kafka-transactions"
METRICS = "kafka-client-metrics"

BOB = ("--allow-principal", "User:bob")


@pytest.fixture(scope="module")
def broker() -> Iterator[TemporaryBroker]:
    """With an authorizer, before which this test may do everything."""
    settings = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    with TemporaryBroker(settings=settings) as broker:
        yield broker


# -- kafka-acls ------------------------------------------------------------------------------------


def entry(operation: str, *, principal: str = "User:bob", host: str = "*") -> str:
    return f"(principal={principal}, host={host}, operation={operation}, permissionType=ALLOW)"


def entries(script: Script, *resource: str) -> list[str]:
    """As they are listed, without their resources."""
    told = script(ACLS, "--list", *resource)
    assert told.code == 0
    return [line.strip() for line in told.lines if line.strip().startswith("(")]


def test_entries_are_added_listed_and_removed(script: Script) -> None:
    added = script(ACLS, "--add", *BOB, "--operation", "Read", "--topic", "one")
    pattern = "ResourcePattern(resourceType=TOPIC, name=one, patternType=LITERAL)"
    assert added.lines == [f"Adding ACLs for resource `{pattern}`: ", f" \t{entry('READ')}", ""]
    again = script(ACLS, "--add", *BOB, "--operation", "Read", "--topic", "one")
    assert again.out.endswith("already exists.\n")
    listed = script(ACLS, "--list", "--topic", "one")
    assert listed.lines == [f"Current ACLs for resource `{pattern}`:", f"\t{entry('READ')}", ""]
    assert entries(script, "--topic", "two") == []
    of_another = script(ACLS, "--list", "--topic", "one", "--principal", "User:carl")
    assert of_another.lines == ["ACLs for principal `User:carl`"]
    assert script(ACLS, "--remove", "--topic", "one", "--force") == (0, "", "")
    assert entries(script, "--topic", "one") == []


@pytest.mark.parametrize(
    ("answer", "left"), [("y\n", []), ("n\n", [entry("READ")]), ("", [entry("READ")])]
)
def test_nothing_is_removed_that_nobody_agreed_to(
    script: Script, answer: str, left: list[str]
) -> None:
    script(ACLS, "--add", *BOB, "--operation", "Read", "--topic", "asked")
    assert script(ACLS, "--remove", "--topic", "asked", typed=answer).code == 0
    assert entries(script, "--topic", "asked") == left


def test_roles_stand_for_all_that_they_take(script: Script) -> None:
    script(ACLS, "--add", *BOB, "--producer", "--idempotent", "--topic", "role")
    script(ACLS, "--add", *BOB, "--consumer", "--topic", "role", "--group", "role")
    assert sorted(entries(script, "--topic", "role")) == sorted(
        map(entry, ("READ", "DESCRIBE", "WRITE", "CREATE"))
    )
    assert entries(script, "--group", "role") == [entry("READ")]
    assert entries(script, "--cluster") == [entry("IDEMPOTENT_WRITE")]
    gone = (*BOB, "--consumer", "--topic", "role", "--group", "role", "--force")
    assert script(ACLS, "--remove", *gone).code == 0
    assert sorted(entries(script, "--topic", "role")) == sorted(map(entry, ("WRITE", "CREATE")))
    assert entries(script, "--group", "role") == []


def test_names_may_be_beginnings_and_are_found_by_what_they_cover(script: Script) -> None:
    prefixed = ("--resource-pattern-type", "prefixed")
    script(ACLS, "--add", *BOB, "--operation", "Write", "--topic", "pre-", *prefixed)
    assert entries(script, "--topic", "pre-1") == []
    covering = ("--resource-pattern-type", "match")
    assert entries(script, "--topic", "pre-1", *covering) == [entry("WRITE")]


@pytest.mark.parametrize(
    "words",
    [
        ("--list", "--add"),
        ("--add", *BOB, "--operation", "Read"),
        ("--add", "--operation", "Read", "--topic", "t"),
        ("--add", *BOB, "--operation", "Bogus", "--topic", "t"),
        ("--add", *BOB, "--operation", "Create", "--group", "g"),
        ("--add", *BOB, "--topic", "t", "--resource-pattern-type", "any"),
        ("--add", *BOB, "--topic", "t", "--resource-pattern-type", "bogus"),
        ("--add", *BOB, "--topic", "t", "--deny-host", "1.2.3.4"),
        ("--add", *BOB, "--idempotent", "--topic", "t"),
        ("--add", *BOB, "--producer", "--group", "g"),
        ("--add", *BOB, "--producer", "--topic", "t", "--operation", "Read"),
        ("--add", *BOB, "--consumer", "--topic", "t"),
        ("--add", *BOB, "--topic", "t", "--principal", "User:bob"),
        ("--remove", "--force"),
        (),
    ],
)
def test_entries_that_make_no_sense_are_refused(script: Script, words: tuple[str, ...]) -> None:
    told = script(ACLS, *words)
    assert (told.code, told.out, bool(told.err)) == (1, "", True)


def test_who_is_nobody_is_refused(script: Script) -> None:
    told = script(ACLS, "--add", "--allow-principal", "bob", "--operation", "Read", "--topic", "t")
    assert told.code == 1
    assert told.out.startswith("Error while executing ACL command: ")


# -- kafka-delegation-tokens -----------------------------------------------------------------------


def test_whom_nobody_knows_gets_no_token(script: Script, tmp_path: Path) -> None:
    settings = tmp_path / "client.properties"
    settings.write_text("client.id=tokens\n")
    config = ("--command-config", settings)
    for words in (
        ("--create", "--max-life-time-period", "-1"),
        ("--renew", "--renew-time-period", "-1", "--hmac", "YWJj"),
        ("--expire", "--expiry-time-period", "-1", "--hmac", "YWJj"),
        ("--describe",),
    ):
        told = script(TOKENS, *words, *config)
        assert told.code == 1
        assert told.out.startswith(f"Calling {words[0][2:]} token operation ")
        assert told.err
    for line in ("--create", "--renew --hmac YWJj", "--create --describe", ""):
        told = script(TOKENS, *line.split(), *config)
        assert (told.code, told.out) == (1, "")
    assert script(TOKENS, "--describe").code == 1
    bad = ("--renew", "--renew-time-period", "-1", "--hmac", "not base64")
    assert script(TOKENS, *bad, *config).code == 1


# -- kafka-transactions ----------------------------------------------------------------------------


def table(lines: list[str]) -> list[dict[str, str]]:
    """By heading."""
    heads, *rows = ([word.strip() for word in line.split("\t")[:-1]] for line in lines)
    return [dict(zip(heads, row, strict=True)) for row in rows]


def test_transactions_are_listed_described_and_ended(
    script: Script, broker: TemporaryBroker
) -> None:
    broker.create_topic("transacted")
    with Producer(broker.bootstrap, transactional_id="pipe") as producer:
        producer.begin_transaction()
        producer.send("transacted", b"open", partition=0).result()
        (listed,) = table(script(TRANSACTIONS, "list").lines)
        assert listed["TransactionalId"] == "pipe"
        assert (listed["Coordinator"], listed["TransactionState"]) == ("1", "Ongoing")
        (one,) = table(script(TRANSACTIONS, "describe", "--transactional-id", "pipe").lines)
        assert (one["TopicPartitions"], one["ProducerId"]) == ("transacted-0", listed["ProducerId"])
        assert int(one["TransactionDurationMs"]) >= 0
        where = ("--topic", "transacted", "--partition", 0)
        (state,) = table(script(TRANSACTIONS, "describe-producers", *where).lines)
        assert state["CurrentTransactionStartOffset"] == "0"
        assert table(script(TRANSACTIONS, "find-hanging", "--topic", "transacted").lines) == []
        assert script(TRANSACTIONS, "abort", *where, "--start-offset", 7).code == 1
        force = ("forceTerminateTransaction", "--transactionalId", "pipe")
        assert script(TRANSACTIONS, *force) == (0, "", "")
        (ended,) = table(script(TRANSACTIONS, "list").lines)
        assert ended["TransactionState"] == "Empty"
        (state,) = table(script(TRANSACTIONS, "describe-producers", *where).lines)
        assert state["CurrentTransactionStartOffset"] == "None"
    assert script(TRANSACTIONS, "describe", "--transactional-id", "nosuch").code == 1


@pytest.mark.parametrize(
    "words",
    [
        ("bogus",),
        ("find-hanging",),
        ("find-hanging", "--broker-id", "1", "--partition", "0"),
        ("abort", "--topic", "t", "--partition", "0"),
        ("abort", "--topic", "t", "--partition", "0", "--producer-id", "1"),
        ("describe-producers", "--topic", "t"),
    ],
)
def test_questions_about_nothing_fail(script: Script, words: tuple[str, ...]) -> None:
    told = script(TRANSACTIONS, *words)
    assert (told.code, told.out, bool(told.err)) == (1, "", True)


# -- kafka-client-metrics --------------------------------------------------------------------------


def test_subscriptions_come_change_and_go(script: Script) -> None:
    made = script(METRICS, "--alter", "--name", "slow", "--interval", 5000, "--metrics", "org.a")
    assert made.out == "Altered client metrics config for slow.\n"
    script(METRICS, "--alter", "--name", "slow", "--match", "client_id=x", "--interval", "")
    assert script(METRICS, "--describe").lines == [
        "Client metrics configs for slow are:",
        "  interval.ms=300000",
        "  match=client_id=x",
        "  metrics=org.a",
    ]
    assert "doesn't exist" in script(METRICS, "--describe", "--name", "nosuch").out
    invented = script(METRICS, "--alter", "--generate-name", "--interval", 5000)
    assert len(invented.out.split()[-1]) == 23
    assert len(script(METRICS, "--list").lines) == 2
    refused = script(METRICS, "--alter", "--name", "fast", "--interval", 1)
    assert refused.code == 1
    assert refused.out.startswith("Error while executing client metrics command : ")
    assert script(METRICS, "--delete", "--name", "slow").code == 0
    assert len(script(METRICS, "--list").lines) == 1
    for words in (("--delete",), ("--alter",), ("--alter", "--name", "x"), ()):
        assert script(METRICS, *words).code == 1
