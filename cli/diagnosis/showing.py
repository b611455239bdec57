"""A diagnosis on a terminal, as a table, and in a pipe, as plain lines."""

from collections.abc import Mapping, Sequence

from smoothcert.analysis.grid import printable
from smoothcert.cli.diagnosis.entry import ALARMING, TO_TYPE
from smoothcert.cli.shell import printing
from smoothcert.cli.shell.printing import echo_result

_COLUMNS = ("part", "state", "note")


def show(entries: Sequence[Mapping[str, str]]) -> None:
    """Print {part, state, note} of every entry: on a terminal the alarming ones in red, and the
    commands to type below."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        widths = [max(len(entry[column]) for entry in entries) for column in _COLUMNS[:2]]
        for entry in entries:
            part, state = entry["part"].ljust(widths[0]), entry["state"].ljust(widths[1])
            echo_result(f"{part}  {state}  {printable(entry['note'])}")
        return
    table = Table(*_COLUMNS)
    for entry in entries:
        if entry["state"] == TO_TYPE:
            continue
        # As Text: the brackets of 'smoothcert[cpu]' are not rich's markup.
        cells = (Text(printable(entry[column]), overflow="fold") for column in _COLUMNS)
        table.add_row(*cells, style="red" if entry["state"] in ALARMING else None)
    with printing.undisturbed():
        console.print(table)
    for entry in entries:
        if entry["state"] == TO_TYPE:  # below the table, whose lines break what is to be copied
            echo_result(printable(entry["note"]))
