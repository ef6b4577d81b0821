"""What has settings, and what is known of one setting."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from msgspec import Struct

from ottla.wire.messages.describe_configs import DescribeConfigsResourceResult


class _Number(IntEnum):
    """A number of the protocol; one of a later protocol is UNKNOWN."""

    @classmethod
    def _missing_(cls, value: object) -> _Number:
        return cls(0)


class ResourceType(_Number):
    """What may have settings."""

    UNKNOWN = 0
    TOPIC = 2
    BROKER = 4
    BROKER_LOGGER = 8
    CLIENT_METRICS = 16
    GROUP = 32


class ConfigSource(_Number):
    """Where a value comes from."""

    UNKNOWN = 0
    TOPIC = 1
    BROKER = 2
    """Set on this broker while it runs."""
    ALL_BROKERS = 3
    """Set for all brokers while they run."""
    STATIC_BROKER = 4
    """The broker's own file."""
    DEFAULT = 5
    BROKER_LOGGER = 6
    CLIENT_METRICS = 7
    GROUP = 8


class ConfigType(_Number):
    """What kind of value it is."""

    UNKNOWN = 0
    BOOLEAN = 1
    STRING = 2
    INT = 3
    SHORT = 4
    LONG = 5
    DOUBLE = 6
    LIST = 7
    CLASS = 8
    PASSWORD = 9


class ConfigResource(NamedTuple):
    """One thing that has settings; a BROKER without a name is all brokers together."""

    type: ResourceType
    name: str

    @classmethod
    def topic(cls, name: str) -> ConfigResource:
        return cls(ResourceType.TOPIC, name)

    @classmethod
    def broker(cls, broker_id: int | None = None) -> ConfigResource:
        """Without an id, all brokers together."""
        return cls(ResourceType.BROKER, "" if broker_id is None else str(broker_id))

    @classmethod
    def broker_logger(cls, broker_id: int) -> ConfigResource:
        return cls(ResourceType.BROKER_LOGGER, str(broker_id))

    @classmethod
    def group(cls, group_id: str) -> ConfigResource:
        return cls(ResourceType.GROUP, group_id)

    @classmethod
    def client_metrics(cls, subscription: str) -> ConfigResource:
        return cls(ResourceType.CLIENT_METRICS, subscription)

    def __str__(self) -> str:
        return f"{self.type.name} {self.name!r}"


class ConfigSynonym(Struct, frozen=True, kw_only=True):
    """Where a value could come from."""

    name: str
    value: str | None
    source: ConfigSource


class ConfigEntry(Struct, frozen=True, kw_only=True):
    """One setting in force."""

    name: str
    value: str | None
    """None where it is sensitive, or has no value."""
    source: ConfigSource = ConfigSource.UNKNOWN
    is_read_only: bool = False
    is_sensitive: bool = False
    type: ConfigType = ConfigType.UNKNOWN
    documentation: str | None = None
    synonyms: tuple[ConfigSynonym, ...] = ()
    """The strongest first; the value in force is that of the first."""

    @property
    def is_default(self) -> bool:
        """Whether nobody has set it anywhere."""
        return self.source is ConfigSource.DEFAULT


def resource_of(type_: int, name: str) -> ConfigResource:
    """As the protocol names it."""
    return ConfigResource(ResourceType(type_), name)


def entry_of(told: DescribeConfigsResourceResult) -> ConfigEntry:
    """As a broker tells it."""
    return ConfigEntry(
        name=told.name,
        value=told.value,
        source=ConfigSource(told.config_source),
        is_read_only=told.read_only,
        is_sensitive=told.is_sensitive,
        type=ConfigType(told.config_type),
        documentation=told.documentation,
        synonyms=tuple(
            ConfigSynonym(name=each.name, value=each.value, source=ConfigSource(each.source))
            for each in told.synonyms
        ),
    )
