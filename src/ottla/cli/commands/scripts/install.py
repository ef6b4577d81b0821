"""`ottla scripts install`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--bare", is_flag=True, help="Names without .sh, as some distributions have them.")
@click.option("--force", is_flag=True, help="Replace files that are not ours.")
def command(folder: Path, bare: bool, force: bool) -> None:
    """Write Kafka's tools into a folder, to be called by their names.

    They are short scripts that start this very Python, and so end with its environment. Written
    again they are replaced; files that are not ours stay where they are.

    \b
    ottla scripts install ~/kafka/bin
    ottla scripts install /usr/local/bin --bare
    """
    from ottla.cli.scripts.installation import install

    written = install(folder, suffix="" if bare else ".sh", replace_others=force)
    print(f"wrote {len(written)} scripts to {folder}: {written[0].name} to {written[-1].name}")
