"""Stories told as transcripts: commands above a line of dashes, what came of them below it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

RULE = "----"


def told(script: str, run: Callable[[str], Iterable[str]]) -> str:
    """The script with what really happens below its dashes; `run` takes one command."""
    lines: list[str] = []
    news: list[str] = []
    is_result = False
    for line in script.splitlines():
        if line == RULE:
            lines += [RULE, *news]
            news, is_result = [], True
        elif not line:
            lines.append("")
            is_result = False
        elif not is_result:
            lines.append(line)
            if not line.startswith("#"):
                news += run(line)
    return "\n".join(lines).rstrip("\n") + "\n"
