"""Errors a user can act on."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line: what was wrong (with the value), what was expected, what to do.
    The command line prints it on stderr and exits with 2.
    """


class MissingPartError(InputError):
    """An optional package is not installed; the message names the extra that brings it."""


class RunStoppedError(RuntimeError):
    """A run cannot go on, through no fault of what the user gave; what it has written is kept.

    The message is one line. The command line prints it on stderr and exits with 1.
    """
