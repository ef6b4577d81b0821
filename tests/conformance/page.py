"""The page docs/conformance.md: what of Kafka is here, read from what registers itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ottla.broker.discovery import load_handlers
from ottla.broker.handlers import handlers
from ottla.metadata.features import FINALIZED, SUPPORTED
from ottla.settings import broker, client_metrics, group, topic
from ottla.settings.engine import Change, Setting, SettingTable
from tests.conformance.kafka import Api, load
from tests.conformance.reasons import FEATURES, NOT_KNOWN, NOT_SERVED, REMARKS, WITHOUT_EFFECT

PAGE: Final = Path(__file__).parents[2] / "docs" / "conformance.md"

TABLES: Final[Mapping[str, tuple[str, SettingTable]]] = {
    "topic": ("Settings of topics", topic.SETTINGS),
    "broker": ("Settings of brokers", broker.SETTINGS),
    "group": ("Settings of groups", group.SETTINGS),
    "client metrics": ("Settings of subscriptions to client metrics", client_metrics.SETTINGS),
}
LIVE: Final = {
    Change.AT_START: "read at the start",
    Change.PER_BROKER: "followed while running",
    Change.CLUSTER_WIDE: "followed while running",
}

HEAD: Final = (
    "# Conformance with Apache Kafka 4.3\n\n"
    "Every API and every setting of Apache Kafka 4.3.1, and what becomes of it here. This page is "
    "made from the code\nby `make conformance`; one test says when it is stale, another asks a "
    "Kafka whether it is told rightly. What\nbehaves otherwise in detail is in "
    "[What is not supported yet](unsupported.md).\n"
)


def page() -> str:
    """All of it, in Markdown."""
    load_handlers()
    kafka = load()
    parts = [HEAD, "\n".join(_apis(kafka.apis)), "\n".join(_features())]
    parts += [
        "\n".join(_settings(heading, table, kafka.settings[noun]))
        for noun, (heading, table) in TABLES.items()
    ]
    return "\n".join(parts)


# -- APIs ------------------------------------------------------------------------------------------


def _apis(apis: tuple[Api, ...]) -> Iterator[str]:
    told = [api for api in apis if api.on_brokers]
    served = [api for api in told if api.key in handlers]
    whole = [api for api in served if _covers(api)]
    yield "## APIs\n"
    yield (
        f"A broker of Kafka 4.3 tells its clients of {len(told)} APIs; {len(served)} of them are "
        f"served here, {len(whole)} in all versions.\n"
    )
    yield "| key | API | Kafka 4.3 | here | |"
    yield "|--:|---|---|---|---|"
    for api in apis:
        yield f"| {api.key} | {api.name} | {_versions(api.versions)} | {_here(api)} |"
    yield ""


def _covers(api: Api) -> bool:
    handler = handlers.get(api.key)
    if handler is None or api.versions is None:
        return False
    least, _, greatest = api.versions.partition("-")
    return handler.advertised_min <= int(least) and int(greatest) <= handler.versions.max


def _versions(text: str | None) -> str:
    if text is None:
        return "–"
    least, _, greatest = text.partition("-")
    return least if least == greatest else f"{least}–{greatest}"


def _here(api: Api) -> str:
    """Versions and remark, of which one may be empty."""
    handler = handlers.get(api.key)
    if handler is None:
        return f"– | {NOT_SERVED[api.key]}"
    versions = _versions(f"{handler.versions.min}-{handler.versions.max}")
    return f"{versions} | {REMARKS.get(api.key, '')}"


# -- features --------------------------------------------------------------------------------------


def _features() -> Iterator[str]:
    yield "## Features\n"
    yield "Levels change by UpdateFeatures while the broker runs; what depends on them follows.\n"
    yield "| feature | levels | a new cluster | |"
    yield "|---|---|---|---|"
    for name, levels in sorted(SUPPORTED.items()):
        new = FINALIZED.get(name, 0)
        yield f"| `{name}` | {levels.min}–{levels.max} | {new} | {FEATURES[name]} |"
    yield ""


# -- settings --------------------------------------------------------------------------------------


def _settings(heading: str, table: SettingTable, theirs: Mapping[str, str | None]) -> Iterator[str]:
    known = [name for name in theirs if name in table]
    idle = [name for name in known if why_idle(name)]
    ours = [setting for setting in table if setting.name not in theirs]
    yield f"## {heading}\n"
    yield (
        f"Of Kafka's {len(theirs)}, {len(known) - len(idle)} are followed, {len(idle)} are taken "
        f"without effect, and {len(theirs) - len(known)} are refused by name.\n"
    )
    yield "| setting | here | |"
    yield "|---|---|---|"
    for name, default in theirs.items():
        yield f"| `{name}` | {_state(name, default, table.get(name))} |"
    if ours:
        yield "\nBeside them, of newer releases of Kafka or of Ottla alone:\n"
        yield "| setting | here | |"
        yield "|---|---|---|"
        for setting in sorted(ours, key=lambda setting: setting.name):
            yield f"| `{setting.name}` | {_own(setting)} |"
    yield ""


def _state(name: str, their_default: str | None, setting: Setting[Any] | None) -> str:
    if setting is None:
        return f"refused | {why_unknown(name)}"
    if why_idle(name):
        return f"no effect | {why_idle(name)}"
    default = setting.default_text()
    differs = "" if _same(default, their_default) else f"default {_shown(default)}"
    return f"{LIVE[setting.change]} | {differs}"


def _own(setting: Setting[Any]) -> str:
    idle = why_idle(setting.name)
    if idle:
        return f"no effect | {idle}"
    return f"{LIVE[setting.change]} | {setting.doc}"


def why_idle(name: str) -> str | None:
    """The reason of a setting without effect, of a topic or of all topics; None for others."""
    if name in WITHOUT_EFFECT:
        return WITHOUT_EFFECT[name]
    owners = [each.name for each in topic.SETTINGS if any(name == s.name for s in each.synonyms)]
    reasons = [WITHOUT_EFFECT[owner] for owner in owners if owner in WITHOUT_EFFECT]
    return reasons[0] if reasons else None


def why_unknown(name: str) -> str:
    """Why a setting is refused. Raises KeyError where nobody has said it."""
    return NOT_KNOWN[reason_for(name)]


def reason_for(name: str) -> str:
    """The key of a setting's reason: its name, or the longest beginning. Raises KeyError."""
    beginnings = [each for each in NOT_KNOWN if name == each or _begins(name, each)]
    if not beginnings:
        raise KeyError(name)
    return max(beginnings, key=len)


def _begins(name: str, beginning: str) -> bool:
    return beginning.endswith(".") and name.startswith(beginning)


def _same(ours: str | None, theirs: str | None) -> bool:
    if ours == theirs or not (ours or theirs):
        return True
    try:
        return float(ours or "") == float(theirs or "")
    except ValueError:
        return False


def _shown(default: str | None) -> str:
    return "none" if default is None else f"`{default}`"
