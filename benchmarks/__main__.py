"""`python -m benchmarks [NAME …]`: measure, print, and fail where a budget is exceeded.

The machine's own floors come first and from the same run: compare with them, not across days.
"""

from __future__ import annotations

import importlib
import sys

from benchmarks.load import NoCompilerError

NAMES = ("floors", "startup", "recovery", "hot_path", "groups", "connections", "metrics", "client")


def main() -> int:
    """The number of figures over their budget, as an exit code."""
    exceeded = 0
    for name in sys.argv[1:] or NAMES:
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"{name}: {(module.__doc__ or '').strip()}", flush=True)
        try:
            for figure in module.run():
                print(figure.line(), flush=True)
                exceeded += not figure.within_budget
        except NoCompilerError as missing:
            print(f"  skipped: {missing}")
    return min(exceeded, 1)


if __name__ == "__main__":
    sys.exit(main())
