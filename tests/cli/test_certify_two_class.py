"""`certify --bound two-class` on the demo's real model."""

import json
from pathlib import Path

import pytest
from untimed_logs import untimed

from smoothcert.cli.main import main
from smoothcert.engine.log.rows import COLUMNS
from smoothcert.engine.statistics.bounds import certified_radius
from smoothcert.engine.statistics.class_bounds import TwoClass
from smoothcert.export.checkpoint_export import export_checkpoint

DATA = Path(__file__).parents[2] / "data"
CHECKPOINT, SOURCE = DATA / "fashion_mnist_sigma25.pth", DATA / "fashion_mnist_500.npz"
OPTIONS = ["--sigma", 0.5, "--n", 1000, "--skip", 60, "--batch", 32, "--seed", 0]
TWO = ["--bound", "two-class"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = tmp_path_factory.mktemp("model") / "model.onnx"
    export_checkpoint(CHECKPOINT, model)
    return model


def command(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return int(end.value.code or 0)


def rows_of(log: Path) -> list[dict[str, str]]:
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


@pytest.mark.slow
def test_rows_are_the_one_sided_ones_with_larger_radii(
    demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = tmp_path / "one.tsv", tmp_path / "two.tsv"
    assert command("certify", demo, SOURCE, one, *OPTIONS) == 0
    assert command("certify", demo, SOURCE, two, *OPTIONS, *TWO) == 0
    run = json.loads((tmp_path / "two.tsv.json").read_text())["run"]
    assert (run["bound"], run["alpha_runner_up"]) == ("two-class", 0.0001)
    assert "bound" not in json.loads((tmp_path / "one.tsv.json").read_text())["run"]
    assert tuple(rows_of(two)[0]) == (*COLUMNS, "runner_up")
    tau = run["total_variation"]
    larger = 0
    for first, second in zip(rows_of(one), rows_of(two), strict=True):
        same = ("idx", "label", "count", "n", "n0", "drawn", "pixels")
        assert [first[name] for name in same] == [second[name] for name in same]
        votes = int(second["count"]), 1000, int(second["runner_up"])
        assert votes[0] + votes[2] <= 1000
        assert float(second["radius"]) == TwoClass(0.001, tau).radius(*votes, 0.5)
        alone = certified_radius(votes[0], 1000, 0.0009, 0.5, total_variation=tau)
        assert float(second["radius"]) >= alone
        larger += float(second["radius"]) > float(first["radius"])
    assert larger > 2

    # A killed run, resumed; two shards, merged; an audit, and one of an edited row.
    lines = two.read_text().splitlines(keepends=True)
    resumed = tmp_path / "resumed.tsv"
    resumed.write_text("".join(lines[:3]) + lines[3][:20])
    manifest = (tmp_path / "two.tsv.json").read_text().replace('"complete"', '"running"')
    (tmp_path / "resumed.tsv.json").write_text(manifest)
    assert command("certify", demo, SOURCE, resumed, *OPTIONS, *TWO) == 0
    shards = [tmp_path / f"{i}.tsv" for i in range(2)]
    for i, shard in enumerate(shards):
        assert command("certify", demo, SOURCE, shard, *OPTIONS, *TWO, "--shard", f"{i}/2") == 0
    merged = tmp_path / "merged.tsv"
    assert command("merge", merged, *shards) == 0
    assert untimed(resumed) == untimed(two) == untimed(merged)
    assert command("audit", two, SOURCE, "--rows", 3) == 0
    capsys.readouterr()
    assert command("analyze", two, "--html", tmp_path / "page.html") == 0
    page = (tmp_path / "page.html").read_text()
    assert "The bound is two-class" in page
    certified = next(row for row in rows_of(two) if row["predict"] != "-1")
    line = "\t".join(certified.values())
    edited = line.removesuffix(certified["runner_up"]) + "0"
    two.write_text(two.read_text().replace(line, edited))
    capsys.readouterr()
    assert command("audit", two, SOURCE, "--rows", 0) == 1
    assert "against 0 gives" in capsys.readouterr().out


def test_radius_mode_with_both_bounds_is_audited(demo: Path, tmp_path: Path) -> None:
    log = tmp_path / "radius.tsv"
    options = [*OPTIONS, *TWO, "--tolerance", 0.05, "--n", 2000, "--n0", 100]
    assert command("certify", demo, SOURCE, log, *options) == 0
    rows = rows_of(log)
    assert any(row["predict"] != "-1" and float(row["radius"]) > 0 for row in rows)
    assert command("audit", log, SOURCE, "--rows", 2) == 0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--radii", "0,0.5"], "bound 'two-class' is not of table mode: expected one-sided"),
        (["--transfer-to", "MODEL"], "bound two-class does not transfer: expected one-sided"),
        (["--alpha", 1e-12], "leaves 1e-13 to the runner-up's bound"),
    ],
)
def test_what_does_not_go_with_both_bounds(
    demo: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: list[object],
    words: str,
) -> None:
    log = tmp_path / "log.tsv"
    given = [demo if each == "MODEL" else each for each in more]
    assert command("certify", demo, SOURCE, log, *OPTIONS, *TWO, *given) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not log.exists()


def test_another_bound_is_another_run(
    demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.tsv"
    few = ["--sigma", 0.5, "--n", 100, "--max", 1, "--batch", 8]
    assert command("certify", demo, SOURCE, log, *few) == 0
    before = log.read_bytes()
    capsys.readouterr()
    assert command("certify", demo, SOURCE, log, *few, *TWO) == 2
    assert "bound None (log) against two-class (asked)" in capsys.readouterr().err
    assert log.read_bytes() == before
