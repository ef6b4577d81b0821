"""Commands by path: a module is a verb, a folder a noun, and nothing is imported before its use."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import Final

import click

SUMMARY_CHARACTERS_MAX: Final = 100


class PathGroup(click.Group):
    """A group whose commands are the modules and folders of a package."""

    def __init__(self, package: ModuleType, name: str, help_text: str | None = None) -> None:
        super().__init__(name=name, help=help_text or package.__doc__, no_args_is_help=True)
        self._package = package

    def list_commands(self, ctx: click.Context) -> list[str]:
        found = pkgutil.iter_modules(self._package.__path__)
        return sorted(module.name.replace("_", "-") for module in found)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module_name = cmd_name.replace("-", "_")
        found = {module.name: module for module in pkgutil.iter_modules(self._package.__path__)}
        if module_name not in found:
            return None
        module = importlib.import_module(f"{self._package.__name__}.{module_name}")
        if found[module_name].ispkg:
            return PathGroup(module, cmd_name)
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_section(ctx, formatter, "Commands", self.list_commands(ctx))

    def format_section(
        self, ctx: click.Context, formatter: click.HelpFormatter, title: str, names: list[str]
    ) -> None:
        """List these commands under a title, with all of their first sentence."""
        rows = []
        for name in names:
            command = self.get_command(ctx, name)
            assert command is not None
            rows.append((name, command.get_short_help_str(limit=SUMMARY_CHARACTERS_MAX)))
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            nearest = self._nearest(ctx, args[0])
            if nearest is None:
                raise
            message = f"{error.message} Did you mean {nearest}?"
            raise click.UsageError(message, ctx=ctx) from error

    def _nearest(self, ctx: click.Context, name: str) -> str | None:
        import difflib

        found = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
        return found[0] if found else None
