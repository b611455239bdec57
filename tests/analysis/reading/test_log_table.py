"""The lines of a log that others wrote: what parts them, and which are no rows."""

from pathlib import Path

import pytest

from smoothcert.analysis.reading.layout import looks_like_a_log
from smoothcert.analysis.reading.table import split_table
from smoothcert.analysis.reading.text import EmptyLogError, beginning, whole_lines
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.rows import COLUMNS

LOG = Path("some.tsv")
HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime"
ROWS = ["0\t3\t3\t0.5\t1\t0:00:01", "20\t2\t-1\t0.0\t0\t0:00:02"]
GIVEN = ("idx", "label", "predict", "radius", "correct", "time")


def shifted(line: str, mark: str) -> str:
    return line.replace("\t", mark)


@pytest.mark.parametrize("mark", ["\t", " \t ", ",", ", ", ";", "    ", "\t\t", "   \t\t "])
def test_fields_are_parted_as_in_the_header(mark: str) -> None:
    table = split_table(LOG, [shifted(line, mark) for line in (HEADER, *ROWS)])
    assert table.columns["radius"] == ["0.5", "0.0"]
    assert table.columns["time"] == ["0:00:01", "0:00:02"]
    assert (list(table.lines), table.said) == ([2, 3], ())


@pytest.mark.parametrize(
    "rows",
    [
        [line + "\t" for line in ROWS],
        [shifted(line, "\t\t") for line in ROWS],
        [shifted(line, "   ") for line in ROWS],
        [*ROWS, "", "  "],
        [ROWS[0], "", ROWS[1]],
    ],
)
def test_rows_that_differ_from_the_header_in_blanks_alone(rows: list[str]) -> None:
    table = split_table(LOG, [HEADER, *rows])
    assert table.columns["predict"] == ["3", "-1"]
    assert table.said == ()


def test_rows_may_end_after_all_that_is_read() -> None:
    header = f"{HEADER}\tdistance\tbudget"
    table = split_table(LOG, [header, f"{ROWS[0]}\t0.4\t0.2", ROWS[1]])
    assert table.columns["time"] == ["0:00:01", "0:00:02"]
    assert table.said == (
        "columns by name (ignored: distance, budget)", "1 rows end before the header does",
    )  # fmt: skip
    with pytest.raises(InputError, match="line 3 has 5 fields: expected 8"):
        split_table(LOG, [header, f"{ROWS[0]}\t0.4\t0.2", ROWS[1].rpartition("\t")[0]])


def test_rows_longer_than_the_header_ask_for_columns() -> None:
    with pytest.raises(InputError, match=r"line 2 has 7 fields: expected 6; --columns names them"):
        split_table(LOG, [HEADER, f"{ROWS[0]}\t0.4"])
    table = split_table(LOG, [HEADER, f"{ROWS[0]}\t0.4"], (*GIVEN, "-"))
    assert table.columns["radius"] == ["0.5"]


def test_quoted_fields() -> None:
    table = split_table(LOG, ['"idx","label","predict"', '"0","3","3"'])
    assert table.columns == {"idx": ["0"], "label": ["3"], "predict": ["3"]}


@pytest.mark.parametrize(
    ("lines", "numbers", "said"),
    [
        (["=> loading checkpoint", "Files verified", HEADER, *ROWS], [4, 5],
         "no row, left out: line 1 '=> loading checkpoint' and 1 more"),
        ([HEADER, *ROWS, "CleanACC = 415/500 = 0.83"], [2, 3],
         "no row, left out: line 4 'CleanACC = 415/500 = 0.83'"),
        ([HEADER, ROWS[0], "# half", ROWS[1]], [2, 4], "line 3 '# half'"),
        ([HEADER, ROWS[0], HEADER, ROWS[1]], [2, 4], "the header comes 2 times: logs joined"),
        (["# 0.25", HEADER, ROWS[0], HEADER, ROWS[1], HEADER], [3, 5], "comes 3 times"),
    ],
)  # fmt: skip
def test_lines_that_are_no_rows_are_left_out_and_said(
    lines: list[str], numbers: list[int], said: str
) -> None:
    table = split_table(LOG, lines)
    assert list(table.lines) == numbers
    assert table.columns["idx"] == ["0", "20"]
    assert said in "; ".join(table.said)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([HEADER, "0\t3", *ROWS], "line 2 has 2 fields: expected 6"),
        ([HEADER, *ROWS, "40\t3\t3\t0."], "line 4 has 4 fields"),
        ([HEADER, *ROWS, "57"], "line 4 has 1 fields"),
        ([HEADER, ROWS[0], "\0\0\0"], "line 3 has 1 fields"),
        ([HEADER, ROWS[0] + "\t7", ROWS[1]], "line 2 has 7 fields"),
    ],
)
def test_a_torn_row_is_no_remark(lines: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        split_table(LOG, lines)


@pytest.mark.parametrize(
    "again", ["idx\tpredict\tlabel\tradius\tcorrect\ttime", "idx\tlabel\tpredict\tcorrect\ttime"]
)
def test_a_header_of_other_columns_is_another_log(again: str) -> None:
    with pytest.raises(InputError, match="line 4 names other columns than the header above"):
        split_table(LOG, [HEADER, *ROWS, again, ROWS[0]])


def test_a_header_as_a_comment() -> None:
    lines = [shifted(line, " ") for line in (f"# {HEADER}", *ROWS)]
    assert split_table(LOG, lines).columns["radius"] == ["0.5", "0.0"]
    numbered = [lines[0].replace("idx ", ""), *lines[1:]]
    assert "ignored: #; no idx" in split_table(LOG, numbered).said[0]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "line 3 has 1 fields: expected 12"),
        ("# remark", "line 3 has 1 fields: expected 12"),
        ("\t".join(COLUMNS), "has its header again in line 3: .* `smoothcert merge`"),
    ],
)
def test_our_own_logs_are_taken_to_the_letter(line: str, words: str) -> None:
    row = "\t".join("0" for _ in COLUMNS)
    assert len(split_table(LOG, ["\t".join(COLUMNS), row])) == 1
    with pytest.raises(InputError, match=words):
        split_table(LOG, ["\t".join(COLUMNS), row, line])


@pytest.mark.parametrize(
    "lines", [[HEADER], [HEADER, "", " "], [HEADER, "Killed"], [""], [" ", ""]]
)
def test_a_log_without_rows_is_empty(lines: list[str]) -> None:
    with pytest.raises(EmptyLogError, match="expected"):
        split_table(LOG, lines)


@pytest.mark.parametrize("lines", [ROWS, ["{", "}"], ["idx label"], ["x"] * 2000 + [HEADER]])
def test_without_a_header_columns_are_asked_for(lines: list[str]) -> None:
    with pytest.raises(InputError, match=r"begins with .*--columns, as in idx,label") as caught:
        split_table(LOG, lines)
    assert not isinstance(caught.value, EmptyLogError)


@pytest.mark.parametrize(
    ("lines", "numbers"),
    [
        (ROWS, [1, 2]),
        ([HEADER, *ROWS], [2, 3]),
        (["=> loading model of six words there", HEADER, *ROWS], [3, 4]),
        ([shifted(line, ",") for line in ("a\tb\tc\td\te\tf", *ROWS)], [2, 3]),
        ([shifted(line, "  ") for line in ROWS], [1, 2]),
        ([ROWS[0], "# half", ROWS[1]], [1, 3]),
    ],
)
def test_columns_name_the_fields_with_a_header_or_without(
    lines: list[str], numbers: list[int]
) -> None:
    table = split_table(LOG, lines, GIVEN)
    assert list(table.lines) == numbers
    assert table.columns["predict"] == ["3", "-1"]
    assert table.said[0].startswith("columns as given")
    assert ("not by the header" in table.said[0]) == (len(lines) > 2 and lines[1] != "# half")


def test_columns_to_ignore() -> None:
    lines = ["0\tx\t3\t3\t9\t1", "20\ty\t2\t-1\t9\t1"]
    table = split_table(LOG, lines, ("idx", "-", "label", "predict", "-", "-"))
    assert table.columns == {"idx": ["0", "20"], "label": ["3", "2"], "predict": ["3", "-1"]}
    assert "no radius: predictions alone; no correct: it is predict = label; no time" in str(
        table.said
    )


@pytest.mark.parametrize("columns", [GIVEN[:5], (*GIVEN, "-")])
def test_as_many_columns_as_there_are(columns: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=f"has 6 columns and --columns names {len(columns)}"):
        split_table(LOG, ROWS, columns)


@pytest.mark.parametrize("lines", [[], [""], [HEADER]])
def test_no_rows_for_the_columns(lines: list[str]) -> None:
    with pytest.raises(EmptyLogError):
        split_table(LOG, lines, GIVEN)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_text_of_every_system(tmp_path: Path, encoding: str, end: str) -> None:
    path = tmp_path / "log"
    text = "".join(line + end for line in (HEADER, *ROWS))
    path.write_bytes((text + "torn").encode(encoding))
    assert whole_lines(path, finished=False) == ([HEADER, *ROWS], "torn")
    assert beginning(path) == [HEADER, *ROWS, "torn"]


@pytest.mark.parametrize(
    ("name", "content", "columns", "is_one"),
    [
        ("a.tsv", "\n".join([HEADER, *ROWS]), None, True),
        ("sigma_0.25", HEADER, None, True),
        ("a.txt", "", None, True),
        ("a.txt", "=> loading\n" + HEADER, None, True),
        ("README.md", HEADER, None, False),
        ("a.txt", "a table of accuracies\n", None, False),
        ("a.csv", "sigma,accuracy\n0.25,0.5\n", None, False),
        ("a.png", "\x89PNG\0\0", None, False),
        ("a.txt", ROWS[0], None, False),
        ("a.txt", ROWS[0], GIVEN, True),
        ("a.txt", "a table of accuracies\n", GIVEN, False),
    ],
)
def test_which_files_of_a_folder_are_logs(
    tmp_path: Path, name: str, content: str, columns: tuple[str, ...] | None, is_one: bool
) -> None:
    (tmp_path / name).write_text(content)
    assert looks_like_a_log(tmp_path / name, columns) == is_one
