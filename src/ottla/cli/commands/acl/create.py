"""`ottla acl create`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import click

from ottla.cli.cluster import ask
from ottla.cli.nouns.acl import (
    CLUSTER,
    COLUMNS,
    OPERATIONS,
    NamedResources,
    binding_row,
    binding_text,
    operation_of,
    resource_options,
)
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option, refuse

if TYPE_CHECKING:
    from ottla.client.admin.acls import AclBinding

PRODUCER = {
    "TOPIC": ("write", "describe", "create"),
    "TRANSACTIONAL_ID": ("write", "describe"),
}
CONSUMER = {"TOPIC": ("read", "describe"), "GROUP": ("read",)}
"""What each needs, by kind of resource: as Kafka's own tool grants it."""


class Roles(NamedTuple):
    """What somebody shall be able to do, other than by single operations."""

    producer: bool
    consumer: bool
    idempotent: bool

    def grants(self, resources: NamedResources) -> Iterator[tuple[str, str, str]]:
        """Kind and name of a resource, and an operation. Raises UsageError for one left out."""
        if self.idempotent and not self.producer:
            raise click.UsageError("--idempotent is for a --producer")
        if self.producer:
            yield from self._granted(PRODUCER, resources, "--producer", ("TOPIC",))
        if self.consumer:
            yield from self._granted(CONSUMER, resources, "--consumer", ("TOPIC", "GROUP"))
        if self.idempotent:
            yield "CLUSTER", CLUSTER, "idempotent-write"

    def _granted(
        self,
        needs: dict[str, tuple[str, ...]],
        resources: NamedResources,
        role: str,
        required: tuple[str, ...],
    ) -> Iterator[tuple[str, str, str]]:
        for kind in required:
            if not resources.by_kind[kind]:
                raise click.UsageError(f"{role} needs --{kind.lower()}, or --{kind.lower()} '*'")
        for kind, operations in needs.items():
            for name in resources.by_kind[kind]:
                for operation in operations:
                    yield kind, name, operation


@click.command()
@click.option("--principal", "principals", multiple=True, required=True, help="Who, as User:alice.")
@click.option(
    "--operation",
    "operations",
    multiple=True,
    type=click.Choice(OPERATIONS),
    metavar="OPERATION",
    help=f"What; more than once: {', '.join(OPERATIONS)}.",
)
@click.option("--producer", is_flag=True, help="All that writing to the topics takes.")
@click.option("--consumer", is_flag=True, help="All that reading the topics in the groups takes.")
@click.option("--idempotent", is_flag=True, help="With --producer, before Kafka 3.0: idempotence.")
@click.option("--deny", is_flag=True, help="Forbid it: stronger than what is allowed.")
@click.option(
    "--host", "hosts", multiple=True, help="From which address; where left out, from all."
)
@click.option("--prefixed", is_flag=True, help="The names are beginnings of names.")
@resource_options
@cluster_options
@output_option
def command(
    principals: tuple[str, ...],
    operations: tuple[str, ...],
    producer: bool,
    consumer: bool,
    idempotent: bool,
    deny: bool,
    hosts: tuple[str, ...],
    prefixed: bool,
    resources: NamedResources,
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Allow somebody to do something, or forbid it. What is there already is fine.

    \b
    ottla acl create --principal User:alice --topic orders --operation read --operation describe
    ottla acl create --principal User:app --producer --topic orders- --prefixed
    ottla acl create --principal User:app --consumer --topic orders --group billing
    ottla acl create --principal User:mallory --deny --operation all --topic '*'
    """
    roles = Roles(producer, consumer, idempotent)
    if not (operations or producer or consumer):
        raise click.UsageError("say what is allowed: --operation, --producer or --consumer")
    if deny and (producer or consumer):
        raise click.UsageError("--producer and --consumer allow: deny single operations")
    if operations and not resources.pairs:
        raise click.UsageError("say on what: --topic, --group, --cluster, --transactional-id, …")
    grants = {
        *((kind, name, operation) for kind, name in resources.pairs for operation in operations),
        *roles.grants(resources),
    }
    bindings = _bindings(sorted(grants), principals, hosts, deny=deny, prefixed=prefixed)
    outcomes = ask(cluster, lambda admin: admin.acls.create(*bindings))
    output.show(map(binding_row, outcomes.done), COLUMNS)
    refuse({binding_text(binding): error for binding, error in outcomes.errors.items()})


def _bindings(
    grants: list[tuple[str, str, str]],
    principals: tuple[str, ...],
    hosts: tuple[str, ...],
    *,
    deny: bool,
    prefixed: bool,
) -> list[AclBinding]:
    from ottla.client.admin.acls import AclBinding, AclResourceType, PatternType, Permission

    return [
        AclBinding(
            AclResourceType[kind],
            name,
            principal,
            operation_of(operation),
            Permission.DENY if deny else Permission.ALLOW,
            host,
            PatternType.PREFIXED if prefixed and kind != "CLUSTER" else PatternType.LITERAL,
        )
        for kind, name, operation in grants
        for principal in principals
        for host in hosts or ("*",)
    ]
