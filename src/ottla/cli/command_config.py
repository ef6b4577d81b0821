"""A Kafka client's `.properties` file, read as the settings of our own clients."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from ottla.base.errors import UserError

RENAMED: Final = {
    "batch.size": "batch_bytes",
    "compression.type": "compression",
}
"""Kafka's names that are not ours with dots for underscores."""

NOT_FROM_A_FILE: Final = frozenset(
    {"connector", "partitioner", "key_serializer", "value_serializer"}
    | {"key_deserializer", "value_deserializer", "partition_assignment_strategy"}
)
"""Settings whose values are code: a class of Java's means nothing here."""

PLAINTEXT: Final = "PLAINTEXT"


def read_command_config(path: Path) -> tuple[str | None, dict[str, object]]:
    """The file's `bootstrap.servers`, where it has any, and its settings by our names.

    Tells on standard error which keys mean nothing here. Raises UserError for a file that cannot
    be read, for values that cannot be, and for a security protocol other than PLAINTEXT.
    """
    from ottla.settings.properties import parse_properties

    try:
        texts = parse_properties(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    return read_client_settings(texts, str(path))


def read_client_settings(
    texts: Mapping[str, str], origin: str
) -> tuple[str | None, dict[str, object]]:
    """As `read_command_config`, of settings that came from `origin`."""
    texts = dict(texts)
    _check_security(texts.pop("security.protocol", PLAINTEXT), origin)
    bootstrap = texts.pop("bootstrap.servers", None)
    types = dict(_types())
    unknown = [key for key in texts if _our_name(key) not in types]
    if unknown:
        print(
            f"ottla: {origin}: left out, they mean nothing here: {', '.join(sorted(unknown))}",
            file=sys.stderr,
        )
    read = {
        _our_name(key): _value(key, text, types[_our_name(key)])
        for key, text in texts.items()
        if key not in unknown
    }
    return bootstrap, read


def _our_name(key: str) -> str:
    return RENAMED.get(key, key.replace(".", "_"))


def _check_security(protocol: str, origin: str) -> None:
    if protocol.strip().upper() != PLAINTEXT:
        raise UserError(
            f"{origin}: security.protocol={protocol}: connections of this version are {PLAINTEXT}, "
            "without encryption and without a user's name; use a listener that takes these"
        )


def _types() -> Iterator[tuple[str, Any]]:
    """Each setting of our three clients that a file may set, and its type."""
    from ottla.client.consumer.options import ConsumerOptions
    from ottla.client.options import ClusterOptions
    from ottla.client.producer.options import ProducerOptions

    for options in (ClusterOptions, ConsumerOptions, ProducerOptions):
        hints = get_type_hints(options)
        for name in options.__struct_fields__:
            if name not in NOT_FROM_A_FILE:
                yield name, hints[name]


def _value(key: str, text: str, wanted: Any) -> object:
    import msgspec

    if str in (wanted, *get_args(wanted)):
        return text
    try:
        return msgspec.convert(text.strip().lower() or None, wanted, strict=False)
    except msgspec.ValidationError as error:
        raise UserError(f"{key}={text} cannot be: {error}") from error


def settings_of(settings: Mapping[str, object], *kinds: type) -> dict[str, object]:
    """Those of the settings that a client of these option classes knows."""
    known = {name for kind in kinds for name in getattr(kind, "__struct_fields__", ())}
    return {name: value for name, value in settings.items() if name in known}
