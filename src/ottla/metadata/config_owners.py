"""What may be set on topics, brokers, client metrics subscriptions and groups, and what not.

The errors are those that Apache Kafka gives for each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.metadata.config_change import ConfigChange, ConfigOperation, bad_request, invalid
from ottla.metadata.features import elr_enabled
from ottla.metadata.image import ConfigResource, MetadataImage, ResourceType
from ottla.metadata.names import check_topic_name
from ottla.settings import broker as broker_table
from ottla.settings import client_metrics as metrics_table
from ottla.settings import group as group_table
from ottla.settings import topic as topic_table
from ottla.settings.addresses import parse_connections
from ottla.settings.broker import BrokerSettings
from ottla.settings.engine import (
    FOR_ALL_BROKERS,
    FOR_ONE_BROKER,
    Setting,
    SettingError,
    SettingTable,
    UnknownSettingError,
)
from ottla.settings.group import check_group
from ottla.settings.threads import check_threads_change
from ottla.settings.topic import TopicSettings
from ottla.settings.values import SettingKind

Texts = Mapping[str, str]

_CLEANER_THREAD_BYTES_MIN: Final = 1024 * 1024


class Owner(Struct, frozen=True, kw_only=True):
    """One kind of resource.

    `admit` refuses resources and changes before anybody looks at values, `check` refuses all texts
    together; `unknown` and `refused` are the errors for keys and values.
    """

    table: SettingTable
    unknown: ErrorCode
    refused: ErrorCode
    admit: Callable[[MetadataImage, ConfigResource, Sequence[ConfigChange]], None]
    check: Callable[[MetadataImage, ConfigResource, Texts, BrokerSettings], None]
    has_lists: bool

    def known(self, name: str) -> Setting[Any]:
        """The declaration of a key. Raises ProtocolError with the nearest ones."""
        try:
            return self.table[name]
        except UnknownSettingError as error:
            raise ProtocolError(self.unknown, str(error)) from None

    def check_values(
        self,
        image: MetadataImage,
        resource: ConfigResource,
        texts: Texts,
        settings: BrokerSettings,
    ) -> None:
        """Raises ProtocolError where the texts of a resource cannot be, or not together."""
        try:
            self.check(image, resource, texts, settings)
        except SettingError as error:
            raise ProtocolError(self.refused, str(error)) from None


def owner_of(resource: ConfigResource) -> Owner:
    """Raises ProtocolError(INVALID_REQUEST) where such resources are not kept in the metadata."""
    owner = _OWNERS.get(resource.type)
    if owner is None:
        raise bad_request(
            f"resource type {resource.type} has no settings here: topics (2), brokers (4), client "
            "metrics (16) and groups (32) do"
        )
    return owner


def cluster_topic_settings(image: MetadataImage, settings: BrokerSettings) -> TopicSettings:
    """What topics are set to, as every controller sees it: no single broker's own settings."""
    return TopicSettings(cluster_settings(image, settings))


def cluster_settings(image: MetadataImage, settings: BrokerSettings) -> BrokerSettings:
    """What is set for every broker."""
    everywhere = broker_table.SETTINGS.usable(image.broker_configs(None), changes=FOR_ALL_BROKERS)
    return BrokerSettings(settings.static, dynamic_default=everywhere)


# -- topics ----------------------------------------------------------------------------------------


def _admit_topic(
    image: MetadataImage, resource: ConfigResource, changes: Sequence[ConfigChange]
) -> None:
    if not resource.name:
        raise bad_request("name the topic: there are no settings of all topics together")
    check_topic_name(resource.name)
    if resource.name not in image.topics_by_name:
        raise ProtocolError(
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"there is no topic {resource.name!r}"
        )


def _check_topic(
    image: MetadataImage, resource: ConfigResource, texts: Texts, settings: BrokerSettings
) -> None:
    cluster_topic_settings(image, settings).check(texts)


# -- brokers ---------------------------------------------------------------------------------------


def _admit_broker(
    image: MetadataImage, resource: ConfigResource, changes: Sequence[ConfigChange]
) -> None:
    if resource.name:
        _check_node_id(image, resource.name)
    _check_min_insync_replicas(image, resource, changes)
    allowed = FOR_ONE_BROKER if resource.name else FOR_ALL_BROKERS
    fixed = [
        change.name
        for change in changes
        if change.operation != ConfigOperation.DELETE
        and change.name in broker_table.SETTINGS
        and broker_table.SETTINGS[change.name].change not in allowed
    ]
    if fixed:
        raise bad_request(
            f"a running broker cannot change {', '.join(fixed)}: set it in its configuration and "
            "start it again"
        )


def _check_node_id(image: MetadataImage, name: str) -> None:
    if not (name.isascii() and name.isdigit() and name == str(int(name))):
        raise bad_request(f"a broker is named by its node id, a number, not {name!r}")
    if int(name) not in image.brokers:
        raise bad_request(f"this cluster has no broker {name}")


def _check_min_insync_replicas(
    image: MetadataImage, resource: ConfigResource, changes: Sequence[ConfigChange]
) -> None:
    """Eligible leader replicas want one value for the whole cluster (KIP-966)."""
    operations = {change.name: change.operation for change in changes}
    operation = operations.get(topic_table.MIN_INSYNC_REPLICAS.name)
    if operation is None or not elr_enabled(image):
        return
    if resource.name:
        raise invalid(
            "min.insync.replicas holds for the whole cluster while eligible leader replicas are "
            "kept: set it for all brokers at once, with an empty broker name"
        )
    if operation == ConfigOperation.DELETE:
        raise invalid(
            "the cluster needs a min.insync.replicas while eligible leader replicas are kept: set "
            "another value in the place of this one"
        )


def _check_broker(
    image: MetadataImage, resource: ConfigResource, texts: Texts, settings: BrokerSettings
) -> None:
    table = broker_table.SETTINGS
    table.parse_all({name: text for name, text in texts.items() if name in table})
    after = _broker_settings(image, resource, texts, settings)
    if resource.name:
        before = _broker_settings(image, resource, image.configs.get(resource, {}), settings)
        check_threads_change(before.values(), after.values())
    else:
        _check_threads_of_each(image, texts, settings)
    _check_reachable(after)
    if not resource.name:
        _check_each_reachable(image, texts, settings)
    TopicSettings(after).check({})
    threads = after[broker_table.LOG_CLEANER_THREADS]
    buffer_bytes = after[broker_table.LOG_CLEANER_DEDUPE_BUFFER_SIZE]
    if buffer_bytes < threads * _CLEANER_THREAD_BYTES_MIN:
        raise SettingError(
            f"log.cleaner.dedupe.buffer.size={buffer_bytes} is too little for "
            f"log.cleaner.threads={threads}: each needs {_CLEANER_THREAD_BYTES_MIN}"
        )


def _check_reachable(settings: BrokerSettings, who: str = "") -> None:
    """Nobody could undo it: the metadata is stronger than the file of the broker."""
    if not settings[broker_table.MAX_CONNECTIONS] or not _lets_an_address_in(settings):
        raise SettingError(
            f"no connection at all would be let in{who}: leave max.connections above 0, and "
            "max.connections.per.ip too unless max.connections.per.ip.overrides names an address"
        )


def _lets_an_address_in(settings: BrokerSettings) -> bool:
    overrides = parse_connections(settings[broker_table.MAX_CONNECTIONS_PER_IP_OVERRIDES])
    return settings[broker_table.MAX_CONNECTIONS_PER_IP] > 0 or any(overrides.values())


def _check_threads_of_each(image: MetadataImage, texts: Texts, settings: BrokerSettings) -> None:
    """What a broker has of its own it goes on doing, whatever all get."""
    present = image.broker_configs(None)
    for node_id in image.brokers:
        own = image.configs.get(ConfigResource(ResourceType.BROKER, str(node_id)), {})
        before, after = _layered(settings, own, present), _layered(settings, own, texts)
        check_threads_change(before.values(), after.values())


def _check_each_reachable(image: MetadataImage, texts: Texts, settings: BrokerSettings) -> None:
    """What is set for all lies under what single brokers have of their own."""
    for resource, own in image.configs.items():
        if resource.type == ResourceType.BROKER and resource.name:
            _check_reachable(_layered(settings, own, texts), f" by broker {resource.name}")


def _broker_settings(
    image: MetadataImage, resource: ConfigResource, texts: Texts, settings: BrokerSettings
) -> BrokerSettings:
    """What a broker, or every one, is set to with these texts of its own."""
    if resource.name:
        return _layered(settings, texts, image.broker_configs(None))
    return _layered(settings, {}, texts)


def _layered(settings: BrokerSettings, own: Texts, everywhere: Texts) -> BrokerSettings:
    """As a running broker follows them."""
    table = broker_table.SETTINGS
    return BrokerSettings(
        settings.static,
        dynamic=table.usable(own, changes=FOR_ONE_BROKER),
        dynamic_default=table.usable(everywhere, changes=FOR_ALL_BROKERS),
    )


# -- client metrics and groups ---------------------------------------------------------------------


def _admit_subscription(
    image: MetadataImage, resource: ConfigResource, changes: Sequence[ConfigChange]
) -> None:
    if not resource.name:
        raise bad_request("name the subscription to client metrics")


def _check_subscription(
    image: MetadataImage, resource: ConfigResource, texts: Texts, settings: BrokerSettings
) -> None:
    table = metrics_table.SETTINGS
    try:
        table.parse_all({name: text for name, text in texts.items() if name in table})
    except SettingError as error:
        # Kafka calls a number that is out of bounds a bad request, and any other text bad.
        interval = texts.get(metrics_table.INTERVAL_MS.name)
        if interval is not None and metrics_table.is_out_of_bounds(interval):
            raise bad_request(str(error)) from None
        raise


def _admit_group(
    image: MetadataImage, resource: ConfigResource, changes: Sequence[ConfigChange]
) -> None:
    if not resource.name:
        raise bad_request("name the group: there are no settings of all groups together")


def _check_group(
    image: MetadataImage, resource: ConfigResource, texts: Texts, settings: BrokerSettings
) -> None:
    check_group(texts, cluster_settings(image, settings))


_OWNERS: Final[Mapping[int, Owner]] = {
    ResourceType.TOPIC: Owner(
        table=topic_table.SETTINGS,
        unknown=ErrorCode.INVALID_CONFIG,
        refused=ErrorCode.INVALID_CONFIG,
        admit=_admit_topic,
        check=_check_topic,
        has_lists=True,
    ),
    ResourceType.BROKER: Owner(
        table=broker_table.SETTINGS,
        unknown=ErrorCode.INVALID_REQUEST,
        refused=ErrorCode.INVALID_REQUEST,
        admit=_admit_broker,
        check=_check_broker,
        has_lists=True,
    ),
    ResourceType.CLIENT_METRICS: Owner(
        table=metrics_table.SETTINGS,
        unknown=ErrorCode.INVALID_REQUEST,
        refused=ErrorCode.INVALID_CONFIG,
        admit=_admit_subscription,
        check=_check_subscription,
        has_lists=False,
    ),
    ResourceType.GROUP: Owner(
        table=group_table.SETTINGS,
        unknown=ErrorCode.INVALID_CONFIG,
        refused=ErrorCode.INVALID_CONFIG,
        admit=_admit_group,
        check=_check_group,
        has_lists=False,
    ),
}


def is_list(owner: Owner, setting: Setting[Any]) -> bool:
    """Whether items may be appended: Kafka takes subscriptions only as a whole."""
    return owner.has_lists and setting.kind is SettingKind.LIST
