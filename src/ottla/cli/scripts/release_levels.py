"""The releases of Kafka by the level of `metadata.version`, and the levels they begin with."""

from __future__ import annotations

from typing import Final

from ottla.base.errors import UserError

METADATA_VERSION: Final = "metadata.version"

_FIRST_LEVEL: Final = 7
_NAMES: Final = (
    *("3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2"),
    *("3.7-IV0", "3.7-IV1", "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0"),
    *("4.0-IV1", "4.0-IV2", "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0"),
)
LATEST: Final = _NAMES[-1]

_BEGINS: Final = (
    ("kraft.version", 21, 1),
    ("transaction.version", 24, 2),
    ("group.version", 22, 1),
    ("eligible.leader.replicas.version", 26, 1),
    ("share.version", 28, 1),
    ("streams.version", 29, 1),
)
"""A feature, the level of the metadata from which new clusters have it, and its level then."""
_HIGHEST: Final = {name: level for name, _, level in _BEGINS}
_NEEDS: Final = {("eligible.leader.replicas.version", 1): ((METADATA_VERSION, 23),)}


def level_of(name: str) -> int:
    """Of `4.3-IV0`, or of the last one of a release, `4.3`. Raises UserError."""
    matching = [place for place, known in enumerate(_NAMES) if name in (known, known.split("-")[0])]
    if not matching:
        known = ", ".join(_NAMES)
        raise UserError(f"Unknown {METADATA_VERSION} '{name}'. Supported are: {known}")
    return _FIRST_LEVEL + matching[-1]


def name_of(level: int) -> str:
    """`4.3-IV0`, or the number of a level without a name."""
    place = level - _FIRST_LEVEL
    return _NAMES[place] if 0 <= place < len(_NAMES) else str(level)


def shown(feature: str, level: int) -> str:
    """A level as people know it."""
    return name_of(level) if feature == METADATA_VERSION and level else str(level)


def levels_of(metadata_level: int) -> dict[str, int]:
    """What a new cluster of that level begins with, without the metadata's own."""
    return {name: level * (metadata_level >= since) for name, since, level in _BEGINS}


def needs(feature: str, level: int) -> tuple[tuple[str, int], ...]:
    """The levels of other features that one stands on. Raises UserError for what is no level."""
    if feature == METADATA_VERSION:
        highest = _FIRST_LEVEL + len(_NAMES) - 1
    elif feature in _HIGHEST:
        highest = _HIGHEST[feature]
    else:
        raise UserError(f"Unknown feature: {feature}")
    if not 0 <= level <= highest:
        raise UserError(f"No feature:{feature} with feature level {level}")
    return _NEEDS.get((feature, level), ())
