"""`smoothcert completion`: the script that makes a shell complete commands, options and paths.

The script asks the program itself what may come next, through an environment variable.
"""

import os

import click

from smoothcert.cli.shell.commands import smoothcert

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_SMOOTHCERT_COMPLETE"
"""Set by the script: bash_complete, zsh_complete or fish_complete."""


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print what makes a SHELL complete commands, options and paths.

    \b
    bash, in ~/.bashrc:
      eval "$(smoothcert completion bash)"
    zsh, in ~/.zshrc, after compinit:
      eval "$(smoothcert completion zsh)"
    fish, once:
      smoothcert completion fish > ~/.config/fish/completions/smoothcert.fish
    """
    _answer(f"{shell}_source")


def answered() -> int | None:
    """Answer a shell's script where one asks; the exit code, None where none does."""
    instruction = os.environ.get(VARIABLE)
    return _answer(instruction) if instruction else None


def _answer(instruction: str) -> int:
    from click.shell_completion import shell_complete

    return shell_complete(smoothcert, {}, "smoothcert", VARIABLE, instruction)
