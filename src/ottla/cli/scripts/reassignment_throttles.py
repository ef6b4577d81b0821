"""Limits of how fast replicas move, which kafka-reassign-partitions sets and takes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ottla.base.ids import TopicPartition
    from ottla.cli.scripts.reassignment_plan import Target
    from ottla.client.admin.admin import Admin

_RATES: Final = ("leader.replication.throttled.rate", "follower.replication.throttled.rate")
_DIRECTORY_RATE: Final = "replica.alter.log.dirs.io.max.bytes.per.second"
_LEADERS: Final = "leader.replication.throttled.replicas"
_FOLLOWERS: Final = "follower.replication.throttled.replicas"


async def throttle(
    admin: Admin,
    targets: Mapping[TopicPartition, Target],
    current: Mapping[TopicPartition, tuple[int, ...]],
    bytes_per_second: int,
) -> None:
    """Bound what the brokers of these partitions send each other for them."""
    from ottla.client.admin.config_entries import ConfigResource

    brokers = {broker for target in targets.values() for broker in target.replicas}
    brokers |= {broker for replicas in current.values() for broker in replicas}
    rates = dict.fromkeys(_RATES, str(bytes_per_second))
    topics: dict[str, tuple[list[str], list[str]]] = {}
    for partition, target in targets.items():
        leaders, followers = topics.setdefault(partition.topic, ([], []))
        index = partition.partition
        leaders += [f"{index}:{broker}" for broker in current[partition]]
        new = [broker for broker in target.replicas if broker not in current[partition]]
        followers += [f"{index}:{broker}" for broker in new]
    changes: dict[ConfigResource, Mapping[str, str | None]] = {
        ConfigResource.topic(topic): {_LEADERS: ",".join(leaders), _FOLLOWERS: ",".join(followers)}
        for topic, (leaders, followers) in topics.items()
    }
    changes |= {ConfigResource.broker(broker): rates for broker in sorted(brokers)}
    (await admin.configs.alter(changes)).all()
    print(f"The inter-broker throttle limit was set to {bytes_per_second} B/s")


async def throttle_directories(admin: Admin, brokers: Iterable[int], bytes_per_second: int) -> None:
    """Bound what these brokers copy between their own directories."""
    from ottla.client.admin.config_entries import ConfigResource

    rate = {_DIRECTORY_RATE: str(bytes_per_second)}
    changes = {ConfigResource.broker(broker): rate for broker in sorted(set(brokers))}
    if changes:
        (await admin.configs.alter(changes)).all()
    print(f"The replica-alter-dir throttle limit was set to {bytes_per_second} B/s")


async def clear(admin: Admin, brokers: Iterable[int], topics: Iterable[str]) -> None:
    """Take all of it back. Raises UserError for a topic or a broker that is not there."""
    from ottla.client.admin.config_entries import ConfigResource

    listed, names = sorted(set(brokers)), sorted(set(topics))
    print(f"Clearing broker-level throttles on broker{_all(listed)}")
    rates: dict[str, str | None] = dict.fromkeys((*_RATES, _DIRECTORY_RATE))
    (await admin.configs.alter({ConfigResource.broker(each): rates for each in listed})).all()
    print(f"Clearing topic-level throttles on topic{_all(names)}")
    replicas: dict[str, str | None] = dict.fromkeys((_LEADERS, _FOLLOWERS))
    (await admin.configs.alter({ConfigResource.topic(each): replicas for each in names})).all()


def _all(found: list[int] | list[str]) -> str:
    """` 1` or `s 1,2`."""
    return ("s " if len(found) > 1 else " ") + ",".join(map(str, found))
