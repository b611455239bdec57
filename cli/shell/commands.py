"""The command group: commands are imported when they are called, so --help stays fast."""

import importlib
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS = {
    "export": ("smoothcert.cli.export", "Turn a checkpoint into a one-file ONNX model."),
    "build": ("smoothcert.cli.build", "Turn an ONNX model into a TensorRT engine."),
    "certify": ("smoothcert.cli.certify", "Certify the images of a source; write a log."),
    "predict": ("smoothcert.cli.predict", "Predict with the smoothed classifier; write a log."),
    "analyze": ("smoothcert.cli.analyze", "Certified accuracy of one or more logs."),
    "audit": ("smoothcert.cli.audit", "Check a log: recompute it, certify some rows again."),
    "merge": ("smoothcert.cli.merge", "Join the logs of shards into one."),
    "train": ("smoothcert.cli.train", "Train a base classifier on noisy images."),
    "visualize": ("smoothcert.cli.visualize", "Pictures of an image under several noise levels."),
    "bench": ("smoothcert.cli.bench", "Samples per second, against the original and the runtime."),
    "doctor": ("smoothcert.cli.doctor", "What this machine, a model or images are; what to type."),
    "completion": (
        "smoothcert.cli.shell.completion",
        "The completion script of bash, zsh or fish.",
    ),
}


class _LazyGroup(click.Group):
    """A group whose commands live in modules named by COMMANDS; each has `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of a first use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of --help, without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list["CompletionItem"]:
        """The same for a shell that completes a name; options as click has them."""
        from click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [
            CompletionItem(name, help=help_)
            for name, (_, help_) in COMMANDS.items()
            if name.startswith(incomplete)
        ]


def _say_version(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    if not asked or ctx.resilient_parsing:
        return
    from smoothcert.engine.base.commit import own_commit
    from smoothcert.engine.base.machine import version_of

    commit = own_commit()
    click.echo(
        f"smoothcert, version {version_of('smoothcert')}" + (f", commit {commit}" if commit else "")
    )
    ctx.exit()


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_say_version,
    help="Show version and commit, and exit.",
)
def smoothcert() -> None:
    """Certify image classifiers against L2 perturbations by randomized smoothing."""
