"""kafka-configs; `tests/interop/java_tools` compares it with Kafka's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ottla.cli.scripts.java_text import java_double
from tests.unit.cli.scripts.conftest import Script


def test_a_topic_is_set_described_and_set_back(script: Script) -> None:
    script("kafka-topics", "--create", "--topic", "c1")
    wish = "retention.ms=1000, cleanup.policy=[compact,delete]"
    done = script("kafka-configs", "--alter", "--topic", "c1", "--add-config", wish)
    assert done == (0, "Completed updating config for topic c1.\n", "")
    told = script("kafka-configs", "--describe", "--entity-type", "topics", "--entity-name", "c1")
    assert told.lines == [
        "Dynamic configs for topic c1 are:",
        (
            "  cleanup.policy=compact,delete sensitive=false synonyms="
            "{DYNAMIC_TOPIC_CONFIG:cleanup.policy=compact,delete,"
            " DEFAULT_CONFIG:log.cleanup.policy=delete}"
        ),
        "  retention.ms=1000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=1000}",
    ]
    away = ("--delete-config", "retention.ms,cleanup.policy")
    assert script("kafka-configs", "--alter", "--topic", "c1", *away).code == 0
    assert script("kafka-configs", "--describe", "--topic", "c1").lines == told.lines[:1]


def test_all_settings_of_all_topics_are_described(script: Script) -> None:
    for name in ("d1", "d2"):
        script("kafka-topics", "--create", "--topic", name)
    told = script("kafka-configs", "--describe", "--entity-type", "topics", "--all").lines
    at = told.index("All configs for topic d2 are:")
    assert told.index("All configs for topic d1 are:") < at
    assert any(line.startswith("  segment.bytes=1073741824 sensitive=false") for line in told[at:])


def test_settings_come_from_a_file(script: Script, tmp_path: Path) -> None:
    script("kafka-topics", "--create", "--topic", "filed")
    (tmp_path / "f.properties").write_text("retention.ms=77\nsegment.bytes=2000000\n")
    file = ("--add-config-file", str(tmp_path / "f.properties"))
    assert script("kafka-configs", "--alter", "--topic", "filed", *file).code == 0
    told = script("kafka-configs", "--describe", "--topic", "filed").out
    assert "retention.ms=77" in told
    assert "segment.bytes=2000000" in told
    missing = script("kafka-configs", "--alter", "--topic", "filed", "--add-config-file", tmp_path)
    assert missing.code == 1


def test_a_broker_and_all_brokers_have_settings(script: Script) -> None:
    one = script("kafka-configs", "--alter", "--broker", 1, "--add-config", "log.cleaner.threads=2")
    assert one.out == "Completed updating config for broker 1.\n"
    every = ("--broker-defaults", "--add-config", "log.cleaner.threads=2")
    assert script("kafka-configs", "--alter", *every).out == (
        "Completed updating default config for brokers in the cluster.\n"
    )
    told = script("kafka-configs", "--describe", "--entity-type", "brokers").lines
    assert told[0] == "Dynamic configs for broker 1 are:"
    assert told[1].startswith("  log.cleaner.threads=2 ")
    defaults = told.index("Default configs for brokers in the cluster are:")
    assert any(line.startswith("  log.cleaner.threads=2 ") for line in told[defaults:])
    set_back = ("--delete-config", "log.cleaner.threads")
    assert script("kafka-configs", "--alter", "--broker", 1, *set_back).code == 0
    assert script("kafka-configs", "--alter", "--broker-defaults", *set_back).code == 0


def test_loggers_are_listed_and_only_those_are_taken(script: Script) -> None:
    told = script("kafka-configs", "--describe", "--broker-logger", 1).lines
    assert told[0] == "Dynamic configs for broker-logger 1 are:"
    assert len(told) > 1
    unknown = ("--add-config", "no.such=DEBUG")
    refused = script("kafka-configs", "--alter", "--broker-logger", 1, *unknown)
    assert refused == (1, "", "Invalid broker logger(s): no.such\n")


@pytest.mark.parametrize(
    ("kind", "name", "wish"),
    [
        ("client-metrics", "m1", "metrics=[a,b],interval.ms=1000"),
        ("group", "g1", "consumer.session.timeout.ms=50000"),
    ],
)
def test_a_group_and_a_subscription_have_settings(
    script: Script, kind: str, name: str, wish: str
) -> None:
    title = kind.rstrip("s")
    absent = script("kafka-configs", "--describe", f"--{kind}", name)
    assert absent.lines == [f"The {title} '{name}' doesn't exist and doesn't have dynamic config."]
    done = script("kafka-configs", "--alter", f"--{kind}", name, "--add-config", wish)
    assert done.out == f"Completed updating config for {title} {name}.\n"
    types = kind if kind.endswith("s") else f"{kind}s"
    told = script("kafka-configs", "--describe", "--entity-type", types).lines
    at = told.index(f"Dynamic configs for {title} {name} are:") + 1
    set_ones = wish.count("=")
    assert all(line.startswith("  ") for line in told[at : at + set_ones])
    assert not "".join(told[at + set_ones :]).startswith(" ")


def test_quotas_are_of_users_of_clients_and_of_both(script: Script) -> None:
    def alter(*words: str) -> str:
        told = script("kafka-configs", "--alter", *words)
        assert (told.code, told.err) == (0, "")
        return told.out

    rates = "producer_byte_rate=10000000,consumer_byte_rate=2048"
    done = alter("--user", "u1", "--add-config", rates)
    assert done == "Completed updating config for user u1.\n"
    both = ("--client", "c1", "--user", "u1", "--add-config", "request_percentage=12.5")
    assert alter(*both) == "Completed updating config for client c1.\n"
    every = (
        "--entity-type",
        "clients",
        "--entity-default",
        "--add-config",
        "request_percentage=60",
    )
    assert alter(*every) == "Completed updating default config for clients in the cluster.\n"
    of_user = script("kafka-configs", "--describe", "--user", "u1").lines
    assert len(of_user) == 1
    title, _, values = of_user[0].partition(" are ")
    assert title == "Quota configs for user-principal 'u1'"
    assert set(values.split(", ")) == {"producer_byte_rate=1.0E7", "consumer_byte_rate=2048.0"}
    assert script("kafka-configs", "--describe", "--user", "u1", "--client", "c1").lines == [
        "Quota configs for user-principal 'u1', client-id 'c1' are request_percentage=12.5"
    ]
    assert script("kafka-configs", "--describe", "--client-defaults").lines == [
        "Quota configs for the default client-id are request_percentage=60.0"
    ]
    alter("--user", "u1", "--delete-config", "producer_byte_rate,consumer_byte_rate")
    again = script(
        "kafka-configs", "--alter", "--user", "u1", "--delete-config", "producer_byte_rate"
    )
    assert (again.code, again.err.splitlines()[-1]) == (1, "Invalid config(s): producer_byte_rate")
    alter("--client-defaults", "--delete-config", "request_percentage")
    assert script("kafka-configs", "--describe", "--entity-type", "clients").out == ""


def test_addresses_have_a_rate_of_connections(script: Script) -> None:
    wish = ("--add-config", "connection_creation_rate=10")
    done = script("kafka-configs", "--alter", "--ip", "10.9.8.7", *wish)
    assert done.out == "Completed updating config for ip 10.9.8.7.\n"
    line = "Quota configs for ip '10.9.8.7' are connection_creation_rate=10.0"
    assert line in script("kafka-configs", "--describe", "--entity-type", "ips").lines
    odd = script("kafka-configs", "--alter", "--ip", "10.9.8.7", "--add-config", f"{wish[1]}x")
    assert "Cannot parse quota configuration value for connection_creation_rate" in odd.err


def test_passwords_are_set_described_and_removed(script: Script) -> None:
    wish = ("--add-config", "SCRAM-SHA-256=[iterations=5000,password=se,cret]")
    done = script("kafka-configs", "--alter", "--user", "scrammed", *wish)
    assert (done.code, done.err) == (0, "")
    told = script("kafka-configs", "--describe", "--user", "scrammed").lines
    assert told == [
        "SCRAM credential configs for user-principal 'scrammed' are SCRAM-SHA-256=iterations=5000"
    ]
    assert told[0] in script("kafka-configs", "--describe", "--entity-type", "users").lines
    away = ("--alter", "--user", "scrammed", "--delete-config", "SCRAM-SHA-256")
    assert script("kafka-configs", *away).code == 0
    gone = script("kafka-configs", *away)
    assert gone.code == 1
    assert "RESOURCE_NOT_FOUND" in gone.err


@pytest.mark.parametrize("what", ["--topic none", "--broker 7", "--broker-logger 7", "--group no"])
def test_what_is_not_there_is_said_and_is_no_failure(script: Script, what: str) -> None:
    told = script("kafka-configs", "--describe", *what.split())
    assert told.code == 0
    assert told.out.endswith("doesn't exist and doesn't have dynamic config.\n")


def test_what_the_cluster_refuses_is_told_with_what_was_typed(script: Script) -> None:
    script("kafka-topics", "--create", "--topic", "refused")
    wish = ("--alter", "--topic", "refused", "--add-config", "retention.ms=x")
    code, out, err = script("kafka-configs", *wish)
    assert (code, out) == (1, "")
    assert err.startswith("Error while executing config command with args '--bootstrap-server ")
    assert "retention.ms" in err.splitlines()[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--describe --alter", "Command must include exactly one action: --describe, --alter"),
        ("--describe", "At least one entity type must be specified"),
        ("--describe --topic a --add-config a=b", '"[describe]" can\'t be used with option'),
        ("--describe --entity-type odd", "Invalid entity type odd, it is one of topics, "),
        ("--describe --topic a --broker 1", "Only 'users' and 'clients' entity types may be"),
        ("--describe --topic a --entity-type topics", "Duplicate entity type(s) specified: top"),
        ("--describe --broker x", "must be a valid integer broker id, but it is: x"),
        ("--describe --ip a..b", "must be a valid IP or resolvable host, but it is: a..b"),
        ("--describe --entity-type broker-loggers", "must be specified with --describe of broker"),
        ("--describe --entity-type topics --entity-default", "--entity-default must not be"),
        ("--alter --topic a", "At least one of --add-config, --add-config-file, or --delete-con"),
        ("--alter --topic a --add-config a=b --add-config-file c", "Only one of --add-config or"),
        ("--alter --topic a --add-config a", 'Invalid entity config: it takes the form "key=val"'),
        ("--alter --entity-type topics --add-config a=b", "with --alter of topics"),
        ("--alter --entity-type users --add-config a=b", "of users, clients, brokers or ips"),
        (
            "--alter --entity-type users --entity-type clients --entity-name a --add-config a=b",
            "An entity name must be specified for every entity type",
        ),
        ("--alter --user a --add-config a=b", "Only quota and SCRAM credential configs can be add"),
        ("--alter --client a --add-config SCRAM-SHA-256=x", "Only quota configs can be added for"),
        ("--alter --ip 10.0.0.1 --delete-config a", "Only connection quota configs can be deleted"),
        ("--alter --user a --add-config SCRAM-SHA-256=[odd=x]", "Invalid credential property SCR"),
        (
            "--alter --user a --add-config SCRAM-SHA-256=[iterations=1,password=x]",
            "Iterations 1 is less than the minimum 4096 required for SCRAM-SHA-256",
        ),
        (
            "--alter --user a --add-config SCRAM-SHA-256=[iterations=99999999999,password=x]",
            "Iterations 99999999999 is more than the maximum 16384 of SCRAM-SHA-256",
        ),
        ("--alter --user-defaults --add-config SCRAM-SHA-256=x", "The use of --entity-default or"),
        (
            "--alter --user a --add-config SCRAM-SHA-256=[password=x],producer_byte_rate=1",
            "Cannot alter both quota and SCRAM credential configs simultaneously for 'users'",
        ),
        ("--describe --bootstrap-controller x --topic a", "Only one of --bootstrap-server or --b"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(
    script: Script, words: str, message: str
) -> None:
    code, out, err = script("kafka-configs", *words.split())
    assert (code, out) == (1, "")
    assert message in err.splitlines()[0]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (1024.0, "1024.0"),
        (2048.5, "2048.5"),
        (9999999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (123456789.0, "1.23456789E8"),
        (-2.5e9, "-2.5E9"),
        (0.001, "0.001"),
        (0.00025, "2.5E-4"),
    ],
)
def test_numbers_are_written_as_java_does(value: float, text: str) -> None:
    assert java_double(value) == text
