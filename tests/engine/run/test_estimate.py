"""Estimates: what is tried, what is told, and that nothing is written."""

from collections.abc import Callable
from pathlib import Path

import pytest
from linear_runs import linear_images, linear_network

import smoothcert
from smoothcert.cli.main import main
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.run import estimate as module

IMAGES = 40


@pytest.fixture
def model(linear_model: Callable[..., Path]) -> Path:
    return linear_network(linear_model)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return linear_images(tmp_path, IMAGES)


def test_each_mode_is_told_with_about_what_it_takes(
    model: Path, source: Path, tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    (found,) = smoothcert.certify(
        model, source, out=tmp_path / "log.tsv", sigma=0.5, radii=(0.0, 0.25), n=20_000, seed=0,
        estimate=True,
    )  # fmt: skip
    assert sorted(tmp_path.iterdir()) == before
    assert (found.sigma, found.images, found.tried) == (0.5, IMAGES, module.MOST_IMAGES)
    assert [mode.options for mode in found.modes] == [
        "--n 20000",
        "--radii 0,0.25",
        "--radii 0,0.25 --label-aware",
        "--radii 0,0.25 --setting fast",
        "--tolerance 0.01",
    ]
    fixed, table, *_ = found.modes
    assert (fixed.per_image, fixed.error) == (20_100, 0.0)
    assert fixed.samples == 20_100 * IMAGES
    hours = fixed.samples / found.samples_per_second / 3600
    assert fixed.hours == pytest.approx(hours)
    taken = smoothcert.certify(
        model, source, out=tmp_path / "log.tsv", sigma=0.5, radii=(0.0, 0.25), n=20_000, seed=0
    ).summary
    assert table.samples == pytest.approx(taken.samples_now, rel=0.35)


def test_levels_modes_and_radii_of_their_own(model: Path, source: Path, tmp_path: Path) -> None:
    found = smoothcert.certify(
        model, source, sigma=(0.25, 1.0), n=1000, samples_price=0.1, max=2, estimate=True
    )
    assert [each.sigma for each in found] == [0.25, 1.0]
    assert [each.tried for each in found] == [2, 2]
    names = [mode.options for mode in found[1].modes]
    assert names[1] == "--radii 0,0.5,1,1.5,2"
    assert names[-1] == "--samples-price 0.1"


def test_images_that_cannot_be_read_are_passed_over(model: Path, tmp_path: Path) -> None:
    for name in "abcd":
        (tmp_path / "val" / name).mkdir(parents=True)
        (tmp_path / "val" / name / "broken.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="none of 4 images can be read, the first being 0"):
        smoothcert.certify(
            model, tmp_path / "val", out=tmp_path / "log.tsv", sigma=0.5, estimate=True
        )


def test_without_labels_no_mode_heeds_them(model: Path, source: Path, tmp_path: Path) -> None:
    (found,) = smoothcert.certify(
        model, source, out=tmp_path / "log.tsv", sigma=0.5, n=1000, max=2, unlabelled=True,
        estimate=True,
    )  # fmt: skip
    assert len(found.modes) == 4
    assert not any("--label-aware" in mode.options for mode in found.modes)


def test_slow_images_are_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", -1.0)
    assert list(module._in_time(range(9))) == [0, 1, 2, 3]  # type: ignore[arg-type,comparison-overlap]
    monkeypatch.setattr(module, "SECONDS", 1e9)
    assert len(list(module._in_time(range(9)))) == 9  # type: ignore[arg-type]


def test_the_command_prints_a_line_for_each_mode(
    model: Path, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.tsv"
    given = ["certify", str(model), str(source), str(log), "--sigma", "0.5", "--n", "1000"]
    with pytest.raises(SystemExit) as end:
        main([*given, "--estimate"])
    assert not end.value.code
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("sigma 0.5: 32 of 40 images tried, at ")
    assert lines[2].split()[:3] == ["--n", "1000", "1,100"]
    assert len(lines) == 7
    assert not log.exists()
    with pytest.raises(SystemExit) as end:
        main([*given, "--estimate", "--ray", "local"])
    assert end.value.code == 2
    assert "leave --transfer-to and --ray out" in capsys.readouterr().err
