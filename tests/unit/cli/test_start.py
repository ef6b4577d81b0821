"""A command is over before what it does not need would be imported."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import ottla.cli.main
import ottla.cli.commands.topic.list
from ottla.client.admin.admin import Admin
Admin("unused:1").topics
print(*sys.modules)
"""
DEAR = {
    *("rich", "yaml", "uvloop", "cramjam", "lz4", "secrets", "ottla.blocking"),
    *("ottla.broker", "ottla.node", "ottla.log", "ottla.settings.broker", "ottla.settings.topic"),
    *("ottla.client.consumer", "ottla.client.producer"),
    *("ottla.client.admin.acls", "ottla.client.admin.groups", "ottla.client.admin.transactions"),
}


def test_listing_topics_imports_only_what_it_takes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=30
    )
    imported = set(done.stdout.split())
    assert "ottla.client.admin.topics" in imported
    assert DEAR & imported == set()
