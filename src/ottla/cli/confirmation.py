"""Asking a person before something is gone for good; programs are never asked."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from ottla.base.errors import UserError


def yes_option(function: Callable[..., None]) -> Callable[..., None]:
    """Let a command take `confirm: Callable[[str], None]`, which asks where a person is there.

    It raises UserError where the answer is no.
    """

    @wraps(function)
    def command(*, yes: bool, **rest: Any) -> None:
        def confirm(question: str) -> None:
            if not yes and sys.stdin.isatty() and not click.confirm(question, err=True):
                raise UserError("nothing was done")

        function(confirm=confirm, **rest)

    return click.option("--yes", "-y", is_flag=True, help="Do it without asking.")(command)
