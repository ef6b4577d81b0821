"""`ottla completion`."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print what makes a shell complete commands, options, and names that the cluster knows.

    \b
    ottla completion bash > /etc/bash_completion.d/ottla
    ottla completion zsh > ~/.zfunc/_ottla
    ottla completion fish > ~/.config/fish/completions/ottla.fish

    For the running bash or zsh alone: eval "$(ottla completion bash)". Names are those of
    OTTLA_BOOTSTRAP_SERVER, where the line does not name another cluster before.
    """
    from ottla.cli.shells import script_of

    print(script_of(click.get_current_context().find_root().command, shell))
