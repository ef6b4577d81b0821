"""The cluster that a tool's options name, and the settings of the client that talks to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ottla.base.errors import UserError

if TYPE_CHECKING:
    from ottla.cli.options import ClusterOptions
    from ottla.cli.scripts.command_line import Options

SERVER = "bootstrap-server"
SERVERS = (SERVER, "bootstrap-controller")
"""Of the tools that take either: here they are the same nodes."""
CONFIG_FILE = "command-config"

Result = TypeVar("Result")


def cluster_of(
    options: Options,
    *,
    server: str = SERVER,
    files: Iterable[str] = (CONFIG_FILE,),
    properties: Iterable[str] = (),
    usual: Mapping[str, str] | None = None,
) -> ClusterOptions:
    """Where, and how: `cli.cluster` takes it for every kind of client.

    `files` and `properties` are the options that give settings, as files and as `key=value`; what
    is typed is stronger than what a file says, and `usual` is weaker than both. Raises UserError
    for settings that cannot be.
    """
    return cluster_from(options.text(server), typed_settings(options, files, properties, usual))


def cluster_of_either(options: Options) -> ClusterOptions:
    """The cluster of the one of `SERVERS` that was typed. Raises UserError."""
    path = options.text(CONFIG_FILE)
    address = next(text for name in SERVERS if (text := options.text(name)))
    return cluster_from(address, read_file(path) if path else {})


def typed_settings(
    options: Options,
    files: Iterable[str],
    properties: Iterable[str] = (),
    usual: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """What files say, and what is typed over it: see `cluster_of`. Raises UserError."""
    texts = dict(usual or {})
    for name in files:
        for path in options.texts(name):
            texts |= read_file(path)
    for name in properties:
        texts |= key_values(options.texts(name), name)
    return texts


def cluster_from(bootstrap: str | None, texts: Mapping[str, str]) -> ClusterOptions:
    """At this address, else at the one that the settings name. Raises UserError."""
    from ottla.cli.options import ClusterOptions

    of_settings, client = None, dict[str, object]()
    if texts:  # the names and types of all settings take longer to import than most tools to run
        from ottla.cli.command_config import read_client_settings

        of_settings, client = read_client_settings(texts, "the settings of the client")
    address = bootstrap or of_settings
    if address is None:
        raise UserError(f"--{SERVER} must be specified")
    return ClusterOptions(address, client)


def run_on(cluster: ClusterOptions, work: Callable[[], Awaitable[Result]]) -> Result:
    """Run it to its end, once a node was reached.

    Raises UserError at once where none can be: producers and consumers go on trying, and whoever
    mistyped an address would wait without a word.
    """
    from ottla.cli.cluster import connected_admin

    async def main() -> Result:
        async with connected_admin(cluster):
            pass  # it was reached, and that is all we wanted to know
        return await work()

    return asyncio.run(main())


def read_file(path: str) -> dict[str, str]:
    """A .properties file. Raises UserError where it cannot be read."""
    from ottla.settings.properties import parse_properties

    try:
        return parse_properties(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {error}") from error


def key_values(texts: Iterable[str], option: str) -> dict[str, str]:
    """`key=value`, as many as there are; a value may be empty. Raises UserError for other words."""
    given = dict[str, str]()
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise UserError(f"--{option} {text}: it takes key=value")
        given[key] = value
    return given
