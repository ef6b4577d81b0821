"""The command line in this process, against a broker in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ottla.cli import options
from ottla.cli.main import root
from ottla.testing import TemporaryBroker


class CommandLine:
    """`ottla` as a person runs it, with exit codes and both outputs; no process, no socket."""

    def __init__(self, broker: TemporaryBroker) -> None:
        self.broker = broker

    def run(
        self, *arguments: str, stdin: str | bytes | None = None, code: int | None = 0
    ) -> Result:
        """Run it. Fails where the exit code is another one; None for any."""
        client: Mapping[str, object] = {"connector": self.broker.connector}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                options,
                "cluster_of",
                lambda *_: options.ClusterOptions(self.broker.bootstrap, client),
            )
            result = CliRunner().invoke(root(), list(arguments), input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert code is None or result.exit_code == code, (result.output, result.stderr)
        return result

    def rows(self, *arguments: str, code: int | None = 0) -> list[dict[str, Any]]:
        """What it prints for programs."""
        found = json.loads(self.run(*arguments, "--output", "json", code=code).stdout)
        assert isinstance(found, list)
        return found

    def refusal(self, *arguments: str) -> str:
        """What it tells when it refuses: one line."""
        told = self.run(*arguments, code=1).stderr
        assert told.startswith("ottla: ")
        assert "Traceback" not in told
        return told
