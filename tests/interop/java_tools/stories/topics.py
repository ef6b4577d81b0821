"""kafka-topics: topics come, change, are looked at and go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.interop.java_tools.story import Step, Story, steps

STORIES: Final[Mapping[str, Story]] = {
    "topics are created as they are asked for": steps(
        "kafka-topics",
        "--create --topic made --partitions 3 --replication-factor 1",
        "! --create --topic made",
        "--create --topic made --if-not-exists",
        "--create --topic made-with --config retention.ms=5000 --config cleanup.policy=compact",
        "--create --topic made-by-hand --replica-assignment 1,1",
        Step("kafka-topics", "--create --topic made.with.dots", in_own_words=True),
        "--describe --topic made",
        "--describe --topic made-with",
        Step("kafka-topics", "--describe --topic made.*", any_order=True),
        "--list --topic made.*",
        "--list --exclude-internal --topic made.*",
    ),
    "topics that cannot be are refused": steps(
        "kafka-topics",
        "! --create --topic refused --config bogus=1",
        "! --create --topic refused --config retention.ms=x",
        "! --create --topic refused --replication-factor 2",
        "! --create --topic refused --replica-assignment 1:2",
        "! --create --topic refused --replica-assignment 2",
        "! --create --topic refused --partitions 0",
        "! --create --topic refused --partitions -1",
        "! --create --topic refused --partitions 100000",
        "! --create --topic refused/",
        "! --create --topic ..",
        Step("kafka-topics", "--create --topic close.to", in_own_words=True),
        "! --create --topic close_to",
        "! --create",
        "! --create --topic refused --bogus",
        "--list --topic refused.*",
    ),
    "topics are described by what is wrong with them": steps(
        "kafka-topics",
        "--create --topic looked-at --partitions 2",
        "--describe --topic looked-at --under-replicated-partitions",
        "--describe --topic looked-at --unavailable-partitions",
        "--describe --topic looked-at --under-min-isr-partitions",
        "--describe --topic looked-at --at-min-isr-partitions",
        "--describe --topic looked-at --topics-with-overrides",
        "! --describe --topic nosuch",
        "--describe --topic nosuch --if-exists",
        "! --describe --topic-id AAAAAAAAAAAAAAAAAAAAAQ",
        "! --describe --topic-id bogus",
    ),
    "topics grow": steps(
        "kafka-topics",
        "--create --topic growing --partitions 3",
        "--alter --topic growing --partitions 5",
        "--describe --topic growing",
        "! --alter --topic growing --partitions 2",
        "! --alter --topic growing --partitions 5",
        "--alter --topic growing --partitions 6 --replica-assignment 1,1,1,1,1,1",
        "! --alter --topic growing --partitions 7 --replica-assignment 1,1,1,1,1,1,2",
        "--describe --topic growing",
        "! --alter --topic nosuch --partitions 2",
        "--alter --topic nosuch --partitions 2 --if-exists",
        "! --alter --topic growing",
    ),
    "topics are deleted": steps(
        "kafka-topics",
        "--create --topic going-1",
        "--create --topic going-2",
        "--delete --topic going-1",
        "! --delete --topic going-1",
        "--delete --topic going-1 --if-exists",
        "--list --topic going.*",
        "--delete --topic going.*",
        "--list --topic going.*",
        "! --delete",
    ),
}
