"""kafka-configs and kafka-client-metrics: what is set on topics, brokers, groups, subscriptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.interop.java_tools.story import Step, Story, steps

OF_KAFKA_4_4: Final = r"^  (errors\.deadletterqueue|remote\.copy\.lag)"
"""Settings of topics that Ottla knows already."""

TOPICS: Final = "kafka-topics"
CONFIGS: Final = "kafka-configs"

STORIES: Final[Mapping[str, Story]] = {
    "topics are configured": steps(
        CONFIGS,
        Step(TOPICS, "--create --topic configured"),
        "--topic configured --alter --add-config retention.ms=5000",
        "--topic configured --describe",
        Step(CONFIGS, "--topic configured --describe --all", without=OF_KAFKA_4_4),
        "--entity-type topics --entity-name configured --describe",
        "--topic configured --alter --add-config cleanup.policy=[compact,delete],flush.ms=7",
        "--topic configured --describe",
        "! --topic configured --alter --add-config retention.ms=abc",
        "! --topic configured --alter --add-config bogus=abc",
        "--topic configured --alter --delete-config bogus",
        "--topic configured --alter --delete-config retention.ms,flush.ms",
        "--topic configured --describe",
        Step(
            CONFIGS,
            "--topic configured --alter --add-config-file {file}",
            files={"file": "retention.ms=6000\nsegment.ms=8000\n"},
        ),
        "--topic configured --describe",
        "! --topic nosuch --alter --add-config retention.ms=5",
        "--topic nosuch --describe",
        "! --describe",
        "! --alter --topic configured",
        "! --alter --topic configured --bogus",
    ),
    "brokers are configured": steps(
        CONFIGS,
        "--broker 1 --describe",
        "--broker 1 --alter --add-config log.retention.ms=7000",
        "--broker 1 --describe",
        "--broker-defaults --alter --add-config log.retention.ms=8000,message.max.bytes=2000000",
        "--broker-defaults --describe",
        "--entity-type brokers --describe",
        "--broker 2 --describe",
        "! --broker 1 --alter --add-config log.retention.ms=x",
        "! --broker 1 --alter --add-config node.id=7",
        "--broker 1 --alter --delete-config log.retention.ms",
        "--broker-defaults --alter --delete-config log.retention.ms,message.max.bytes",
        "--entity-type brokers --describe",
        "--broker-logger 1 --alter --add-config root=ERROR",
        "! --broker-logger 1 --alter --add-config root=NOISY",
        "! --broker-logger 1 --alter --delete-config root",
    ),
    "groups are configured": steps(
        CONFIGS,
        "--group configured --alter --add-config consumer.session.timeout.ms=50000",
        "--group configured --describe",
        Step(CONFIGS, "--entity-type groups --describe", any_order=True),
        "! --group configured --alter --add-config consumer.session.timeout.ms=1",
        "--group configured --alter --delete-config consumer.session.timeout.ms",
        "--group configured --describe",
    ),
    "quotas are set": steps(
        CONFIGS,
        "--user alice --describe",
        "--user alice --alter --add-config producer_byte_rate=1000000",
        "--user alice --describe",
        "--entity-type users --describe",
        "--client c --alter --add-config consumer_byte_rate=1000000",
        "--client c --describe",
        "--client-defaults --alter --add-config request_percentage=5000",
        "--client-defaults --describe",
        "--user alice --client c --alter --add-config controller_mutation_rate=100",
        "--entity-type users --entity-type clients --describe",
        "--user-defaults --alter --add-config consumer_byte_rate=1000000",
        "--user-defaults --describe",
        "--ip 127.0.0.9 --alter --add-config connection_creation_rate=10",
        "--ip 127.0.0.9 --describe",
        "--ip-defaults --describe",
        "! --ip nosuch.invalid --alter --add-config connection_creation_rate=10",
        "! --user alice --alter --add-config bogus=1",
        "! --user alice --alter --add-config producer_byte_rate=x",
        "--user alice --alter --delete-config producer_byte_rate",
        "! --user alice --alter --delete-config producer_byte_rate",
        "--client c --alter --delete-config consumer_byte_rate",
        "--client-defaults --alter --delete-config request_percentage",
        "--user-defaults --alter --delete-config consumer_byte_rate",
        "--user alice --client c --alter --delete-config controller_mutation_rate",
        "--ip 127.0.0.9 --alter --delete-config connection_creation_rate",
        "--entity-type users --describe",
    ),
    "users have credentials": steps(
        CONFIGS,
        "--user bob --alter --add-config SCRAM-SHA-256=[iterations=8192,password=secret]",
        "--user bob --describe",
        # Of several, Kafka tells any first.
        "--user bob --alter --add-config SCRAM-SHA-512=[password=secret]",
        "! --user bob --alter --add-config SCRAM-SHA-256=[iterations=1,password=secret]",
        "--user bob --alter --delete-config SCRAM-SHA-256",
        "--user bob --describe",
        "! --user bob --alter --delete-config SCRAM-SHA-256",
        "--user bob --alter --delete-config SCRAM-SHA-512",
        "--user bob --describe",
    ),
    "clients are asked for metrics": steps(
        "kafka-client-metrics",
        "--alter --name slow --interval 5000 --metrics org.apache",
        "--alter --name slow --match client_id=x,client_software_name=apache-kafka-java",
        "! --alter --name slow --interval",
        "! --alter --name fast --interval 1",
        "--describe",
        "--describe --name slow",
        "--describe --name nosuch",
        "--list",
        Step(CONFIGS, "--client-metrics slow --describe"),
        "--delete --name slow",
        "--delete --name nosuch",
        "--list",
        "! --delete",
        "! --alter",
    ),
}
