"""Settings as DescribeConfigs tells them: their values, where these come from, what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import dropwhile
from typing import Final, NamedTuple

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.config_alteration import not_this_node
from ottla.broker.loggers import logger_levels
from ottla.metadata.config_change import bad_request
from ottla.metadata.image import ConfigResource, ResourceType
from ottla.metadata.names import is_topic_name
from ottla.settings import broker as broker_keys
from ottla.settings.broker import BrokerSettings
from ottla.settings.client_metrics import subscription_layers
from ottla.settings.engine import Assigned, Change, ConfigSource, Layers, Resolved
from ottla.settings.group import group_layers
from ottla.settings.topic import SETTINGS as TOPIC_SETTINGS

UNKNOWN_KIND: Final = 0
"""The type of what has none here: levels of loggers, and settings of another version."""
OTHER_UNITS: Final = {
    synonym.name: tuple(other.name for other in setting.synonyms[place:] if other.factor != 1)
    for setting in TOPIC_SETTINGS
    for place, synonym in enumerate(setting.synonyms, 1)
}
"""Broker settings that stand in for one that is not set."""
ONLY_WHERE_SET: Final = frozenset(
    (
        "leader.replication.throttled.rate",
        "follower.replication.throttled.rate",
        "replica.alter.log.dirs.io.max.bytes.per.second",
    )
)
"""Kafka knows no defaults of these: tools set them for a while, and take them back."""
FIRST_STAND_IN: Final = {
    setting.name: setting.synonyms[0].name for setting in TOPIC_SETTINGS if setting.synonyms
}
"""Of a topic's setting."""


class Description(NamedTuple):
    """One setting; `chain` is every place that gives it a value, the strongest first."""

    name: str
    text: str | None
    source: ConfigSource
    chain: tuple[Assigned, ...] = ()
    kind: int = UNKNOWN_KIND
    is_sensitive: bool = False
    is_read_only: bool = False
    doc: str | None = None


def descriptions(resource: ConfigResource, broker: Broker) -> Iterator[Description]:
    """All settings of a resource. Raises ProtocolError where there is no such resource."""
    texts = broker.metadata.image.configs.get(resource, {})
    match resource.type:
        case ResourceType.TOPIC:
            return map(_of_a_topic, _all(_topic_layers(resource.name, broker)))
        case ResourceType.BROKER if not resource.name:
            return _of_every_broker(texts)
        case ResourceType.BROKER:
            return _of_this_broker(resource.name, texts, broker)
        case ResourceType.BROKER_LOGGER:
            return _loggers(resource.name, broker)
        case ResourceType.CLIENT_METRICS:
            _check_named(resource.name, "subscription to client metrics")
            return map(_without_default, _all(subscription_layers(texts)))
        case ResourceType.GROUP:
            _check_named(resource.name, "group")
            return _all(group_layers(texts, broker.settings))
    raise bad_request(
        f"resource type {resource.type} has no settings: topics (2), brokers (4), broker loggers "
        "(8), client metrics (16) and groups (32) do"
    )


def _all(layers: Layers) -> Iterator[Description]:
    return (_described(layers.resolve(setting)) for setting in layers.table)


def _described(resolved: Resolved) -> Description:
    setting = resolved.setting
    return Description(
        name=setting.name,
        text=resolved.text,
        source=resolved.source,
        chain=resolved.chain,
        kind=setting.kind,
        is_sensitive=setting.sensitive,
        is_read_only=setting.change is Change.AT_START,
        doc=setting.doc,
    )


def _check_named(name: str, noun: str) -> None:
    if not name:
        raise bad_request(f"name the {noun}")


# -- topics, groups, subscriptions -----------------------------------------------------------------


def _topic_layers(name: str, broker: Broker) -> Layers:
    if not is_topic_name(name):
        raise ProtocolError(ErrorCode.INVALID_TOPIC_EXCEPTION, f"no topic can be called {name!r}")
    if name not in broker.metadata.image.topics_by_name:
        raise ProtocolError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"there is no topic {name}")
    return broker.replicas.topic_layers(name, broker.metadata.image)


def _of_a_topic(told: Description) -> Description:
    """As Kafka tells topics: below its own value, what begins with the setting's first stand-in.

    `log.retention.hours` alone is no place of `retention.ms`; nor is a default of the topic's own.
    """
    own = [place for place in told.chain if place.source is ConfigSource.DYNAMIC_TOPIC]
    first = FIRST_STAND_IN.get(told.name)
    below = dropwhile(lambda place: place.name != first, told.chain[len(own) :])
    chain = (*own, *below)
    return told._replace(chain=chain, source=chain[0].source if chain else ConfigSource.DEFAULT)


def _without_default(told: Description) -> Description:
    """As Kafka tells subscriptions: a default is no place of its own."""
    chain = tuple(place for place in told.chain if place.source is not ConfigSource.DEFAULT)
    return told._replace(chain=chain)


# -- brokers ---------------------------------------------------------------------------------------


def _of_this_broker(name: str, texts: Mapping[str, str], broker: Broker) -> Iterator[Description]:
    _check_is_here(name, broker)
    for setting in broker.settings.table:
        told = _described(broker.settings.resolve(setting))
        if setting.name not in ONLY_WHERE_SET:
            yield told._replace(chain=told.chain + _in_other_units(setting.name, broker.settings))
        elif told.source is not ConfigSource.DEFAULT:
            yield _without_default(told)
    yield from _not_ours(texts, ConfigSource.DYNAMIC_BROKER)


def _in_other_units(name: str, settings: BrokerSettings) -> tuple[Assigned, ...]:
    """What `log.retention.minutes` and `.hours` say where `.ms` says nothing, and so on."""
    return tuple(
        place
        for unit in OTHER_UNITS.get(name, ())
        for place in settings.resolve(settings.table[unit]).chain
    )


def _of_every_broker(texts: Mapping[str, str]) -> Iterator[Description]:
    """Only what is set for all: each broker tells the rest of itself."""
    source = ConfigSource.DYNAMIC_DEFAULT_BROKER
    usable = broker_keys.SETTINGS.usable(texts, changes=tuple(Change))
    for name, text in usable.items():
        setting = broker_keys.SETTINGS[name]
        place = Assigned(name, text, source, setting.parse(text))
        yield _described(Resolved(setting, place.value, text, source, (place,)))
    for name in [name for name in texts if name not in usable]:
        refusing = broker_keys.SETTINGS.get(name)
        if refusing is not None:  # another version has let it pass; here it has no effect
            place = Assigned(name, texts[name], source, None)
            yield _described(Resolved(refusing, None, texts[name], source, (place,)))
    yield from _not_ours(texts, source)


def _not_ours(texts: Mapping[str, str], source: ConfigSource) -> Iterator[Description]:
    """What another version has set: nobody here can say whether it is a secret."""
    for name, text in texts.items():
        if name not in broker_keys.SETTINGS:
            place = Assigned(name, text, source, text)
            yield Description(name, text, source, (place,), is_sensitive=True, is_read_only=True)


def _loggers(name: str, broker: Broker) -> Iterator[Description]:
    _check_is_here(name, broker)
    for logger, level in logger_levels().items():
        yield Description(logger, level, ConfigSource.DYNAMIC_BROKER_LOGGER)


def _check_is_here(name: str, broker: Broker) -> None:
    if name != str(broker.node_id):
        raise not_this_node(broker, name)
