"""How bash, zsh and fish ask for completions, and take them.

click knows all three; of bash it asks for words that are cut at `:` and `=`, which addresses and
settings have inside. So bash gives its whole line here, and is answered by what follows the cut.
"""

from __future__ import annotations

import os
import re
from typing import Final

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    split_arg_string,
)

from ottla.cli.program import COMPLETION_VARIABLE, PROGRAM

_BASH: Final = """\
%(complete_func)s() {
    local IFS=$'\\n' type value response
    response=$(env OTTLA_COMP_LINE="${COMP_LINE:0:$COMP_POINT}" \\
        %(complete_var)s=bash_complete "$1")
    COMPREPLY=()
    while IFS=',' read -r type value; do
        case "$type" in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                COMPREPLY+=("$value")
                [[ "$value" == *= ]] && compopt -o nospace
                ;;
        esac
    done <<< "$response"
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

_LAST_BREAK: Final = re.compile(r".*[:=]", re.DOTALL)
"""In bash a word begins anew behind these (COMP_WORDBREAKS)."""


class WholeLineBash(BashComplete):
    """bash, by its whole line."""

    source_template = _BASH

    def source(self) -> str:
        """Without click's look at the version of bash: no older one is in use anywhere."""
        return self.source_template % self.source_vars()

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["OTTLA_COMP_LINE"]
        words = split_arg_string(line)
        incomplete = "" if line[-1:].isspace() or len(words) < 2 else words.pop()
        return words[1:], incomplete

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        found = super().get_completions(args, incomplete)
        broken = _LAST_BREAK.match(incomplete)
        if broken is not None:
            for item in found:
                item.value = str(item.value).removeprefix(broken[0])
        return found


SHELLS: Final[dict[str, type[ShellComplete]]] = {
    "bash": WholeLineBash,
    "zsh": ZshComplete,
    "fish": FishComplete,
}


def script_of(root: click.Command, shell: str) -> str:
    """What a shell has to run once."""
    return SHELLS[shell](root, {}, PROGRAM, COMPLETION_VARIABLE).source()


def completions(root: click.Command, asked: str) -> str:
    """The answer to that script: `asked` is what it set, as `bash_complete`."""
    shell = SHELLS[asked.removesuffix("_complete")]
    return shell(root, {}, PROGRAM, COMPLETION_VARIABLE).complete()
