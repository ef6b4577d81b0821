"""Why something of Kafka's is not here, or not as there: said once, by name or by its beginning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_REMOVED: Final = "removed in Kafka 4.0, with ZooKeeper"
_ONE_PROCESS: Final = "asked by brokers of controllers: here both are one process"
_ONE_HOST: Final = "asked by controllers of each other: here one host keeps the metadata log"
_SHARE: Final = "share groups are not built yet"
_STREAMS: Final = "streams groups are not built yet"
_NEWER: Final = "new in Kafka 4.4"

NOT_SERVED: Final[Mapping[int, str]] = {
    **dict.fromkeys((4, 5, 6, 7), _REMOVED),
    **dict.fromkeys((52, 53, 54, 59, 70, 82), _ONE_HOST),
    **dict.fromkeys((56, 58, 62, 63, 67, 73), _ONE_PROCESS),
    **dict.fromkeys((76, 77, 78, 79, 83, 84, 85, 86, 87, 90, 91, 92), _SHARE),
    **dict.fromkeys((80, 81), "voters come and go where several hosts keep the metadata log"),
    **dict.fromkeys((88, 89), _STREAMS),
    **dict.fromkeys((93, 94), _NEWER),
}
"""APIs, and why they are not served. One that is served needs no reason any more."""

REMARKS: Final[Mapping[int, str]] = {
    0: "versions 0 to 2 are told and refused when used, as in Kafka: old clients of librdkafka "
    "look for them",
    17: "the answers of a listener without SASL",
    18: "version 5 is Kafka 4.4's (KIP-1242)",
    36: "the answers of a listener without SASL",
    64: "a broker that runs is refused",
    **dict.fromkeys(
        (71, 72),
        "told of where metrics are served over HTTP, as Kafka tells of it where a reporter takes "
        "them",
    ),
}
"""What to know of APIs that are served."""

FEATURES: Final[Mapping[str, str]] = {
    "metadata.version": "records are written as of the newest level, whatever the cluster runs; "
    "upgrades, and the downgrades that Kafka allows",
    "kraft.version": "1 moves the voters, this node, into the metadata log, for good",
    "eligible.leader.replicas.version": "1 keeps them; 0 forgets them with the next change",
    "group.version": "1 serves the consumer protocol of groups; 0 refuses it",
    "share.version": _SHARE + ": told, and followed by nothing",
    "streams.version": _STREAMS + ": told, and followed by nothing",
    "transaction.version": "2 gives each transaction an epoch of its own, 1 writes records of the "
    "newer format",
}
"""What follows the level of each feature."""

_TIERED: Final = "tiered storage is not built yet"
_FOLLOWERS: Final = "replication is not built yet"

WITHOUT_EFFECT: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "remote.storage.enable",
            "local.retention.ms",
            "local.retention.bytes",
            "remote.log.copy.disable",
            "remote.log.delete.on.disable",
            "remote.copy.lag.ms",
            "remote.copy.lag.bytes",
        ),
        _TIERED,
    ),
    **dict.fromkeys(
        (
            "leader.replication.throttled.replicas",
            "follower.replication.throttled.replicas",
            "leader.replication.throttled.rate",
            "follower.replication.throttled.rate",
        ),
        _FOLLOWERS,
    ),
    "preallocate": "files grow at their end",
    "errors.deadletterqueue.group.enable": _SHARE,
    **dict.fromkeys(
        (
            "num.io.threads",
            "num.network.threads",
            "num.recovery.threads.per.data.dir",
            "background.threads",
        ),
        "one thread serves",
    ),
    "num.replica.fetchers": _FOLLOWERS,
    "replica.lag.time.max.ms": _FOLLOWERS,
    "request.timeout.ms": "this broker asks nobody",
    "log.flush.start.offset.checkpoint.interval.ms": "log starts are written as they move",
}
"""Settings that are taken so that Kafka's tools and files work, and change nothing."""

NOT_KNOWN: Final[Mapping[str, str]] = {
    "ssl.": "TLS is not built yet",
    "sasl.": "SASL is not built yet",
    "security.": "TLS and SASL are not built yet",
    "principal.builder.class": "TLS and SASL are not built yet",
    "listener.security.protocol.map": "every listener is plain",
    "connections.max.reauth.ms": "SASL is not built yet",
    "connection.failed.authentication.delay.ms": "SASL is not built yet",
    "inter.broker.listener.name": _FOLLOWERS,
    "early.start.listeners": "all listeners begin once the broker can serve",
    "remote.": _TIERED,
    "follower.fetch.last.tiered.offset.enable": _TIERED,
    "group.share.": _SHARE,
    "share.": _SHARE,
    "group.streams.": _STREAMS,
    "streams.": _STREAMS,
    "consumer.assignment.interval.ms": "assignments are computed at once",
    "group.consumer.assignment.": "assignments are computed at once",
    "group.consumer.min.assignment.": "assignments are computed at once",
    "group.consumer.max.assignment.": "assignments are computed at once",
    "group.coordinator.rebalance.protocols": "the feature `group.version` says it",
    "group.coordinator.": "coordinators run in the thread that serves",
    "offsets.load.buffer.size": "offsets are read in pieces of a fixed size",
    "transaction.state.log.load.buffer.size": "transactions are read in pieces of a fixed size",
    "offsets.commit.timeout.ms": "a commit waits for its partition as any write does",
    "offsets.topic.compression.codec": "offsets are small, and written uncompressed",
    "transaction.two.phase.commit.enable": "KIP-939 is not built yet",
    "process.roles": "every node is broker and controller",
    "controller.quorum.": "one host keeps the metadata log",
    "controller.listener.names": "the controller has no listener of its own",
    "controller.socket.timeout.ms": "the controller is in the same process",
    "broker.heartbeat.interval.ms": "a broker's session is a lock on a file, not a heartbeat",
    "broker.session.timeout.ms": "a broker's session is a lock on a file, not a heartbeat",
    "initial.broker.registration.timeout.ms": "a broker registers in its own process",
    "broker.id": "its newer name is `node.id`",
    "controlled.shutdown.enable": "every orderly stop is one",
    "auto.leader.rebalance.enable": _FOLLOWERS,
    "leader.imbalance.check.interval.seconds": _FOLLOWERS,
    "replica.": _FOLLOWERS,
    "replication.quota.": _FOLLOWERS,
    "num.replica.alter.log.dirs.threads": "one process moves replicas between directories",
    "alter.log.dirs.replication.quota.": "the rate is set by "
    "`replica.alter.log.dirs.io.max.bytes.per.second`",
    "fetch.purgatory.": "what waits is woken, and nothing is purged",
    "producer.purgatory.": "what waits is woken, and nothing is purged",
    "delete.records.purgatory.": "what waits is woken, and nothing is purged",
    "queued.max.requests": "a connection is read no faster than it is served",
    "socket.connection.setup.timeout.": "this broker connects to nobody",
    "metadata.": "a snapshot replaces the metadata log, which keeps nothing else",
    "metric.reporters": "metrics are told over HTTP",
    "metrics.": "metrics are told over HTTP",
    "kafka.metrics.": "metrics are told over HTTP",
    "client.quota.callback.class": "there are no Java classes to load",
    "create.topic.policy.class.name": "there are no Java classes to load",
    "alter.config.policy.class.name": "there are no Java classes to load",
    "config.providers": "there are no Java classes to load",
    "cordoned.log.dirs": "not built yet (KIP-1066)",
    "log.dir.failure.timeout.ms": "the controller is in the same process, and is told at once",
}
"""Settings that are refused, by their names or by what these begin with; the longest counts."""
