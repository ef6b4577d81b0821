"""`admin.configs` for plain calls."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ottla.blocking.client import Runner
from ottla.client.admin.config_changes import Change
from ottla.client.admin.config_entries import ConfigResource, ResourceType
from ottla.client.admin.configs import Configs as AsyncioConfigs
from ottla.client.admin.configs import Settings
from ottla.client.admin.outcomes import Outcomes


class Configs:
    """`admin.configs`: the twin of the asyncio one."""

    def __init__(self, run: Runner, inner: AsyncioConfigs) -> None:
        self._run = run
        self._inner = inner

    def describe(
        self,
        *resources: ConfigResource,
        names: Collection[str] | None = None,
        synonyms: bool = False,
        documentation: bool = False,
        timeout_s: float | None = None,
    ) -> Outcomes[ConfigResource, Settings]:
        """Settings in force and where they come from; all where `names` is None.

        `synonyms` tells where else each value is set, `documentation` (Kafka 2.6) what it means.
        """
        return self._run(
            lambda: self._inner.describe(
                *resources,
                names=names,
                synonyms=synonyms,
                documentation=documentation,
                timeout_s=timeout_s,
            )
        )

    def alter(
        self,
        changes: Mapping[ConfigResource, Mapping[str, Change]],
        *,
        validate_only: bool = False,
        timeout_s: float | None = None,
    ) -> Outcomes[ConfigResource, None]:
        """Change single settings: to a text, with None back to the default, by `Append` and
        `Subtract` in a list. All that is not named stays, and a resource changes whole or not.

        A broker older than Kafka 2.3 can only set all settings of a resource: they are read first,
        and what another client sets between both is lost.
        """
        return self._run(
            lambda: self._inner.alter(changes, validate_only=validate_only, timeout_s=timeout_s)
        )

    def list_resources(
        self, *types: ResourceType, timeout_s: float | None = None
    ) -> tuple[ConfigResource, ...]:
        """What has settings of its own: of these types, or all.

        Brokers before Kafka 4.1 list only CLIENT_METRICS, those before 3.7 nothing.
        """
        return self._run(lambda: self._inner.list_resources(*types, timeout_s=timeout_s))
