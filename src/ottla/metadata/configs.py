"""Configurations: what is set on topics, brokers and others, checked before it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import CONFIGS_CHANGED_PER_REQUEST_MAX
from ottla.metadata.config_change import ConfigChange as ConfigChange
from ottla.metadata.config_change import ConfigOperation as ConfigOperation
from ottla.metadata.config_change import ConfigResult as ConfigResult
from ottla.metadata.config_change import ResourceChange as ResourceChange
from ottla.metadata.config_change import check_form, invalid, named_twice
from ottla.metadata.config_owners import Owner, cluster_settings, is_list, owner_of
from ottla.metadata.config_owners import cluster_topic_settings as cluster_topic_settings
from ottla.metadata.decision import Decision
from ottla.metadata.features import elr_enabled
from ottla.metadata.image import ConfigResource, MetadataImage, ResourceType
from ottla.settings import topic as topic_table
from ottla.settings.broker import BrokerSettings
from ottla.settings.engine import Setting, SettingError
from ottla.settings.topic import TopicSettings
from ottla.settings.values import SettingKind, parse_value
from ottla.wire.payloads.metadata import ClearElrRecord, ConfigRecord
from ottla.wire.schema import Payload


def check_topic_configs(texts: Mapping[str, str | None], settings: TopicSettings) -> dict[str, str]:
    """The texts of a new topic. Raises ProtocolError(INVALID_CONFIG)."""
    nulls = [name for name, text in texts.items() if text is None]
    if nulls:
        raise invalid(f"no value is given for {', '.join(nulls)}")
    given = {name: text for name, text in texts.items() if text is not None}
    owner = owner_of(ConfigResource(ResourceType.TOPIC, ""))
    for name in given:
        owner.known(name)
    try:
        settings.check(given)
    except SettingError as error:
        raise invalid(str(error)) from None
    return given


def decide_alter_configs(
    image: MetadataImage,
    changes: Sequence[ResourceChange],
    *,
    settings: BrokerSettings,
    validate_only: bool = False,
    replace_all: bool = False,
) -> Decision[list[ConfigResult]]:
    """Change configurations key by key; each resource succeeds or fails on its own.

    With `replace_all`, as AlterConfigs wants it, every key that is not set is deleted. Raises
    ProtocolError(POLICY_VIOLATION) for more changes than one batch should take.
    """
    _check_count(sum(max(len(change.changes), 1) for change in changes))
    named = Counter(change.resource for change in changes)
    records: list[Payload] = []
    results = []
    for change in changes:
        try:
            if named[change.resource] > 1:
                raise named_twice()
            records += _alter_one(image, change, settings, replace_all=replace_all)
            results.append(ConfigResult(change.resource, ErrorCode.NONE, None))
        except ProtocolError as error:
            results.append(ConfigResult(change.resource, error.code, error.message))
    return Decision(() if validate_only else tuple(records), results)


def _check_count(count: int) -> None:
    if count > CONFIGS_CHANGED_PER_REQUEST_MAX:
        raise ProtocolError(
            ErrorCode.POLICY_VIOLATION,
            f"{count} changes are too many: a request takes {CONFIGS_CHANGED_PER_REQUEST_MAX}",
        )


def _alter_one(
    image: MetadataImage, change: ResourceChange, settings: BrokerSettings, *, replace_all: bool
) -> list[Payload]:
    resource = change.resource
    owner = owner_of(resource)
    check_form(change.changes)
    before = image.configs.get(resource, {})
    changes = _with_deletions(change.changes, before) if replace_all else change.changes
    owner.admit(image, resource, changes)
    after = _changed(owner, before, changes, image, settings)
    if after != before:
        owner.check_values(image, resource, after, settings)
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


def _with_deletions(
    changes: Sequence[ConfigChange], before: Mapping[str, str]
) -> list[ConfigChange]:
    """Everything else goes."""
    kept = {change.name for change in changes}
    gone = [ConfigChange(name, ConfigOperation.DELETE, None) for name in before if name not in kept]
    return [*changes, *gone]


def _changed(
    owner: Owner,
    before: Mapping[str, str],
    changes: Sequence[ConfigChange],
    image: MetadataImage,
    settings: BrokerSettings,
) -> dict[str, str]:
    """All texts of a resource after its changes."""
    after = dict(before)
    for name, operation, value in changes:
        if operation == ConfigOperation.DELETE:
            after.pop(name, None)
            continue
        assert value is not None  # see check_form
        setting = owner.known(name)
        if operation == ConfigOperation.SET:
            after[name] = value
        elif is_list(owner, setting):
            present = _present_list(setting, before, image, settings)
            after[name] = _list_changed(setting, present, ConfigOperation(operation), value)
        else:
            raise invalid(
                f"{name} cannot be changed by {ConfigOperation(operation).name}, only by SET: it "
                "is not a list"
            )
    return after


def _present_list(
    setting: Setting[Any],
    before: Mapping[str, str],
    image: MetadataImage,
    settings: BrokerSettings,
) -> tuple[str, ...]:
    """The items that a list has now: its own, or those it falls back to."""
    if setting.name in before:
        try:
            return tuple(setting.parse(before[setting.name]))
        except SettingError as error:
            raise invalid(f"{error}: set it as a whole") from None
    if setting.name in topic_table.SETTINGS:
        resolved = cluster_topic_settings(image, settings).resolve(setting, {})
        assert isinstance(resolved.value, tuple)
        return resolved.value
    return tuple(cluster_settings(image, settings)[setting])


def _list_changed(
    setting: Setting[Any], present: tuple[str, ...], operation: ConfigOperation, value: str
) -> str:
    try:
        given = parse_value(SettingKind.LIST, value)
    except ValueError as error:
        raise invalid(f"{setting.name} cannot be changed by {value!r}: {error}") from None
    assert isinstance(given, tuple)
    if operation is ConfigOperation.APPEND:
        return ",".join(dict.fromkeys((*present, *given)))
    return ",".join(item for item in present if item not in given)


def _forgotten_elr(
    image: MetadataImage, resource: ConfigResource, records: Iterable[ConfigRecord]
) -> list[Payload]:
    """Who was eligible under another `min.insync.replicas` may not be under the new one."""
    name = topic_table.MIN_INSYNC_REPLICAS.name
    if not elr_enabled(image) or all(record.name != name for record in records):
        return []
    is_topic = resource.type == ResourceType.TOPIC
    return [ClearElrRecord(topic_name=resource.name if is_topic else "")]
