"""The command group: commands are imported when they are called, so --help stays fast."""

import importlib
import os
import sys
from typing import NoReturn

import click

from smoothcert.engine.base.cores import limit_libraries
from smoothcert.engine.base.errors import InputError, RunStoppedError

_COMMANDS = {
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
}


class _LazyGroup(click.Group):
    """A group whose commands live in modules named by _COMMANDS; each has `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of a first use."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(_COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of --help, without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="smoothcert")
def smoothcert() -> None:
    """Certify image classifiers against L2 perturbations by randomized smoothing."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line: exit 0 done, 2 wrong usage or input, 130 interrupted, 1 else."""
    given = sys.argv[1:] if arguments is None else arguments
    status = 0
    limit_libraries()
    try:
        # Not click's own main: it would print an empty line before an interruption.
        with smoothcert.make_context("smoothcert", list(given)) as context:
            smoothcert.invoke(context)
    except click.exceptions.Exit as done:
        status = done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        status = 2
    except click.UsageError as error:
        print(f"smoothcert: {error.format_message()}", file=sys.stderr)
        status = 2
    except InputError as error:  # in one line, whatever the names of files hold
        print(f"smoothcert: {' '.join(str(error).splitlines())}", file=sys.stderr)
        status = 2
    except (KeyboardInterrupt, click.Abort):
        print("smoothcert: interrupted; the same command resumes", file=sys.stderr)
        status = 130
    except BrokenPipeError:
        # The reader (`| head`) has seen enough; nothing is left to be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, RunStoppedError) as error:
        print(f"smoothcert: {error}; what was written is kept", file=sys.stderr)
        status = 1
    sys.exit(status)


if __name__ == "__main__":
    main()
