"""What client libraries log that is a complaint, and what is none in its place."""

from __future__ import annotations

import re
from collections.abc import Iterator

# librdkafka's lines begin with their level, as syslog counts: up to 4 is a warning or worse.
LIBRDKAFKA_HEAD = re.compile(r"%(?P<level>\d)\|")
WARNING = 4
# Python's begin with the level's name, Java's with the thread and the level's name.
OTHER_HEAD = re.compile(r"(\[[^]]+\] )?(WARNING|WARN|ERROR|CRITICAL)\b")

# What they say of groups that are well, with Apache Kafka as with us.
ORDINARY = {
    "librdkafka": r"(?!)",
    # It may have to assign before it has heard of the topic, and joins again when it has. What it
    # still asks for when it leaves is cancelled, and its loop may trip over its own closed socket.
    "kafka-python": r"Error receiving network data closing socket|NetworkSelector closed"
    r"|No partition metadata for topic|Metadata refresh: failed Cancelled"
    r"|Error sending \w+ to node \S+ \[Cancelled\]|Marking the coordinator dead .*: Cancelled",
    # It warns of every rebalance, and commits while it joins.
    "aiokafka": r"Heartbeat failed for group \S+ because it is rebalancing"
    r"|OffsetCommit failed for group \S+ due to group error \(\[Error (22|27)\]",
    # Its members leave all at once: one is given what another one had while it closes.
    "java": r"Reconciliation failed.*could not be completed before the consumer closed",
}

# What they say of connections while their broker is dead, or takes long to come back: it has its
# port before it serves.
BROKER_DIED = {
    "librdkafka": r"\|FAIL\|.*(Connection (refused|reset)|Disconnected"
    r"|ApiVersionRequest failed: Local: Timed out)|\|(REQTMOUT|SESSTMOUT)\||brokers are down",
    "kafka-python": r"KafkaConnectionError|Connection reset|Connection refused|socket disconnected"
    r"|No node available for metadata refresh|Marking the coordinator dead",
    "aiokafka": r"Unable connect to|Unable to (update|request) metadata from|KafkaConnectionError"
    r"|NodeNotReadyError|Marking the coordinator dead",
    "java": r"NetworkClient - .*(could not be established|disconnected)",
}

# What they say when they find that they have slept for longer than their session.
WAS_PAUSED = {
    "librdkafka": r"\|SESSTMOUT\|",
    "kafka-python": r"Heartbeat session expired|UnknownMemberIdError|IllegalGenerationError"
    r"|local member_id was not recognized|generation id is not",
    "aiokafka": r"Heartbeat session expired|UnknownMemberIdError|IllegalGenerationError"
    r"|local member_id was not recognized|generation id is not|Marking the coordinator dead",
    "java": r"Offset commit failed on partition .*(not aware of this member|generation)"
    r"|Offset(Commit|Fetch) failed with (UNKNOWN_MEMBER_ID|STALE_MEMBER_EPOCH)"
    r"|Error fetching committed offsets.*UnknownMemberIdException",
}


def complaints(library: str, log: str, *, broker_died: bool, was_paused: bool) -> list[str]:
    """What is said that something is wrong, where nothing that a test has done explains it."""
    explained = [ORDINARY[library]]
    if broker_died:
        explained.append(BROKER_DIED[library])
    if was_paused:
        explained.append(WAS_PAUSED[library])
    known = re.compile("|".join(explained), re.DOTALL)
    return [each for each in entries(log) if not is_quiet(each) and not known.search(each)]


def is_quiet(entry: str) -> bool:
    """Whether it is nothing that a library warns of."""
    told = LIBRDKAFKA_HEAD.match(entry)
    return told is not None and int(told["level"]) > WARNING


def entries(log: str) -> Iterator[str]:
    """Lines with those that belong to them, as a trace does."""
    entry = ""
    for line in log.splitlines():
        is_head = LIBRDKAFKA_HEAD.match(line) or OTHER_HEAD.match(line)
        if is_head and entry:
            yield entry
            entry = ""
        entry = f"{entry}\n{line}" if entry else line
    if entry:
        yield entry
