"""Configurations of topics and brokers: what is set, checked before it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.metadata.decision import Decision
from ottla.metadata.features import elr_enabled
from ottla.metadata.image import ConfigResource, MetadataImage, ResourceType
from ottla.metadata.names import check_topic_name
from ottla.settings import broker as broker_table
from ottla.settings import topic as topic_table
from ottla.settings.broker import BrokerSettings
from ottla.settings.engine import Change, Setting, SettingError, SettingTable, UnknownSettingError
from ottla.settings.topic import TopicSettings, check_together
from ottla.settings.values import SettingKind, parse_value
from ottla.wire.payloads.metadata import ClearElrRecord, ConfigRecord
from ottla.wire.schema import Payload


class ConfigOperation(IntEnum):
    """What to do with one key (KIP-339)."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


class ConfigChange(NamedTuple):
    """One change of one key; the value of a deletion does not matter."""

    name: str
    operation: int
    value: str | None


class ResourceChange(NamedTuple):
    """All changes of one resource: they happen together or not at all."""

    resource: ConfigResource
    changes: Sequence[ConfigChange]


class ConfigResult(NamedTuple):
    """The answer for one resource."""

    resource: ConfigResource
    error_code: ErrorCode
    error_message: str | None


def cluster_topic_settings(image: MetadataImage, settings: BrokerSettings) -> TopicSettings:
    """What topics are set to, as every controller sees it: no single broker's own settings."""
    everywhere = BrokerSettings(settings.static, dynamic_default=image.broker_configs(None))
    return TopicSettings(everywhere)


def check_topic_configs(texts: Mapping[str, str | None], settings: TopicSettings) -> dict[str, str]:
    """The texts of a new topic. Raises ProtocolError(INVALID_CONFIG)."""
    nulls = [name for name, text in texts.items() if text is None]
    if nulls:
        raise _invalid(f"no value is given for {', '.join(nulls)}")
    given = {name: text for name, text in texts.items() if text is not None}
    for name in given:
        _known(topic_table.SETTINGS, name)
    try:
        check_together(settings.values(given))
    except SettingError as error:
        raise _invalid(str(error)) from None
    return given


def decide_alter_configs(
    image: MetadataImage,
    changes: Sequence[ResourceChange],
    *,
    settings: BrokerSettings,
    validate_only: bool = False,
) -> Decision[list[ConfigResult]]:
    """Change configurations key by key; each resource succeeds or fails on its own."""
    named = Counter(change.resource for change in changes)
    records: list[Payload] = []
    results = []
    for change in changes:
        try:
            if named[change.resource] > 1:
                raise _bad_request("this resource is named more than once in the request")
            records += _alter_one(image, change, settings)
            results.append(ConfigResult(change.resource, ErrorCode.NONE, None))
        except ProtocolError as error:
            results.append(ConfigResult(change.resource, error.code, error.message))
    return Decision(() if validate_only else tuple(records), results)


def _alter_one(
    image: MetadataImage, change: ResourceChange, settings: BrokerSettings
) -> list[Payload]:
    resource = change.resource
    if resource.type == ResourceType.TOPIC:
        _check_topic(image, resource)
        table = topic_table.SETTINGS
    elif resource.type == ResourceType.BROKER:
        _check_broker(image, resource, change.changes)
        table = broker_table.SETTINGS
    else:
        raise _bad_request(
            f"resource type {resource.type} has no settings here: topics (2) and brokers (4) do"
        )
    before = image.configs.get(resource, {})
    after = _changed(before, change.changes, table, image, settings)
    _check_values(resource, after, cluster_topic_settings(image, settings))
    records = [
        ConfigRecord(
            resource_type=resource.type,
            resource_name=resource.name,
            name=name,
            value=after.get(name),
        )
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]
    return [*records, *_forgotten_elr(image, resource, records)]


def _check_topic(image: MetadataImage, resource: ConfigResource) -> None:
    if not resource.name:
        raise _bad_request("name the topic: there are no settings of all topics together")
    check_topic_name(resource.name)
    if resource.name not in image.topics_by_name:
        raise ProtocolError(
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"there is no topic {resource.name!r}"
        )


def _check_broker(
    image: MetadataImage, resource: ConfigResource, changes: Iterable[ConfigChange]
) -> None:
    if resource.name and not (resource.name.isascii() and resource.name.isdigit()):
        raise _bad_request(f"a broker is named by its node id, a number, not {resource.name!r}")
    if resource.name and int(resource.name) not in image.brokers:
        raise _bad_request(f"this cluster has no broker {resource.name}")
    _check_min_insync_replicas(image, resource, changes)
    allowed = {Change.CLUSTER_WIDE, Change.PER_BROKER if resource.name else Change.CLUSTER_WIDE}
    fixed = [
        change.name
        for change in changes
        if change.operation != ConfigOperation.DELETE and _change_of(change.name) not in allowed
    ]
    if fixed:
        raise _bad_request(
            f"a running broker cannot change {', '.join(fixed)}: set it in its configuration and "
            "start it again"
        )


def _check_min_insync_replicas(
    image: MetadataImage, resource: ConfigResource, changes: Iterable[ConfigChange]
) -> None:
    """Eligible leader replicas want one value for the whole cluster (KIP-966)."""
    operations = {change.name: change.operation for change in changes}
    operation = operations.get(topic_table.MIN_INSYNC_REPLICAS.name)
    if operation is None or not elr_enabled(image):
        return
    if resource.name:
        raise _invalid(
            "min.insync.replicas holds for the whole cluster while eligible leader replicas are "
            "kept: set it for all brokers at once, with an empty broker name"
        )
    if operation == ConfigOperation.DELETE:
        raise _invalid(
            "the cluster needs a min.insync.replicas while eligible leader replicas are kept: set "
            "another value in the place of this one"
        )


def _change_of(name: str) -> Change | None:
    setting = broker_table.SETTINGS.get(name)
    return None if setting is None else setting.change


def _changed(
    before: Mapping[str, str],
    changes: Sequence[ConfigChange],
    table: SettingTable,
    image: MetadataImage,
    settings: BrokerSettings,
) -> dict[str, str]:
    """All texts of a resource after its changes."""
    if len({change.name for change in changes}) < len(changes):
        raise _bad_request("a setting is changed twice in one request")
    after = dict(before)
    for name, operation, value in changes:
        if operation == ConfigOperation.DELETE:
            after.pop(name, None)
            continue
        if operation not in tuple(ConfigOperation):
            raise _bad_request(
                f"operation {operation} is unknown: 0 sets, 1 deletes, 2 appends, 3 subtracts"
            )
        if value is None:
            raise _bad_request(f"no value is given for {name}")
        setting = _known(table, name)
        if operation == ConfigOperation.SET:
            after[name] = value
        else:
            present = _present_list(setting, before, image, settings)
            after[name] = _list_changed(setting, present, ConfigOperation(operation), value)
    return after


def _known(table: SettingTable, name: str) -> Setting[Any]:
    """The declaration of a key. Raises ProtocolError(INVALID_CONFIG) with the nearest ones."""
    try:
        return table[name]
    except UnknownSettingError as error:
        raise _invalid(str(error)) from None


def _present_list(
    setting: Setting[Any],
    before: Mapping[str, str],
    image: MetadataImage,
    settings: BrokerSettings,
) -> tuple[str, ...]:
    """The items that a list has now: its own, or those it falls back to."""
    if setting.kind is not SettingKind.LIST:
        return ()
    if setting.name in before:
        return tuple(setting.parse(before[setting.name]))
    if setting.name in topic_table.SETTINGS:
        resolved = cluster_topic_settings(image, settings).resolve(setting, {})
        assert isinstance(resolved.value, tuple)
        return resolved.value
    return tuple(settings[setting])


def _list_changed(
    setting: Setting[Any], present: tuple[str, ...], operation: ConfigOperation, value: str
) -> str:
    if setting.kind is not SettingKind.LIST:
        raise _invalid(
            f"{setting.name} is not a list: it cannot be changed by {operation.name}, only by SET"
        )
    try:
        given = parse_value(SettingKind.LIST, value)
    except ValueError as error:
        raise _invalid(f"{setting.name} cannot be changed by {value!r}: {error}") from None
    assert isinstance(given, tuple)
    if operation is ConfigOperation.APPEND:
        return ",".join(dict.fromkeys((*present, *given)))
    return ",".join(item for item in present if item not in given)


def _check_values(
    resource: ConfigResource, texts: Mapping[str, str], settings: TopicSettings
) -> None:
    """Kafka answers a topic's bad value with INVALID_CONFIG and a broker's with INVALID_REQUEST."""
    try:
        if resource.type == ResourceType.TOPIC:
            check_together(settings.values(texts))
        else:
            table = broker_table.SETTINGS
            table.parse_all({name: text for name, text in texts.items() if name in table})
    except SettingError as error:
        is_topic = resource.type == ResourceType.TOPIC
        raise _invalid(str(error)) if is_topic else _bad_request(str(error)) from None


def _forgotten_elr(
    image: MetadataImage, resource: ConfigResource, records: Iterable[ConfigRecord]
) -> list[Payload]:
    """Who was eligible under another `min.insync.replicas` may not be under the new one."""
    name = topic_table.MIN_INSYNC_REPLICAS.name
    if not elr_enabled(image) or all(record.name != name for record in records):
        return []
    is_topic = resource.type == ResourceType.TOPIC
    return [ClearElrRecord(topic_name=resource.name if is_topic else "")]


def _invalid(reason: str) -> ProtocolError:
    return ProtocolError(ErrorCode.INVALID_CONFIG, reason)


def _bad_request(reason: str) -> ProtocolError:
    return ProtocolError(ErrorCode.INVALID_REQUEST, reason)
