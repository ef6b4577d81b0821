"""The door: finds the command, and turns errors for people into one line and an exit code.

Exit codes: 0 done, 1 refused or failed (the message says why), 2 wrong usage, 3 found what a
command looks for, 130 interrupted (`exit_codes.Exit`).
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Final, NoReturn

import click

from ottla import __version__
from ottla.base.errors import ProtocolError, UserError
from ottla.cli import commands
from ottla.cli.exit_codes import Exit
from ottla.cli.program import COMPLETION_VARIABLE, PROGRAM, open_closed_outputs
from ottla.cli.tree import PathGroup

HELP = """Ottla: an event streaming platform that speaks Apache Kafka's protocol.

Start it with `ottla serve`, then point any Kafka client at localhost:9092.
"""


SECTIONS: Final = {
    "Run it": ("serve", "broker"),
    "Records": ("produce", "consume", "group", "perf"),
    "Look after a cluster": (
        *("topic", "config", "cluster", "partition", "disk", "txn", "telemetry"),
        *("doctor", "top"),
    ),
    "Who may do what": ("acl", "quota", "user", "token"),
}
"""In which order the help lists commands; what is not named here comes last."""
ELSE: Final = "And"
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a file says that takes no more: it is no fault of ours."""


def main() -> None:
    """Run the command that the arguments name."""
    root()(prog_name=PROGRAM)


def root(package: ModuleType | None = None) -> Door:
    """All commands, with what becomes of their errors; also what tests run."""
    door = Door(package or commands, PROGRAM, HELP)
    door.context_settings = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
    click.version_option(__version__, prog_name=PROGRAM)(door)
    return door


class Door(PathGroup):
    """The group of all commands: no error that is for people leaves it but as an exit code."""

    def main(  # type: ignore[override]  # the one way of running it: never returns
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        arguments = list(sys.argv[1:] if args is None else args)
        open_closed_outputs()
        _print_whatever_comes()
        sys.exit(self._exit_code(arguments, prog_name or PROGRAM, extra))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        left = self.list_commands(ctx)
        for title, names in SECTIONS.items():
            self.format_section(ctx, formatter, title, [name for name in names if name in left])
            left = [name for name in left if name not in names]
        self.format_section(ctx, formatter, ELSE, left)

    def _exit_code(self, arguments: list[str], prog_name: str, extra: dict[str, Any]) -> int:
        try:
            code = self._run(arguments, prog_name, extra)
            # Here, not when Python ends: there nobody is left to take the error.
            sys.stdout.flush()
        except BrokenPipeError:
            _forget_output()
            return Exit.NOBODY_READS
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            print(f"{PROGRAM}: cannot write: {error.strerror}", file=sys.stderr)
            _forget_output()
            return Exit.REFUSED
        return code

    def _run(self, arguments: list[str], prog_name: str, extra: dict[str, Any]) -> int:
        try:
            if COMPLETION_VARIABLE in os.environ:
                return self._complete()
            with self.make_context(prog_name, arguments, **extra) as context:
                self.invoke(context)
        except click.exceptions.Exit as ended:
            return ended.exit_code
        except SystemExit as ended:
            return int(ended.code or Exit.DONE)
        except click.ClickException as error:
            error.show()
            return error.exit_code
        except (UserError, ProtocolError) as error:
            from ottla.cli.hints import hint_for

            print(f"{PROGRAM}: {error}{hint_for(error)}", file=sys.stderr)
            return Exit.REFUSED
        except (KeyboardInterrupt, click.Abort):
            print(file=sys.stderr)
            return Exit.INTERRUPTED
        return Exit.DONE

    def _complete(self) -> int:
        from ottla.cli.shells import completions

        print(completions(self, os.environ[COMPLETION_VARIABLE]))
        return Exit.DONE


def _print_whatever_comes() -> None:
    """A name of somebody else's may have letters that the terminal's encoding has not."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _forget_output() -> None:
    """What is still in the buffer has no reader: its flush at the end shall not complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError):  # an output that is no file has no buffer that is flushed
        return
    finally:
        os.close(nowhere)
