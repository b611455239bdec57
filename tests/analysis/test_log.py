"""Reading logs: ours, the original's, growing ones, and what is refused."""

import json
import time
from pathlib import Path

import pytest

from smoothcert.analysis.log import parse_time, read_log
from smoothcert.engine.errors import InputError
from smoothcert.engine.ledger import Certificate, Ledger

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
        ledger.append(Certificate(4, 3, 3, 0.5, 61.5, 90, 100, 10, 16256))
        running = read_log(path)
        ledger.finish({})
    log = read_log(path)
    assert not running.complete
    assert log.complete
    assert log.run["sigma"] == 0.25
    assert log.count is not None
    assert log.n is not None
    assert (log.count.tolist(), log.n.tolist()) == ([90], [100])


def test_a_growing_log_loses_only_its_torn_line(tmp_path: Path) -> None:
    log = read_log(write(tmp_path, HEADER + "0\t3\t3\t0.5\t1\t1.0\n1\t3\t3\t0."))
    assert log.idx.tolist() == [0]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0:02:31.238689", 151.238689),
        ("15.4", 15.4),
        ("1 day, 0:00:01", 86_401.0),
        ("2 days, 1:00:00.5", 176_400.5),
        ("30:00:00", 108_000.0),
    ],
)
def test_times(text: str, seconds: float) -> None:
    assert parse_time(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "x", "1:2", "-1", "nan", "inf", "1:2:3:4"])
def test_bad_times(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_time(text)


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
        (HEADER + "0\t3\t3\t0.5\t1\t1\n" * 1 + "0\t3\t3\t0.5\t1\t1\n", "image 0 twice"),
    ],
)
def test_what_is_no_log_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_log(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_missing_binary_and_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_log(tmp_path / "absent.tsv")
    with pytest.raises(InputError, match="cannot be read"):
        read_log(tmp_path)
    (tmp_path / "binary.tsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        read_log(tmp_path / "binary.tsv")
    path = write(tmp_path, HEADER + "0\t3\t3\t0.5\t1\t1.0\n")
    for manifest in ("{", json.dumps([1])):
        path.with_name("log.tsv.json").write_text(manifest)
        with pytest.raises(InputError, match="manifest"):
            read_log(path)


def test_fifty_thousand_rows(tmp_path: Path) -> None:
    rows = "".join(f"{i}\t3\t3\t0.5\t1\t0:00:01.500000\n" for i in range(50_000))
    path = write(tmp_path, HEADER + rows)
    start = time.perf_counter()
    assert len(read_log(path)) == 50_000
    assert time.perf_counter() - start < 5  # takes about a tenth of it
