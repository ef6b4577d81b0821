"""`kafka-features`: describes and changes the levels of features."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ottla.base.errors import UserError
from ottla.cli.cluster import ask
from ottla.cli.output import reason
from ottla.cli.scripts.release_levels import (
    LATEST,
    METADATA_VERSION,
    level_of,
    levels_of,
    name_of,
    needs,
    shown,
)
from ottla.cli.scripts.subcommands import SubcommandParser, add_config, add_server, cluster_in

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.cluster import FeatureDescription, FeatureUpdate

_VERBS: Final = {
    "upgrade": ("Could not upgrade", "can be upgraded", "was upgraded"),
    "downgrade": ("Could not downgrade", "can be downgraded", "was downgraded"),
    "disable": ("Could not disable", "can be disabled", "was disabled"),
}


def main(arguments: Sequence[str]) -> int:
    """Raises UserError."""
    options = _parser().read(arguments)
    if options.action in _VERBS:
        return _change(options)
    {"describe": _describe, "version-mapping": _mapping, "feature-dependencies": _dependencies}[
        options.action
    ](options)
    return 0


def _parser() -> SubcommandParser:
    parser = SubcommandParser(
        prog="kafka-features", description="Describes and changes the levels of features."
    )
    add_config(parser)
    add_server(parser, required=False)
    actions = parser.add_subparsers(dest="action", required=True)
    described = actions.add_parser("describe", help="print the levels of all features")
    described.add_argument("--node-id", type=int, help="ask this broker")
    for name, purpose in (("upgrade", "raise levels"), ("downgrade", "lower levels")):
        action = actions.add_parser(name, help=purpose)
        _add_levels(action)
    disabled = actions.add_parser("disable", help="switch features off")
    disabled.add_argument("--feature", action="append", default=[], metavar="NAME")
    for action in (actions.choices["downgrade"], disabled):
        action.add_argument("--unsafe", action="store_true", help="even where something is lost")
    for name in _VERBS:
        actions.choices[name].add_argument(
            "--dry-run", action="store_true", help="only ask whether it could be done"
        )
    mapping = actions.add_parser("version-mapping", help="print what a release begins with")
    mapping.add_argument("--release-version", default=LATEST)
    wanted = actions.add_parser("feature-dependencies", help="print what levels stand on")
    wanted.add_argument("--feature", action="append", required=True, metavar="NAME=LEVEL")
    return parser


def _add_levels(action: argparse.ArgumentParser) -> None:
    action.add_argument("--metadata", metavar="RELEASE", help="the level of the metadata")
    action.add_argument("--feature", action="append", default=[], metavar="NAME=LEVEL")
    action.add_argument("--release-version", metavar="RELEASE", help="all levels of a release")


# -- describing ------------------------------------------------------------------------------------


def _describe(options: argparse.Namespace) -> None:
    found = ask(cluster_in(options), lambda admin: admin.cluster.features())
    for name in sorted(found):
        each = found[name]
        print(
            f"Feature: {name:<42}"
            f"SupportedMinVersion: {_bound(each, each.min_level):<17}"
            f"SupportedMaxVersion: {_bound(each, each.max_level):<17}"
            f"FinalizedVersionLevel: {shown(name, each.level):<17}"
            f"Epoch: {'-' if each.epoch is None else each.epoch}"
        )


def _bound(feature: FeatureDescription, level: int | None) -> str:
    return shown(feature.name, level or 0)


def _mapping(options: argparse.Namespace) -> None:
    level = level_of(options.release_version)
    print(f"{METADATA_VERSION}={level} ({options.release_version})")
    for name, begins in levels_of(level).items():
        print(f"{name}={begins}")


def _dependencies(options: argparse.Namespace) -> None:
    for text in options.feature:
        name, level = _typed_level(text)
        told = _told(name, level)
        found = needs(name, level)
        print(f"{told} requires:" if found else f"{told} has no dependencies.")
        for needed in found:
            print(f"    {_told(*needed)}")


def _told(name: str, level: int) -> str:
    return f"{name}={level}" + (f" ({name_of(level)})" if name == METADATA_VERSION else "")


# -- changing --------------------------------------------------------------------------------------


def _change(options: argparse.Namespace) -> int:
    updates = _updates(options)
    if not updates:
        raise UserError(f"You must specify at least one feature to {options.action}")

    async def change(admin: Admin) -> Mapping[str, UserError | None]:
        outcomes = await admin.cluster.update_features(updates, validate_only=options.dry_run)
        return {name: outcomes.error(name) for name in updates}

    errors = ask(cluster_in(options), change)
    refused, could, done = _VERBS[options.action]
    for name in sorted(errors):
        error, level = errors[name], updates[name].level
        where = "" if options.action == "disable" else f" to {level}"
        if error is None:
            print(f"{name} {could if options.dry_run else done}{where}.")
        else:
            said = refused.replace("Could not", "Can not") if options.dry_run else refused
            print(f"{said} {name}{where}. {reason(error)}")
    failed = sum(error is not None for error in errors.values())
    if failed:
        print(f"{failed} out of {len(errors)} operation(s) failed.", file=sys.stderr)
    return 1 if failed else 0


def _updates(options: argparse.Namespace) -> dict[str, FeatureUpdate]:
    """Raises UserError."""
    from ottla.client.admin.cluster import FeatureUpdate, FeatureUpgrade

    how = FeatureUpgrade.UPGRADE
    if options.action != "upgrade":
        how = FeatureUpgrade.UNSAFE_DOWNGRADE if options.unsafe else FeatureUpgrade.SAFE_DOWNGRADE
    if options.action == "disable":
        return {name: FeatureUpdate(0, how) for name in options.feature}
    levels = dict[str, int]()
    if options.release_version is not None:
        if options.metadata or options.feature:
            raise UserError("--release-version stands for all features: name no other")
        level = level_of(options.release_version)
        levels = {METADATA_VERSION: level, **levels_of(level)}
    if options.metadata is not None:
        levels[METADATA_VERSION] = level_of(options.metadata)
    for text in options.feature:
        name, level = _typed_level(text)
        if name in levels:
            raise UserError(f"Feature {name} was specified more than once.")
        levels[name] = level
    return {name: FeatureUpdate(level, how) for name, level in levels.items()}


def _typed_level(text: str) -> tuple[str, int]:
    """`name=level`. Raises UserError."""
    name, equals, level = text.partition("=")
    if not equals:
        raise UserError(f"{text} is not feature=level: it has no equals sign")
    try:
        return name.strip(), int(level)
    except ValueError as error:
        raise UserError(f"{text} is not feature=level: {level} is no number") from error
