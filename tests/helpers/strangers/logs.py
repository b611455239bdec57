"""Logs that forks of the original code leave."""

from pathlib import Path

from strangers.command import Done, Table, smoothcert

TABLE = Table("logs")

_HEAD = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"

TEXTS = {
    "plain.tsv": _HEAD + "0\t3\t3\t0.5\t1\t0:00:01.0\n",
    "minus_one_radius.tsv": _HEAD + "0\t3\t-1\t-1.0\t0\t0:00:01.0\n1\t2\t2\t0.5\t1\t0:00:01.0\n",
    "base_predict": "idx\tlabel\tpredict\tbasePredict\tcorrect\ttime\n"
    "0\t3\t3\t3\t1\t0:00:01.0\n1\t2\t-1\t4\t0\t0:00:01.0\n",
    "more_columns.tsv": "idx\tlabel\tpredict\tradius\tcorrect\tpABar\tAt\tAd\ttime\n"
    "0\t3\t3\t0.5\t1\t.9\t1\t1\t0:00:01\n",
    "cumulative_correct.tsv": _HEAD + "0\t3\t3\t0.5\t1\t0:00:01\n1\t4\t4\t0.5\t2\t0:00:01\n",
    "spaced_tabs.txt": "idx \t label \t predict \t linf_radius \t prob_lb \t correct \t time\n"
    "0 \t 3 \t 3 \t 0.01 \t 0.9 \t 1 \t 0:00:01\n",
    "header_only.tsv": _HEAD,
}


def _file(folder: Path, name: str) -> Path:
    (folder / name).write_text(TEXTS[name])
    return folder / name


def analyze(*arguments: object) -> Done:
    """`analyze` at three radii."""
    return smoothcert("analyze", *arguments, "--radii", "0,0.25,0.5")


def _said(done: Done, *words: str) -> None:
    """Works, and one line on stderr says so with these words."""
    done.works()
    (line,) = done.err.splitlines()
    for word in words:
        assert word in line, f"{word!r} is not in {line!r}"


def _accuracies(done: Done, log: str) -> list[str]:
    """The row of the table that is about `log`."""
    (row,) = [line for line in done.out.splitlines() if line.startswith(log)]
    return row.split()


@TABLE.row("plain.tsv")
def plain(folder: Path) -> None:
    done = analyze(_file(folder, "plain.tsv"))
    done.works("1.000")
    assert not done.err
    assert _accuracies(done, "plain").count("1.000") == 3


@TABLE.row("minus_one_radius.tsv")
def minus_one_radius(folder: Path) -> None:
    path = _file(folder, "minus_one_radius.tsv")
    found = _accuracies(analyze(path), "minus_one_radius")
    assert found.count("0.500") == 4, found  # three radii, and the share abstained
    path.write_text(_HEAD + "0\t3\t3\t-1.0\t1\t0:00:01.0\n")
    analyze(path).refused("line 2", "-1.0")
    path.write_text(_HEAD + "0\t3\t4\t-1.0\t0\t0:00:01.0\n")
    assert _accuracies(analyze(path), "minus_one_radius").count("0.000") >= 3


@TABLE.row("base_predict")
def base_predict(folder: Path) -> None:
    path = _file(folder, "base_predict")
    done = smoothcert("analyze", path, "--radii", "0")
    done.works("0.500")
    smoothcert("analyze", path, "--reference", path).works()


@TABLE.row("more_columns.tsv")
def more_columns(folder: Path) -> None:
    path = _file(folder, "more_columns.tsv")
    found = _accuracies(analyze(path), "more_columns")
    assert found.count("1.000") == 3, found


@TABLE.row("cumulative_correct.tsv")
def cumulative_correct(folder: Path) -> None:
    path = _file(folder, "cumulative_correct.tsv")
    done = analyze(path)
    _said(done, "correct")
    assert _accuracies(done, "cumulative_correct").count("1.000") == 3
    path.write_text(_HEAD + "0\t3\t3\t0.5\t1\t0:00:01\n1\t4\t4\t0.5\t3\t0:00:01\n")
    analyze(path).refused("line 3", "correct")


@TABLE.row("spaced_tabs.txt")
def spaced_tabs(folder: Path) -> None:
    path = _file(folder, "spaced_tabs.txt")
    analyze(path).refused("linf_radius", "L2", "--columns")
    done = analyze(path, "--columns", "idx,label,predict,radius,-,correct,time")
    done.works()
    assert _accuracies(done, "spaced_tabs").count("1.000") >= 1  # at radius 0


@TABLE.row("header_only.tsv")
def header_only(folder: Path) -> None:
    empty = _file(folder, "header_only.tsv")
    analyze(empty).refused("no rows")
    done = analyze(empty, _file(folder, "plain.tsv"))
    _said(done, "header_only.tsv")
    assert _accuracies(done, "plain").count("1.000") == 3
    for name in TEXTS:
        _file(folder, name)
    everything = analyze(folder / "*")
    assert everything.status == 2  # spaced_tabs.txt is of another norm
    for name in ("plain", "minus_one_radius", "base_predict", "more_columns", "cumulative"):
        assert name in everything.out, everything.out
    for name in ("header_only.tsv", "spaced_tabs.txt"):
        assert name in everything.err, everything.err
