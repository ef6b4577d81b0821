"""From what a person typed to settings by their Kafka names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ottla.base.errors import UserError
from ottla.settings.engine import SettingError
from ottla.settings.observation import HTTP_LISTENERS
from ottla.settings.properties import parse_properties

DEFAULT_LISTENER = "PLAINTEXT"


def broker_texts(
    *,
    config: Path | None,
    data_dir: Path | None,
    listen: Sequence[str],
    advertise: Sequence[str],
    assignments: Iterable[str],
    http: Sequence[str] = (),
) -> dict[str, str]:
    """Settings of a broker as texts: the file first, `--set` over it, the named options over all.

    Raises UserError for a file that cannot be read and for an assignment without `=`.
    """
    texts = {} if config is None else _read_file(config)
    texts.update(_split(assignment) for assignment in assignments)
    if data_dir is not None:
        texts.pop("log.dir", None)
        texts["log.dirs"] = str(data_dir)
    if listen:
        texts["listeners"] = ",".join(map(_endpoint, listen))
    if advertise:
        texts["advertised.listeners"] = ",".join(map(_endpoint, advertise))
    if http:
        texts[HTTP_LISTENERS.name] = ",".join(http)
    return texts


def _read_file(path: Path) -> dict[str, str]:
    try:
        return parse_properties(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, UserError) as error:
        raise UserError(f"cannot read the settings in {path}: {error}") from error


def _split(assignment: str) -> tuple[str, str]:
    key, equals, value = assignment.partition("=")
    if not equals or not key.strip():
        raise SettingError(f"--set takes KEY=VALUE, as num.partitions=8, not {assignment!r}")
    return key.strip(), value.strip()


def _endpoint(text: str) -> str:
    """`host:port` belongs to the plain listener; `NAME://host:port` says its own."""
    return text if "://" in text else f"{DEFAULT_LISTENER}://{text}"
