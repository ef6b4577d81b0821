"""`ottla cluster set-feature`."""

from __future__ import annotations

from collections.abc import Callable

import click

from ottla.cli.cluster import ask
from ottla.cli.confirmation import yes_option
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option
from ottla.cli.typed_texts import INT16, key_values

HOW = {"no": "UPGRADE", "safe": "SAFE_DOWNGRADE", "unsafe": "UNSAFE_DOWNGRADE"}


@click.command()
@click.argument("levels", nargs=-1, required=True, metavar="FEATURE=LEVEL…")
@click.option(
    "--downgrade",
    type=click.Choice([*HOW]),
    default="no",
    show_default=True,
    help="Whether levels may sink: where nothing is lost, or whatever is.",
)
@click.option("--validate-only", is_flag=True, help="Only say whether it could be done.")
@yes_option
@cluster_options
@output_option
def command(
    levels: tuple[str, ...],
    downgrade: str,
    validate_only: bool,
    confirm: Callable[[str], None],
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Let the cluster run features at other levels; 0 switches one off.

    \b
    ottla cluster set-feature transaction.version=2
    ottla cluster set-feature group.version=0 --downgrade safe --validate-only
    """
    from ottla.client.admin.cluster import FeatureUpdate, FeatureUpgrade

    how = FeatureUpgrade[HOW[downgrade]]
    wanted = {
        name: FeatureUpdate(_level(name, text), how)
        for name, text in key_values(levels, "FEATURE=LEVEL").items()
    }
    if downgrade == "unsafe" and not validate_only:
        confirm("Let levels sink, whatever is lost by it?")
    outcomes = ask(
        cluster,
        lambda admin: admin.cluster.update_features(wanted, validate_only=validate_only),
    )
    output.report(
        outcomes,
        "could set" if validate_only else "set",
        item=lambda name: {"feature": name, "level": wanted[name].level},
    )


def _level(name: str, text: str) -> int:
    if not text.isdecimal() or int(text) > INT16.most:
        raise click.BadParameter(f"the level of {name} is a small number, not {text!r}")
    return int(text)
