"""Declarations of settings, and values in layers.

A `SettingTable` holds one declaration per key. `Layers` answers what a key's value is and where
it comes from. Nothing here reads a file or knows a particular key.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from enum import Enum, IntEnum
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast

from msgspec import Struct

from ottla.base.errors import UserError, cut
from ottla.base.limits import SETTING_TEXT_LENGTH_SHOWN
from ottla.settings.checks import Refusal
from ottla.settings.values import SettingKind, Value, format_value, parse_value

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class ConfigSource(IntEnum):
    """Where a value comes from, by the number that DescribeConfigs answers (KIP-226)."""

    UNKNOWN = 0
    DYNAMIC_TOPIC = 1
    DYNAMIC_BROKER = 2
    DYNAMIC_DEFAULT_BROKER = 3
    STATIC_BROKER = 4
    DEFAULT = 5
    DYNAMIC_BROKER_LOGGER = 6
    CLIENT_METRICS = 7
    GROUP = 8


class Change(Enum):
    """Whether a value may change while its owner runs, and for whom."""

    AT_START = "read only: takes effect when the broker starts"
    PER_BROKER = "may be changed while running, for one broker"
    CLUSTER_WIDE = "may be changed while running, for one broker or for all"


FOR_ALL_BROKERS: Final = (Change.CLUSTER_WIDE,)
FOR_ONE_BROKER: Final = (Change.CLUSTER_WIDE, Change.PER_BROKER)
"""What may be changed in one place."""


class SettingError(UserError):
    """A value that its setting does not take, or values that contradict each other."""


class UnknownSettingError(SettingError):
    """A key that its table does not have; the message offers the nearest ones."""


class Synonym(NamedTuple):
    """A key of the floor below that stands in; its value times `factor` is ours, -1 stays -1."""

    name: str
    factor: int = 1


class Setting(Struct, Generic[T_co], frozen=True, kw_only=True):
    """One key: all that is known about it."""

    name: str
    kind: SettingKind
    default: T_co
    doc: str
    check: Callable[[Any], Refusal | None] | None = None
    synonyms: tuple[Synonym, ...] = ()
    change: Change = Change.AT_START

    @property
    def sensitive(self) -> bool:
        """Whether its value is never shown."""
        return self.kind is SettingKind.PASSWORD

    def parse(self, text: str) -> T_co:
        """The typed value of a text. Raises SettingError."""
        try:
            value = parse_value(self.kind, text)
        except ValueError as error:
            raise self._refuse(text, str(error)) from None
        refusal = self.check(value) if self.check else None
        if refusal is not None:
            raise self._refuse(refusal.shown or format_value(value) or "", refusal.reason)
        return cast("T_co", value)

    def default_text(self) -> str | None:
        return format_value(cast("Value", self.default))

    def _refuse(self, shown: str, reason: str) -> SettingError:
        what = "this (hidden) value" if self.sensitive else _shown(shown)
        return SettingError(f"{self.name} cannot be {what}: {reason}")


class SettingTable:
    """All settings of one component, in the order of their declaration."""

    def __init__(self, noun: str, *, change: Change = Change.AT_START) -> None:
        """`change` is what a declaration says that does not say its own."""
        self.noun = noun
        self.change = change
        self._settings: dict[str, Setting[Any]] = {}

    def declare(
        self,
        kind: SettingKind,
        name: str,
        default: T,
        doc: str,
        *,
        check: Callable[[Any], Refusal | None] | None = None,
        synonyms: Sequence[Synonym] = (),
        change: Change | None = None,
    ) -> Setting[T]:
        """Add one declaration. Raises ValueError for a second one of the same name."""
        if name in self._settings:
            raise ValueError(f"two declarations of the {self.noun} {name}")
        setting = Setting(
            name=name,
            kind=kind,
            default=default,
            doc=doc,
            check=check,
            synonyms=tuple(synonyms),
            change=change or self.change,
        )
        self._settings[name] = setting
        return setting

    def get(self, name: str) -> Setting[Any] | None:
        return self._settings.get(name)

    def __getitem__(self, name: str) -> Setting[Any]:
        """The declaration of a key. Raises UnknownSettingError."""
        setting = self._settings.get(name)
        if setting is None:
            raise UnknownSettingError(self._unknown(name))
        return setting

    def __contains__(self, name: object) -> bool:
        return name in self._settings

    def __iter__(self) -> Iterator[Setting[Any]]:
        return iter(self._settings.values())

    def __len__(self) -> int:
        return len(self._settings)

    def nearest(self, name: str) -> list[str]:
        """Up to three keys that somebody may have meant."""
        import difflib  # a millisecond that only a mistyped key is worth

        return difflib.get_close_matches(name.lower(), self._settings, n=3, cutoff=0.75)

    def parse_all(self, texts: Mapping[str, str]) -> dict[str, Value]:
        """Typed values of all texts. Raises UnknownSettingError before any SettingError."""
        settings = [self[name] for name in texts]
        return {setting.name: setting.parse(texts[setting.name]) for setting in settings}

    def usable(self, texts: Mapping[str, str], *, changes: Collection[Change]) -> dict[str, str]:
        """The texts that may be set on what runs, by one of `changes`, and that have a value.

        For texts that nobody of this version has checked: a log may carry those of another one.
        """
        return {name: text for name, text in texts.items() if self._is_usable(name, text, changes)}

    def _is_usable(self, name: str, text: str, changes: Collection[Change]) -> bool:
        setting = self._settings.get(name)
        if setting is None or setting.change not in changes:
            return False
        try:
            setting.parse(text)
        except SettingError:
            return False
        return True

    def _unknown(self, name: str) -> str:
        nearest = self.nearest(cut(name, SETTING_TEXT_LENGTH_SHOWN))
        hint = f"; did you mean {' or '.join(nearest)}?" if nearest else ""
        return f"there is no {self.noun} called {_shown(name)}{hint}"


def _shown(text: str) -> str:
    return repr(cut(text, SETTING_TEXT_LENGTH_SHOWN))


class Layer(NamedTuple):
    """Texts that somebody set in one place."""

    source: ConfigSource
    texts: Mapping[str, str]


class Assigned(NamedTuple):
    """One place that gives a setting a value: `text` as it stands there, `value` in our unit."""

    name: str
    text: str | None
    source: ConfigSource
    value: Value


class Resolved(Struct, frozen=True):
    """The value in force; `chain` is every place that gives one, the strongest first."""

    setting: Setting[Any]
    value: Value
    text: str | None
    source: ConfigSource
    chain: tuple[Assigned, ...]


class Layers:
    """Values of one table: what is set, from the strongest layer down, then synonyms, defaults.

    Keys that the table lacks are ignored here: a log may carry those of a newer version. Whoever
    takes texts from a person calls `SettingTable.parse_all` first, which refuses them.
    """

    def __init__(
        self, table: SettingTable, layers: Sequence[Layer], below: Layers | None = None
    ) -> None:
        self.table = table
        self.layers = tuple(layers)
        self.below = below
        self._values: dict[str, Value] = {}

    def __getitem__(self, setting: Setting[T]) -> T:
        """The value in force. Raises SettingError where a layer holds a text it does not take."""
        name = setting.name
        if name not in self._values:
            self._values[name] = self.resolve(setting).value
        return cast("T", self._values[name])

    def replace_layers(self, layers: Sequence[Layer]) -> None:
        """Other texts are set from now on."""
        self.layers = tuple(layers)
        self._values = {}

    def values(self) -> dict[str, Value]:
        """All values in force, by key."""
        return {setting.name: self[setting] for setting in self.table}

    def resolve(self, setting: Setting[Any]) -> Resolved:
        """The value in force and where it comes from. Raises SettingError."""
        chain = self._chain(setting)
        for place in chain:
            if place.value is not None:
                own = place.name == setting.name
                text = place.text if own else format_value(place.value)
                return Resolved(setting, place.value, text, place.source, chain)
        return Resolved(setting, None, None, ConfigSource.DEFAULT, chain)

    def _chain(self, setting: Setting[Any]) -> tuple[Assigned, ...]:
        name = setting.name
        places = [
            Assigned(name, layer.texts[name], layer.source, setting.parse(layer.texts[name]))
            for layer in self.layers
            if name in layer.texts
        ]
        if self.below is not None and setting.synonyms:
            for synonym in setting.synonyms:
                places.extend(self.below.stand_in(synonym))
        elif setting.default is not None:
            default = Assigned(
                name, setting.default_text(), ConfigSource.DEFAULT, cast("Value", setting.default)
            )
            places.append(default)
        return tuple(places)

    def stand_in(self, synonym: Synonym) -> list[Assigned]:
        """What a key of this table means to the floor above."""
        setting = self.table[synonym.name]
        return [
            place._replace(value=_scaled(place.value, synonym.factor))
            for place in self._chain(setting)
        ]


def _scaled(value: Value, factor: int) -> Value:
    if factor == 1 or not isinstance(value, int) or value < 0:
        return value
    return value * factor
