"""Reading logs: ours, the original's, growing ones, and what is refused."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from smoothcert.analysis.log import read_log
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.ledger import Ledger
from smoothcert.engine.log.manifest import manifest_path
from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.statistics.procedures import Decision

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "log.tsv"
    path.write_text(text)
    return path


def test_the_original_codes_rows(tmp_path: Path) -> None:
    log = read_log(
        write(tmp_path, HEADER + "0\t3\t-1\t0.0\t0\t0:00:13.736080\n20\t7\t7\t1.35\t1\t15.6\n")
    )
    assert log.idx.tolist() == [0, 20]
    assert log.predict.tolist() == [-1, 7]
    assert log.radius.tolist() == [0.0, 1.35]
    assert log.correct.tolist() == [False, True]
    assert log.seconds.tolist() == [13.73608, 15.6]
    assert log.count is None
    assert log.complete
    assert log.run == {}


def test_our_rows_and_manifest(tmp_path: Path) -> None:
    path = tmp_path / "out.tsv"
    with Ledger(path, {"sigma": 0.25, "alpha": 0.001}, {}) as ledger:
        ledger.append(Certificate(4, 3, Decision(3, 0.5, 90, 100, 10, 110), 61.5, "00" * 8))
        running = read_log(path)
        ledger.finish({})
    log = read_log(path)
    assert not running.complete
    assert log.complete
    assert log.run["sigma"] == 0.25
    assert log.count is not None
    assert log.n is not None
    assert log.covers is not None
    assert (log.count.tolist(), log.n.tolist(), log.covers.tolist()) == ([90], [100], [16256])
    assert (log.sigma, log.alpha) == (0.25, 0.001)


def test_the_originals_predictions_have_no_radius(tmp_path: Path) -> None:
    text = "idx\tlabel\tpredict\tcorrect\ttime\n0\t0\t0\t1\t0:00:01.737771\n100\t2\t-1\t0\t0.1\n"
    log = read_log(write(tmp_path, text))
    assert log.predict.tolist() == [0, -1]
    assert log.radius.tolist() == [0.0, 0.0]
    assert log.seconds.tolist() == [1.737771, 0.1]
    assert not log.has_radii
    assert read_log(write(tmp_path, HEADER + "0\t3\t3\t0.5\t1\t1\n")).has_radii
    with pytest.raises(InputError, match="line 3 has correct 1"):
        read_log(write(tmp_path, text.replace("-1\t0", "-1\t1")))


def test_a_growing_log_loses_only_its_torn_line(tmp_path: Path) -> None:
    log = read_log(write(tmp_path, HEADER + "0\t3\t3\t0.5\t1\t1.0\n1\t3\t3\t0."))
    assert log.idx.tolist() == [0]
    assert not log.complete
    assert read_log(write(tmp_path, HEADER + "0\t3\t3\t0.5\t1\t1.0\n")).complete


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected the columns"),
        ("idx label\n", "expected the columns"),
        (HEADER, "no rows"),
        (HEADER + "0\t1\n", "line 2 has 2 fields"),
        (HEADER + "x\t3\t3\t0.5\t1\t1.0\n", "line 2 has idx 'x'"),
        (HEADER + "0\t-3\t3\t0.5\t1\t1.0\n", "line 2 has label '-3'"),
        (HEADER + "0\t3\t-2\t0.5\t1\t1.0\n", "line 2 has predict '-2'"),
        (HEADER + "0\t3\t3\tnan\t1\t1.0\n", "line 2 has radius 'nan'"),
        (HEADER + "0\t3\t3\t-0.5\t1\t1.0\n", "line 2 has radius '-0.5'"),
        (HEADER + "0\t3\t3\tinf\t1\t1.0\n", "line 2 has radius 'inf'"),
        (HEADER + "0\t3\t3\t0.5\t2\t1.0\n", "line 2 has correct '2'"),
        (HEADER + "0\t3\t3\t0.5\t1\tx\n", "line 2 has time 'x'"),
        (HEADER + "0\t3\t3\t0.5\t1\t1\n" * 2, "line 3 has image 0 again"),
        (HEADER + "0\t3\t4\t0.5\t1\t1.0\n", "line 2 has correct 1 for label 3 and predict 4"),
        (HEADER + "0\t3\t3\t0.5\t0\t1.0\n", "line 2 has correct 0 for label 3 and predict 3"),
        (HEADER + "0\t3\t-1\t0.5\t0\t1.0\n", r"line 2 abstains \(predict -1\) with radius 0.5"),
    ],
)
def test_what_is_no_log_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_log(write(tmp_path, text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "radii", "correct", "said"),
    [
        ("0\t3\t-1\t-1.0\t0\t1\n1\t2\t2\t0.5\t1\t1\n", [0.0, 0.5], [0, 1], "or one below 0, is 0"),
        ("0\t3\t4\t-0.1\t0\t1\n1\t2\t2\t0.5\t1\t1\n", [0.0, 0.5], [0, 1], ": 1 rows"),
        ("0\t3\t-1\tnan\t0\t1\n1\t2\t-1\tNone\t0\t1\n", [0.0, 0.0], [0, 0], ": 2 rows"),
        ("0\t3\t3\t0.5\t1\t1\n1\t4\t4\t0.5\t2\t1\n", [0.5, 0.5], [1, 1], "a running total"),
        ("0\t3\t3\t0.5\tTrue\t1\n1\t4\t2\t.5\tFalse\t1\n", [0.5, 0.5], [1, 0], None),
        ("0.0\t3.0\t3\t0.5\t1\t1\n1\ttensor(4)\t4\ttensor(1.)\t1.0\t1\n", [0.5, 1.0], [1, 1], None),
        ("0\t3\t3\t0.5\t1\t1\n\nACC = 1/1\n", [0.5], [1], "no row, left out: line 4 'ACC"),
        ("0\t3\t3\t0.5\t1\t1\n" + HEADER + "1\t4\t4\t0.5\t1\t1\n", [0.5, 0.5], [1, 1], "2 times"),
    ],
)  # fmt: skip
def test_rows_as_others_write_them(
    tmp_path: Path, rows: str, radii: list[float], correct: list[int], said: str | None
) -> None:
    log = read_log(write(tmp_path, HEADER + rows))
    assert log.radius.tolist() == radii
    assert log.correct.tolist() == [bool(c) for c in correct]
    assert log.said == () if said is None else said in "; ".join(log.said)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("0\t3\t3\t-1.0\t1\t1\n", "line 2 has radius '-1.0' of a prediction that counts"),
        ("0\t3\t4\tinf\t0\t1\n", "line 2 has radius 'inf': .* and finite"),
        ("0\t3\t3\t0.5\t1\t1\n1\t3\t3\t0.5\t3\t1\n", "line 3 has correct '3'"),
        ("0\t3\t3\t0.5\t1\t1\n1\t3\t4\t0.5\t1\t1\n", "line 3 has correct 1"),
        ("0\t3\t3\t0.5\t1\t1\n\n1\t3\t4\t0.5\t1\t1\n", "line 4 has correct 1"),
        ("0\tcat\tcat\t0.5\t1\t1\n", "line 2 has label 'cat'"),
        ("0\t-1\t3\t0.5\t0\t1\n1\t3\t3\t0.5\t1\t1\n", "line 2 has label '-1'.*in every row"),
        ("0\t-1\t3\t0.5\t1\t1\n", "line 2 has correct 1 .* expected 0 without labels"),
        ("0\t-1\t3\t-1.0\t0\t1\n", "line 2 has radius '-1.0' of a prediction that counts"),
        ("0\t3\t3\t0.5\t1\t1\n" * 2, "line 3 has image 0 again"),
    ],
)
def test_what_contradicts_itself_is_refused_with_its_line(
    tmp_path: Path, rows: str, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        read_log(write(tmp_path, HEADER + rows))


def test_our_own_log_is_read_to_the_letter(tmp_path: Path) -> None:
    path = tmp_path / "out.tsv"
    with Ledger(path, {"sigma": 0.25, "alpha": 0.001}, {}) as ledger:
        ledger.append(Certificate(4, 3, Decision(3, 0.5, 90, 100, 10, 110), 61.5, "00" * 8))
        ledger.finish({})
    whole = path.read_text()
    assert read_log(path).said == ()
    for old, new in (
        ("\t0.500000\t", "\t.5\t"),
        ("\n4\t", "\n4.0\t"),
        ("0\t1\t0:", "0\tTrue\t0:"),
        ("\t3\t3\t", "\t 3\t3\t"),
    ):
        assert old in whole
        path.write_text(whole.replace(old, new))
        with pytest.raises(InputError, match="line 2 has"):
            read_log(path)
    path.write_text(whole + "Killed\n")
    with pytest.raises(InputError, match="line 3 has 1 fields"):
        read_log(path)


def test_what_a_log_lacks_is_filled_in(tmp_path: Path) -> None:
    log = read_log(write(tmp_path, "label\tpredict\tradius\n3\t3\t0.5\n4\t-1.0\t-1.0\n"))
    assert log.numbered
    assert (log.idx.tolist(), log.correct.tolist()) == ([0, 1], [True, False])
    assert (log.seconds.tolist(), log.radius.tolist()) == ([0.0, 0.0], [0.5, 0.0])
    assert len(log.said) == 2


def test_columns_in_place_of_a_header(tmp_path: Path) -> None:
    path = write(tmp_path, "3 \t 3 \t 0.01 \t 0.9\n4 \t 5 \t 0.02 \t 0.9\n")
    log = read_log(path, ("label", "predict", "radius", "-"))
    assert log.radius.tolist() == [0.01, 0.02]
    assert log.correct.tolist() == [True, False]
    with pytest.raises(InputError, match="has 4 columns and --columns names 3"):
        read_log(path, ("label", "predict", "radius"))


def test_a_line_that_does_not_end_is_said_where_no_manifest_says_that_it_grows(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, HEADER + "0\t3\t3\t0.5\t1\t1\n1\t3\t3\t0.5\t1\t1")
    assert read_log(path).said == ("line 3 does not end: left out",)
    path.with_name("log.tsv.json").write_text('{"status": "running"}')
    assert read_log(path).said == ()


def test_a_log_without_labels(tmp_path: Path) -> None:
    rows = "0\t-1\t3\t0.5\t0\t1\n1\t-1\t-1\t0.0\t0\t1\n"
    log = read_log(write(tmp_path, HEADER + rows))
    assert not log.labelled
    assert log.counted.tolist() == [True, False]
    assert log.correct.tolist() == [False, False]
    assert log.said == ("no labels: certified whatever the class",)
    # The original's `correct = prediction == label` calls an abstention without label correct.
    again = read_log(write(tmp_path, HEADER + rows.replace("0.0\t0", "0.0\t1")))
    assert again.correct.tolist() == [False, False]
    labelled = read_log(write(tmp_path, HEADER + "0\t3\t3\t0.5\t1\t1\n1\t3\t4\t0.5\t0\t1\n"))
    assert labelled.labelled
    assert labelled.counted.tolist() == labelled.correct.tolist() == [True, False]


def test_a_finished_log_that_was_cut_is_not_taken_for_a_growing_one(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "0\t3\t3\t0.5\t1\t1.0\n1\t3\t3\t0.5\t1\t1.0")
    manifest = path.with_name("log.tsv.json")
    manifest.write_text('{"status": "running"}')
    assert len(read_log(path)) == 1
    manifest.write_text('{"status": "complete"}')
    with pytest.raises(InputError, match="ends within line 3"):
        read_log(path)


def test_a_finished_log_has_all_of_its_rows(tmp_path: Path) -> None:
    """Cut at the end of a line it would be a sound log of fewer images."""
    log = write(tmp_path, HEADER + "0\t3\t3\t0.5\t1\t0:00:01\n")
    manifest = {"run": {}, "status": "complete", "images": 2}
    manifest_path(log).write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="has 1 rows and its manifest says complete, with 2"):
        read_log(log)
    for other in ({"images": 1}, {"status": "running"}, {"images": None}):
        manifest_path(log).write_text(json.dumps(manifest | other))
        assert len(read_log(log)) == 1


@pytest.mark.parametrize("name", ["sigma", "alpha"])
@pytest.mark.parametrize("value", ["x", [1], {}, True, 0, -1, float("nan"), 10**400])
def test_a_level_that_is_no_number_names_the_manifest(
    tmp_path: Path, name: str, value: object
) -> None:
    path = write(tmp_path, HEADER + "0\t3\t3\t0.5\t1\t1.0\n")
    path.with_name("log.tsv.json").write_text(json.dumps({"run": {name: value}}))
    with pytest.raises(InputError, match=rf"log.tsv.json has run\.{name} .*: expected ") as caught:
        read_log(path)
    assert len(str(caught.value)) < 300


def test_what_a_manifest_lacks_is_none(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "0\t3\t3\t0.5\t1\t1.0\n")
    assert (read_log(path).sigma, read_log(path).alpha) == (None, None)
    for manifest in ("{}", '{"run": {}}'):
        path.with_name("log.tsv.json").write_text(manifest)
        assert (read_log(path).sigma, read_log(path).alpha) == (None, None)


def test_names_keep_the_sigma_of_the_originals_files(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "0\t3\t3\t0.5\t1\t1.0\n")
    shutil.copy(path, tmp_path / "sigma_0.25")
    assert read_log(tmp_path / "sigma_0.25").name == "sigma_0.25"
    assert read_log(path).name == "log"


def test_windows_line_ends(tmp_path: Path) -> None:
    text = HEADER + "0\t3\t3\t0.5\t1\t1.0\n"
    (tmp_path / "log.tsv").write_bytes(text.replace("\n", "\r\n").encode())
    assert read_log(tmp_path / "log.tsv").radius.tolist() == [0.5]


def test_missing_binary_and_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_log(tmp_path / "absent.tsv")
    with pytest.raises(InputError, match="cannot be read"):
        read_log(tmp_path)
    (tmp_path / "binary.tsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        read_log(tmp_path / "binary.tsv")
    path = write(tmp_path, HEADER + "0\t3\t3\t0.5\t1\t1.0\n")
    for manifest in ("{", "", json.dumps([1]), "[" * 100_000):
        path.with_name("log.tsv.json").write_text(manifest)
        with pytest.raises(InputError, match="manifest"):
            read_log(path)


def test_fifty_thousand_rows(tmp_path: Path) -> None:
    rows = "".join(
        f"{i}\t3\t3\t0.{i:06d}\t1\t0:00:01.500000\t99000\t100000\t100\t16256\n"
        for i in range(50_000)
    )
    path = write(tmp_path, HEADER[:-1] + "\tcount\tn\tn0\tcovers\n" + rows)
    start = time.process_time()
    log = read_log(path)
    assert time.process_time() - start < 2.5  # takes about a tenth of it
    assert len(log) == 50_000
    assert log.radius[12_345] == 0.012345


def test_every_published_log_reads(published_log: Callable[[str], Path]) -> None:
    assert len(read_log(published_log("imagenet/sigma_0.25"))) == 427
    for name in ("imagenet/sigma_1.00", "cifar10/sigma_0.12", "cifar10/sigma_1.00"):
        log = read_log(published_log(name))
        assert len(log) == 500
        assert log.seconds.min() > 1.0
