"""Every administrative verb, on Apache Kafka and on a broker of ours: the same is told of both."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner

from ottla.cli.main import root
from ottla.testing import TemporaryBroker
from tests.support.java import needs_java
from tests.support.kafka_process import KafkaProcess

pytestmark = pytest.mark.interop

AUTHORIZER: Final = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}

DIFFERS: Final = frozenset(
    {"topic_id", "cluster_id", "message", "host", "port", "path", "directory_id", "listeners"}
    | {"log_end_offset", "high_watermark", "last_fetch_at_ms", "last_caught_up_at_ms"}
    | {"usable_bytes", "total_bytes", "replicas_bytes", "leader_epoch"}
)
"""What two clusters cannot have in common."""

COMMANDS: Final = """
topic create orders -p 3 -c segment.ms=90000
topic create orders
topic create orders --if-not-exists
topic create bad/name
topic create wrong -c retention.ms=soon
topic create wrong -c nosuch=1
topic create far --replicas 7
topic create maybe --validate-only
topic list
topic describe orders nosuch
topic describe --only under-replicated
topic alter orders -p 5 -c retention.ms=1000 --unset segment.ms
topic alter orders -p 2
topic offsets orders
topic offsets orders:0 --newest
topic offsets nosuch
topic delete-records orders:0 --before-offset 0
topic delete-records orders:0 --before-offset 5
topic empty orders
config describe topic orders
config describe topic orders retention.ms --synonyms
config describe topic nosuch
config set topic orders cleanup.policy+=compact
config set topic orders nosuch=1
config unset topic orders cleanup.policy retention.ms
config describe topic orders
config set broker 7 log.retention.ms=1
config set group g consumer.session.timeout.ms=50000
config list group
config list topic
telemetry set all --metrics '*' --interval 1m --match client_id=a.*
telemetry list
telemetry describe all
telemetry delete all
telemetry list
acl list
acl create --principal User:a --producer --topic orders --transactional-id x
acl create --principal User:a --consumer --topic ord --prefixed --group g
acl create --principal alice --operation read --topic orders
acl list --topic orders --pattern match
acl list --principal User:nobody
acl delete --principal User:a --operation write
acl delete --all
quota set --user alice producer_byte_rate=1000
quota set --user alice --client-id-default consumer_byte_rate=5e6
quota set --client-id app nosuch=1
quota set --ip-default connection_creation_rate=20
quota describe
quota describe --user alice --strict
quota unset --user alice producer_byte_rate
quota describe
user create alice --password x
user create alice --password x
user create alice --password x --mechanism SCRAM-SHA-256 --iterations 5000
user list
user list nobody
user delete alice
user list
token create
token describe
token renew c2VjcmV0
token expire c2VjcmV0
txn list
txn describe nobody
txn producers orders:0
txn find-hanging orders
txn abort orders:0 --start-offset 0
cluster describe --operations
cluster brokers
cluster quorum
cluster features
cluster set-feature nosuch=1
cluster set-feature transaction.version=1
cluster set-feature transaction.version=1 --downgrade safe
cluster unregister 7
disk describe orders
disk describe orders:1 --replicas
disk move orders:0 --to /nowhere
partition elect-leaders
partition elect-leaders orders:0
partition elect-leaders orders:9
partition reassign orders:0 --replicas 1
partition reassign orders:0 --replicas 7
partition reassign orders:0 --cancel
partition reassignments
topic delete orders
topic delete orders
"""


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The addresses of Kafka's and of ours."""
    folder: Path = tmp_path_factory.mktemp("kafka")
    lines = "\n".join(f"{key}={value}" for key, value in AUTHORIZER.items())
    with (
        KafkaProcess(folder, folder / "data", settings=lines) as kafka,
        TemporaryBroker(AUTHORIZER) as ours,
    ):
        yield kafka.bootstrap, ours.bootstrap


def told(bootstrap: str, command: str) -> tuple[int, Any]:
    """The exit code, and the rows without what differs; of a refusal without rows, its code."""
    arguments = shlex.split(command)
    plain = arguments[0] == "telemetry" and arguments[1] in {"set", "delete"}
    form = [] if plain or arguments[:2] == ["cluster", "unregister"] else ["--json"]
    result = CliRunner().invoke(root(), [*arguments, *form, "-b", bootstrap])
    if not result.stdout:
        return result.exit_code, result.stderr.partition(": ")[2].partition(":")[0]
    if not form:
        return result.exit_code, result.stdout
    return result.exit_code, [
        {key: _comparable(value) for key, value in row.items() if key not in DIFFERS}
        for row in json.loads(result.stdout)
    ]


def _comparable(value: object) -> object:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [{k: v for k, v in each.items() if k not in DIFFERS} for each in value]
    return sorted(value) if isinstance(value, list) else value


@needs_java
def test_every_verb_tells_the_same_of_apache_kafka_and_of_us(clusters: tuple[str, str]) -> None:
    differences = []
    for command in filter(None, COMMANDS.splitlines()):
        of_kafka, of_ours = (told(bootstrap, command) for bootstrap in clusters)
        if of_kafka != of_ours:
            differences.append(f"{command}\n  Kafka: {of_kafka}\n  ours:  {of_ours}")
    assert not differences, "\n".join(differences)
