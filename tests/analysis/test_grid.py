"""Text in lines of a given width: blocks of columns, and long names in several lines."""

import pytest

from smoothcert.analysis.grid import TEXT, in_blocks

GRID = [["accuracy", "sigma", "r=0", "r=0.5", "images"], ["out", "0.25", "0.900", "0.500", "100"]]


def test_what_fits_is_one_block() -> None:
    assert in_blocks(GRID, 37) == TEXT.lay_out(GRID)
    assert max(map(len, in_blocks(GRID, 37).splitlines())) == 37


def test_columns_go_on_below_with_their_rows_names() -> None:
    assert in_blocks(GRID, 24) == (
        "accuracy  sigma    r=0\n"
        "out        0.25  0.900\n\n"
        "accuracy  r=0.5  images\n"
        "out       0.500     100"
    )


@pytest.mark.parametrize("width", [20, 33, 80])
def test_no_line_is_wider_whatever_names_are(width: int) -> None:
    names = ["a/folder/of_logs/with-names/sigma_0.25", "x" * 100, "two words", ""]
    grid = [["accuracy", *GRID[0][1:]], *([name, *GRID[1][1:]] for name in names)]
    lines = in_blocks(grid, width).splitlines()
    assert max(map(len, lines)) <= width
    blocks = sum(line.startswith("accuracy") for line in lines)
    assert sum(line.count("x") for line in lines) == 100 * blocks


def test_a_cell_that_is_too_wide_stands_out() -> None:
    assert in_blocks([["a", "b"], ["c", "d" * 30]], 10).splitlines()[1] == f"c  {'d' * 30}"
    assert in_blocks([["alone"], ["x"]], 10) == "alone\nx"
