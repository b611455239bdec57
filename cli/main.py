"""The command line: what ends a command becomes one line and an exit code.

Signals are ours before anything else is imported.
"""

import sys
from typing import NoReturn

from smoothcert.cli.shell.signals import INTERRUPTED, STATUS, end_quietly, interruptible


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line: exit 0 done, 2 wrong usage or input, 130 interrupted, 1 else.

    Without arguments it is the program, and this process' streams and signals are its own.
    """
    program = arguments is None
    try:
        with interruptible(restore=not program):
            if program:
                from smoothcert.cli.shell.printing import prepare_streams

                prepare_streams()
            status = _finished(_status_of(sys.argv[1:] if arguments is None else arguments))
            if program:
                end_quietly(status)
    except KeyboardInterrupt:  # between two statements of ours
        print(INTERRUPTED, file=sys.stderr)
        status = STATUS
    sys.exit(status)


def _status_of(arguments: list[str]) -> int:
    """Run one command, and say in one line why it ended where it ended badly."""
    import click

    from smoothcert.cli.shell.commands import smoothcert
    from smoothcert.cli.shell.completion import answered
    from smoothcert.cli.shell.printing import complain
    from smoothcert.engine.base.cores import limit_libraries
    from smoothcert.engine.base.errors import InputError, RunStoppedError, one_line, system_line

    status = answered()
    if status is not None:
        return status
    limit_libraries()
    try:
        # Not click's own main: it would print an empty line before an interruption.
        with smoothcert.make_context("smoothcert", list(arguments)) as context:
            smoothcert.invoke(context)
    except click.exceptions.Exit as done:
        return done.exit_code
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        return 2
    except click.UsageError as error:
        complain(error.format_message())
        return 2
    except InputError as error:
        complain(error)
        return 2
    except (KeyboardInterrupt, click.Abort):
        complain(INTERRUPTED.partition(": ")[2])
        return STATUS
    except BrokenPipeError:
        pass  # the reader (`| head`) has seen enough; nothing is left to be said to it
    except MemoryError as error:
        complain(f"the memory does not suffice ({one_line(error)}); what was written is kept")
        return 1
    except OSError as error:
        complain(f"{system_line(error)}; what was written is kept")
        return 1
    except RunStoppedError as error:
        complain(f"{error}; what was written is kept")
        return 1
    return 0


def _finished(status: int) -> int:
    """The exit code, once all that is buffered for stdout is there: 1 where that cannot be."""
    from smoothcert.cli.shell.printing import complain, flush_stdout

    error = flush_stdout()
    if error is None or isinstance(error, BrokenPipeError) or status:
        return status
    complain(f"stdout cannot be written ({error.strerror}); what was written is kept")
    return 1


if __name__ == "__main__":
    main()
