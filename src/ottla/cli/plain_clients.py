"""Blocking clients of the cluster that the options name.

Commands that wait for a terminal or a pipe use these: their loop goes on in its own thread, and
the group they are in does not lose them while somebody reads a page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ottla.cli.cluster import CLIENT_ID, TIMEOUT_MS
from ottla.cli.notices import tell_what_clients_log

if TYPE_CHECKING:
    from ottla.blocking.consumer import Consumer
    from ottla.blocking.producer import Producer
    from ottla.cli.options import ClusterOptions


def blocking_consumer(cluster: ClusterOptions, **settings: object) -> Consumer:
    """Not started: `with` does it. `settings` that are None were not given; others are stronger
    than the file of --command-config. Raises UserError for settings that cannot be.
    """
    from ottla.blocking.consumer import Consumer
    from ottla.cli.command_config import settings_of
    from ottla.client.consumer.options import ConsumerOptions
    from ottla.client.options import ClusterOptions as OptionsOfClients

    tell_what_clients_log()
    own = settings_of(cluster.client, OptionsOfClients, ConsumerOptions)
    return Consumer(cluster.bootstrap, **_together(own, settings))


def blocking_producer(cluster: ClusterOptions, **settings: object) -> Producer:
    """As `blocking_consumer`."""
    from ottla.blocking.producer import Producer
    from ottla.cli.command_config import settings_of
    from ottla.client.options import ClusterOptions as OptionsOfClients
    from ottla.client.producer.options import ProducerOptions

    tell_what_clients_log()
    own = settings_of(cluster.client, OptionsOfClients, ProducerOptions)
    return Producer(cluster.bootstrap, **_together(own, settings))


def _together(own: Mapping[str, object], given: Mapping[str, object]) -> dict[str, object]:
    usual = {"client_id": CLIENT_ID, "default_api_timeout_ms": TIMEOUT_MS}
    typed = {name: value for name, value in given.items() if value is not None}
    return {**usual, **own, **typed}
