"""`ottla acl list`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ottla.cli.cluster import ask
from ottla.cli.nouns.acl import COLUMNS, TypedFilter, binding_row, filter_options
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option

if TYPE_CHECKING:
    from ottla.client.admin.acls import AclBinding
    from ottla.client.admin.admin import Admin


@click.command()
@filter_options
@cluster_options
@output_option
def command(typed: TypedFilter, cluster: ClusterOptions, output: Output) -> None:
    """List who may do what: all entries, or those that fit.

    \b
    ottla acl list
    ottla acl list --topic orders --pattern match
    ottla acl list --principal User:alice --permission deny --json
    """

    async def describe(admin: Admin) -> set[AclBinding]:
        return {
            binding for which in typed.filters() for binding in await admin.acls.describe(which)
        }

    output.show(map(binding_row, sorted(ask(cluster, describe))), COLUMNS)
