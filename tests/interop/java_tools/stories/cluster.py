"""What is asked of the cluster itself: its brokers, levels, voters, leaders, replicas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.interop.java_tools.story import Step, Story, steps

FEATURES: Final = "kafka-features"
QUORUM: Final = "kafka-metadata-quorum"
ELECTION: Final = "kafka-leader-election"
REASSIGN: Final = "kafka-reassign-partitions"
CONFIGS: Final = "kafka-configs"
TOPICS: Final = "kafka-topics"

OTHER_APIS: Final = r"^\t(ApiVersions|DescribeTopicPartitions|\w*(Share|Streams|Raft)\w*)\("
"""A version of Kafka 4.4; the last one that both have; those that only Kafka has."""
PLACES: Final = r"^CurrentVoters|^1 "
"""What names directories and ends of logs."""


def planned(options: str, *partitions: str, **more: str) -> Step:
    """A reassignment of these partitions, as JSON."""
    plan = f'{{"version":1,"partitions":[{",".join(partitions)}]}}'
    return Step(REASSIGN, f"{options} --reassignment-json-file {{plan}}", files={"plan": plan})


STAYS: Final = '{"topic":"moved","partition":0,"replicas":[1],"log_dirs":["any"]}'
NAMED_PLACE: Final = '{"topic":"moved","partition":1,"replicas":[1],"log_dirs":["{data}"]}'
TO_NOBODY: Final = '{"topic":"moved","partition":0,"replicas":[2]}'
TO_TWO: Final = '{"topic":"moved","partition":0,"replicas":[1,2]}'
OF_NOTHING: Final = '{"topic":"nosuch","partition":0,"replicas":[1]}'

STORIES: Final[Mapping[str, Story]] = {
    "the cluster is described": steps(
        "kafka-cluster",
        "cluster-id",
        "list-endpoints",
        "list-endpoints --include-fenced-brokers",
        "! unregister --id 7",
        "! unregister",
        "! bogus",
        Step("kafka-broker-api-versions", "", without=OTHER_APIS),
        Step("kafka-broker-api-versions", "--version"),
    ),
    "levels of features": steps(
        FEATURES,
        Step(FEATURES, "describe", any_numbers=True),
        "upgrade --feature transaction.version=2",
        "! upgrade --feature transaction.version=9",
        "! upgrade --feature bogus=1",
        "! upgrade --feature transaction.version",
        "upgrade --release-version 4.3 --dry-run",
        "upgrade --release-version 4.3",
        Step(
            QUORUM,
            "! remove-controller --controller-id 1 "
            "--controller-directory-id AAAAAAAAAAAAAAAAAAAAAQ",
            differs="the voters of one host never change",
        ),
        Step(FEATURES, "upgrade --metadata 4.3", in_own_words=True),
        "upgrade --feature group.version=1 --feature share.version=1",
        "! upgrade --feature bogus=1 --feature share.version=1",
        "! upgrade --feature group.version=x",
        "downgrade --feature group.version=0 --dry-run",
        "! downgrade --release-version 4.2 --dry-run",
        "! downgrade --feature metadata.version=3 --dry-run",
        "downgrade --feature transaction.version=1 --dry-run",
        "disable --feature share.version --dry-run",
        "! upgrade --release-version 1.0",
        "version-mapping",
        "version-mapping --release-version 4.2",
        "version-mapping --release-version 3.9",
        "feature-dependencies --feature transaction.version=2",
        "feature-dependencies --feature eligible.leader.replicas.version=1",
        "feature-dependencies --feature metadata.version=30",
        "! feature-dependencies --feature transaction.version=9",
        "! feature-dependencies --feature bogus=2",
        "! upgrade",
        "! bogus",
    ),
    "the quorum is described": steps(
        QUORUM,
        Step(QUORUM, "describe --status", any_numbers=True, without=PLACES),
        Step(QUORUM, "describe --replication", without=PLACES),
        Step(QUORUM, "describe --replication --human-readable", without=PLACES),
        "! describe",
        "! bogus",
    ),
    "leaders are elected": steps(
        ELECTION,
        Step(TOPICS, "--create --topic elected --partitions 2"),
        "--election-type preferred --topic elected --partition 0",
        "--election-type PREFERRED --all-topic-partitions",
        "--election-type unclean --topic elected --partition 0",
        "! --election-type preferred --topic elected --partition 9",
        "! --election-type preferred --topic nosuch --partition 0",
        Step(
            ELECTION,
            "--election-type preferred --path-to-json-file {wanted}",
            files={"wanted": '{"partitions":[{"topic":"elected","partition":1}]}'},
        ),
        Step(
            ELECTION,
            "! --election-type unclean --path-to-json-file {wanted}",
            files={
                "wanted": '{"partitions":[{"topic":"elected","partition":0},'
                '{"topic":"nosuch","partition":1}]}'
            },
        ),
        Step(
            ELECTION,
            "! --election-type preferred --path-to-json-file {wanted}",
            files={"wanted": "nonsense"},
        ),
        "! --election-type bogus --all-topic-partitions",
        "! --election-type preferred",
        "! --all-topic-partitions",
        "! --bogus",
    ),
    "replicas are reassigned": (
        Step(TOPICS, "--create --topic moved --partitions 2"),
        Step(REASSIGN, "--list"),
        Step(
            REASSIGN,
            "--generate --topics-to-move-json-file {topics} --broker-list 1",
            files={"topics": '{"version":1,"topics":[{"topic":"moved"}]}'},
        ),
        Step(
            REASSIGN,
            "--generate --topics-to-move-json-file {topics} --broker-list 1,2",
            files={"topics": '{"version":1,"topics":[{"topic":"moved"}]}'},
        ),
        planned("--execute", STAYS),
        planned("--verify", STAYS),
        planned("--execute", NAMED_PLACE),
        planned("--verify", NAMED_PLACE),
        planned("! --execute", TO_NOBODY),
        planned("! --execute", TO_TWO),
        planned("! --execute --disallow-replication-factor-change", TO_TWO),
        planned("--verify --preserve-throttles", TO_NOBODY),
        planned("! --execute", OF_NOTHING),
        planned("! --verify", OF_NOTHING),
        planned("! --execute", STAYS, STAYS),
        planned("! --execute"),
        planned("--cancel", STAYS),
        planned("--cancel --preserve-throttles", STAYS),
        planned("--execute --throttle 1000000", STAYS),
        Step(CONFIGS, "--broker 1 --describe", any_order=True),
        Step(CONFIGS, "--topic moved --describe", any_order=True),
        planned("--execute --additional --throttle 2000000", STAYS),
        planned("--verify --preserve-throttles", STAYS),
        planned("--verify", STAYS),
        Step(CONFIGS, "--broker 1 --describe"),
        Step(CONFIGS, "--topic moved --describe"),
        planned("--execute --replica-alter-log-dirs-throttle 2000", STAYS),
        planned("--verify", STAYS),
        planned("! --verify --additional", STAYS),
        Step(REASSIGN, "! --execute --reassignment-json-file {plan}", files={"plan": "nonsense"}),
        Step(REASSIGN, "! --execute"),
        Step(REASSIGN, "! --bogus"),
        Step(REASSIGN, "! --list --execute"),
    ),
}
