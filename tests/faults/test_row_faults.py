"""Rows that only look like rows: a resumed run and a merge stop at the line, and change nothing; an
audit lists it."""

import itertools
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile_logs import Commands, change_lines, change_manifest, one_line, state
from untimed_logs import untimed

Change = Callable[[list[bytes]], list[bytes]]


@pytest.fixture
def run(model: Path, source: Path, capfd: pytest.CaptureFixture[str]) -> Commands:
    return Commands(model, source, capfd)


@pytest.fixture
def log(run: Commands, tmp_path: Path) -> Path:
    """A finished log of twelve images, alone in a folder."""
    out = tmp_path / "logs" / "out.tsv"
    out.parent.mkdir()
    assert run.certify(out)[0] == 0
    return out


def put(number: int, old: bytes, new: bytes) -> Change:
    """Replace text once in a line, counted from 1."""

    def change(lines: list[bytes]) -> list[bytes]:
        assert old in lines[number - 1]
        lines[number - 1] = lines[number - 1].replace(old, new, 1)
        return lines

    return change


def field(number: int, column: int, change: Callable[[bytes], bytes]) -> Change:
    """Change a field of a line, counted from 1 and 0."""

    def changed(lines: list[bytes]) -> list[bytes]:
        fields = lines[number - 1].split(b"\t")
        fields[column] = change(fields[column])
        lines[number - 1] = b"\t".join(fields)
        return lines

    return changed


def to(value: bytes) -> Callable[[bytes], bytes]:
    return lambda _: value


FORMS = {
    "B1-no-text": (field(4, 6, lambda text: text + b"\xff"), 4),
    "B4-index-of-5000-digits": (field(5, 0, to(b"9" * 5000)), 5),
    "B4-count-of-5000-digits": (field(5, 6, to(b"9" * 5000)), 5),
    "B5a-garbage": (lambda lines: [*lines[:3], b"2\tx\ty\tz\tw\tv\tu\tt\ts\tr\tq\tp\n"], 4),
    "B5c-leading-zeros": (field(9, 0, lambda text: b"00" + text), 9),
    "B5c-arabic-digits": (field(9, 0, to("٧".encode())), 9),
    "B5c-wide-digits": (field(9, 6, to("３００".encode())), 9),
    "B5c-plus": (field(9, 6, lambda text: b"+" + text), 9),
    "B5c-underscore": (field(9, 7, to(b"3_00")), 9),
    "B5c-blank": (field(9, 7, lambda text: text + b" "), 9),
    "B5d-crlf-on-rows": (lambda lines: [lines[0]] + [row[:-1] + b"\r\n" for row in lines[1:]], 2),
    "B5d-crlf-on-one": (lambda lines: [*lines[:6], lines[6][:-1] + b"\r\n", *lines[7:]], 7),
    "B5d-cr": (lambda lines: [*lines[:6], lines[6][:-1] + b"\r" + lines[7], *lines[8:]], 7),
    "radius-of-five-decimals": (field(3, 3, lambda text: text[:-1]), 3),
    "radius-in-science": (field(3, 3, to(b"1.00e-01")), 3),
    "radius-nan": (field(3, 3, to(b"nan")), 3),
    "radius-inf": (field(3, 3, to(b"inf")), 3),
    "time-of-another-form": (field(3, 5, to(b"0:61:00.000000")), 3),
    "digest-in-capitals": (field(3, 11, to(b"0123456789ABCDEF\n")), 3),
    "zeros-of-a-power-cut": (lambda lines: [*lines[:6], bytes(len(lines[6]) - 1) + b"\n"], 7),
    "empty-line": (lambda lines: [*lines[:6], b"\n", *lines[6:]], 7),
    "two-rows-in-one": (lambda lines: [*lines[:6], lines[6][:-1], *lines[7:]], 7),
    "endless-line": (lambda lines: [*lines[:6], b"x" * 100_000 + b"\n", *lines[6:]], 7),
}
"""What has not the form of a row: the change, and the line to be named."""

FORGERIES = {
    "radius-raised": (field(3, 3, to(b"9.000000")), 3),
    "covers-raised": (field(3, 10, lambda text: text + b"0"), 3),
    "count-beyond-n": (field(3, 6, to(b"301")), 3),
    "n-of-another-run": (field(3, 7, to(b"400")), 3),
    "drawn-of-another-run": (field(3, 9, to(b"321")), 3),
    "predict-no-class": (field(3, 2, to(b"4")), 3),
    "correct-where-it-is-not": (field(3, 4, lambda text: {b"0": b"1", b"1": b"0"}[text]), 3),
    "label-of-no-labelled-source": (field(3, 1, to(b"-1")), 3),
    "B5b-image-beyond-the-source": (field(13, 0, to(b"9999")), 13),
    "an-image-twice": (lambda lines: [*lines, lines[3]], 14),
}
"""What the run cannot have written, in the form of a row."""


@pytest.mark.parametrize("name", FORMS | FORGERIES)
def test_b1_b4_b5_resume_merge_and_audit(name: str, run: Commands, log: Path) -> None:
    change, number = (FORMS | FORGERIES)[name]
    change_lines(log, change)
    before = state(log.parent)
    assert f"out.tsv line {number} " in run.certify_refused(log)
    assert f"out.tsv line {number} " in run.refused("merge", log.with_name("m.tsv"), log)
    code, said = run("audit", log, run.source, "--model", run.model, "--rows", 0)
    assert (code, said) == (1, "")
    assert state(log.parent) == before


def test_b5b_an_image_that_is_not_selected(run: Commands, tmp_path: Path) -> None:
    """It is in the source, and its own pixels and numbers are right."""
    out, other = tmp_path / "six.tsv", tmp_path / "twelve.tsv"
    assert run.certify(out, "--max", 6)[0] == 0
    assert run.certify(other)[0] == 0
    row = other.read_bytes().splitlines(keepends=True)[12]
    change_lines(out, lambda lines: [*lines[:4], row])
    said = run.certify_refused(out, "--max", 6)
    assert "line 5 " in said
    assert "image 11, which is not one of those selected" in said
    assert "line 5 " in run.refused("merge", tmp_path / "m.tsv", out)


@pytest.mark.parametrize("torn", [b"\xff", b"7\t\xc3", b"\0" * 5000, b"3\t3\t1", b"\r"])
def test_b1_what_stands_after_the_last_line_is_cut(torn: bytes, run: Commands, log: Path) -> None:
    whole = untimed(log)
    change_lines(log, lambda lines: [*lines[:5], torn])
    assert run.certify(log)[0] == 0
    assert untimed(log) == whole


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        (lambda line: line[:-1] + b"\r\n", r"pixels\r\n'"),
        (lambda line: line[:-1] + b" \n", r"pixels \n'"),
        (lambda line: b"\xef\xbb\xbf" + line, r"\xef\xbb\xbfidx"),
        (lambda line: b"precious\n", "precious"),
    ],
)
def test_b9_another_header_is_shown_with_what_differs(
    header: Callable[[bytes], bytes], shown: str, run: Commands, log: Path
) -> None:
    change_lines(log, lambda lines: [header(lines[0]), *lines[1:]])
    before = state(log.parent)
    assert shown in run.certify_refused(log)
    assert shown in run.refused("merge", log.with_name("m.tsv"), log)
    assert state(log.parent) == before


def test_a_log_beyond_the_memory_is_not_read(run: Commands, log: Path) -> None:
    size = 1 << 43  # of a hole
    os.truncate(log, size)
    assert "GB of memory" in run.certify_refused(log)
    assert "GB of memory" in run.refused("audit", log, run.source)
    assert "GB of memory" in run.refused("analyze", log)
    assert "longer than any row" in run.refused("merge", log.with_name("m.tsv"), log)
    assert log.stat().st_size == size
    assert len(list(log.parent.iterdir())) == 2


def test_a_file_without_a_line_end_is_not_cut(run: Commands, log: Path) -> None:
    """Beside a manifest of this very run."""
    log.write_text("precious")
    assert "has the header 'precious'" in run.certify_refused(log)
    assert log.read_text() == "precious"


@pytest.fixture
def shards(run: Commands, tmp_path: Path) -> list[Path]:
    parts = [tmp_path / f"s{number}.tsv" for number in range(2)]
    for number, part in enumerate(parts):
        assert run.certify(part, "--shard", f"{number}/2")[0] == 0
    return parts


@pytest.mark.parametrize("shard", [0, 1])
@pytest.mark.parametrize(
    "name",
    ["F1-no-text", "M3-garbage", "M4-cut-by-a-byte", "M4-cut-by-a-line", "M4-cut-in-a-line"],
)
def test_f1_m3_m4_a_damaged_shard(
    name: str, shard: int, run: Commands, shards: list[Path], tmp_path: Path
) -> None:
    changes: dict[str, tuple[Change, str]] = {
        "F1-no-text": (field(4, 6, to(b"\xff\xfe")), "line 4 "),
        "M3-garbage": (lambda lines: [*lines[:-1], b"1" + b"\ta" * 11 + b"\n"], "line 7 "),
        "M4-cut-by-a-byte": (lambda lines: [*lines[:-1], lines[-1][:-1]], "line 7 .*is torn"),
        "M4-cut-by-a-line": (lambda lines: lines[:-1], "lacks image 1"),
        "M4-cut-in-a-line": (lambda lines: [*lines[:-1], lines[-1][:20]], "line 7 .*is torn"),
    }
    change, words = changes[name]
    change_lines(shards[shard], change)
    before = state(tmp_path)
    said = run.refused("merge", tmp_path / "m.tsv", *shards)
    assert re.search(words, said), said
    assert state(tmp_path) == before


@pytest.mark.parametrize("entry", ["shards", "images"])
def test_m1_a_manifest_of_a_thousand_million(
    entry: str, run: Commands, shards: list[Path], tmp_path: Path
) -> None:
    for part in shards:
        if entry == "shards":
            change_manifest(part, lambda found: found["run"]["selection"].update(shards=10**9))
        else:
            change_manifest(part, lambda found: found["run"]["source"].update(images=10**9))
    said = run.refused("merge", tmp_path / "m.tsv", *shards)
    assert len(said) < 400 + 2 * len(str(tmp_path))


def test_m1_many_missing_shards_are_counted(
    run: Commands, shards: list[Path], tmp_path: Path
) -> None:
    for part in shards:
        change_manifest(part, lambda found: found["run"]["selection"].update(shards=1000))
    said = run.refused("merge", tmp_path / "m.tsv", *shards)
    assert "shards 2, 3, 4, 5, 6 and 993 more of 1000 are missing" in said


@pytest.mark.parametrize("number", [11, 12])
def test_more_images_than_share_alpha_are_not_merged(
    number: int, run: Commands, shards: list[Path], tmp_path: Path
) -> None:
    for part in shards:
        change_manifest(part, lambda found: found["run"].update(family_wise=number))
    if number == 12:
        assert run("merge", tmp_path / "m.tsv", *shards) == (0, "")
    else:
        said = run.refused("merge", tmp_path / "m.tsv", *shards)
        assert "s0.tsv.json: family_wise 11 where 12 images share alpha" in said


def test_a_merged_log_passes_its_audit(run: Commands, shards: list[Path], tmp_path: Path) -> None:
    merged, whole = tmp_path / "m.tsv", tmp_path / "whole.tsv"
    assert run("merge", merged, *reversed(shards)) == (0, "")
    assert run.certify(whole)[0] == 0
    assert untimed(merged) == untimed(whole)
    code, said = run("audit", merged, run.source, "--model", run.model, "--rows", 0)
    assert (code, said) == (0, "")


@pytest.mark.parametrize("left", ["all", "manifest"])
def test_1c_a_merge_that_was_killed_goes_on(
    left: str, run: Commands, shards: list[Path], tmp_path: Path
) -> None:
    """Between its two files, and after both, before it could say so."""
    merged = tmp_path / "m.tsv"
    assert run("merge", merged, *shards) == (0, "")
    whole = state(tmp_path)
    if left == "manifest":
        merged.unlink()
    assert run("merge", merged, *shards) == (0, "")
    assert state(tmp_path) == whole


@pytest.mark.parametrize("name", ["m.tsv", "m.tsv.json"])
@pytest.mark.parametrize("others", [False, True])
def test_m5_what_is_there_is_kept(
    others: bool, name: str, run: Commands, shards: list[Path], tmp_path: Path
) -> None:
    if others:
        (tmp_path / name).write_text("precious\n")
    else:  # another merge's, of one byte less
        assert run("merge", tmp_path / "m.tsv", *shards) == (0, "")
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-1])
    before = state(tmp_path)
    assert f"{name} exists already" in run.refused("merge", tmp_path / "m.tsv", *shards)
    assert state(tmp_path) == before


@pytest.mark.parametrize("name", ["m.tsv", "m.tsv.json"])
def test_m5_links_to_nothing_and_folders_are_kept(
    name: str, run: Commands, shards: list[Path], tmp_path: Path
) -> None:
    (tmp_path / name).symlink_to(tmp_path / "absent")
    before = state(tmp_path)
    assert "a link to a file that is not there" in run.refused("merge", tmp_path / "m.tsv", *shards)
    assert state(tmp_path) == before
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    assert "it is a folder" in run.refused("merge", tmp_path / "m.tsv", *shards)
    assert not any((tmp_path / name).iterdir())


def test_m5_a_shard_is_not_written_over(run: Commands, shards: list[Path], tmp_path: Path) -> None:
    before = state(tmp_path)
    assert "which this command reads" in run.refused("merge", shards[0], *shards)
    assert state(tmp_path) == before


def test_m6_a_missing_folder_is_told_before_anything_is_read(run: Commands, tmp_path: Path) -> None:
    said = run.refused("merge", tmp_path / "absent" / "m.tsv", tmp_path / "none.tsv")
    assert "is no folder" in said


def test_f4_sessions_that_are_no_list(run: Commands, log: Path) -> None:
    change_manifest(log, lambda found: found.update(sessions=7))
    before = state(log.parent)
    assert "sessions" in one_line(*run.certify(log))
    assert state(log.parent) == before


MODES: dict[str, tuple[object, ...]] = {
    "fixed": ("certify", "--n0", 20, "--n", 300),
    "table": ("certify", "--n", 2000, "--radii", "0,0.25", "--label-aware"),
    "radius": ("certify", "--n", 2000, "--tolerance", 0.1),
    "transfer": ("certify", "--n0", 20, "--n", 300, "--n-zeta", 1000, "--transfer-to"),
    "predict": ("predict", "--n", 300),
}


@pytest.mark.parametrize("mode", MODES)
def test_b5_m3_rows_of_every_procedure(mode: str, run: Commands, tmp_path: Path) -> None:
    """Those of a run are merged and resumed to the same bytes; none with a number of its own is."""
    command, *options = MODES[mode]
    if mode == "transfer":
        options.append(run.model)
    options += ["--sigma", "0.5", "--seed", "0", "--batch", "32", "--backend", "onnxruntime"]

    def certify(out: Path, *more: object) -> tuple[int, str]:
        return run(command, run.model, run.source, out, *options, *more)

    parts = [tmp_path / f"{number}.tsv" for number in range(2)]
    whole, merged = tmp_path / "whole.tsv", tmp_path / "m.tsv"
    assert [certify(part, "--shard", f"{part.stem}/2")[0] for part in parts] == [0, 0]
    assert certify(whole)[0] == 0
    assert run("merge", merged, *parts) == (0, "")
    assert untimed(merged) == untimed(whole)
    reference = ("--transfer-to", run.model) if mode == "transfer" else ()
    asked = ("audit", merged, run.source, "--model", run.model, *reference, "--rows", 0)
    assert run(*asked) == (0, "")
    forgeries = {3: to(b"9.000000"), 9: lambda drawn: b"%d" % (int(drawn) + 1)}
    for log, column in itertools.product((whole, parts[0]), forgeries):
        kept = log.read_bytes()
        change_lines(log, field(4, column, forgeries[column]))
        before = state(tmp_path)
        if log is whole:
            assert " line 4 " in one_line(*certify(log))
        else:
            assert " line 4 " in run.refused("merge", tmp_path / "n.tsv", *parts)
        assert state(tmp_path) == before
        log.write_bytes(kept)
