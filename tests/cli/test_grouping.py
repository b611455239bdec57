import click
from click.testing import CliRunner

from smoothcert.cli.grouping import GroupedCommand, grouped, option

RARE = grouped("Rarely needed", option("--first", help="One."), option("--second", type=int))


@click.command(cls=GroupedCommand)
@click.option("--common", help="Often.")
@RARE
@click.option("--last", is_flag=True)
def command(common: str | None, first: str | None, second: int | None, last: bool) -> None:
    click.echo(f"{common} {first} {second} {last}")


def test_a_group_stands_under_its_heading_after_the_others() -> None:
    text = CliRunner().invoke(command, ["--help"]).output
    places = [text.index(part) for part in ("Options:", "--common", "--last", "--help",
                                            "Rarely needed:", "--first", "--second")]  # fmt: skip
    assert places == sorted(places)


def test_its_options_are_options() -> None:
    assert CliRunner().invoke(command, ["--second", "2", "--common", "c"]).output == (
        "c None 2 False\n"
    )
