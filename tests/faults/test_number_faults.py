"""Numbers that are none, that are too large or too small: one line, exit 2, and at once."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

import smoothcert
from smoothcert.cli.main import main
from smoothcert.cli.shell.commands import COMMANDS
from smoothcert.cli.shell.commands import smoothcert as group
from smoothcert.cli.shell.numbers import Number, Numbers
from smoothcert.engine.backends.opening import device_index
from smoothcert.engine.base.cores import cores_for, runnable_cores, usable_cores
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.sources.selection import Selection
from smoothcert.engine.statistics.radius import RadiusCertify
from smoothcert.engine.statistics.table_boundaries import radius_steps

HOSTILE = (
    "9" * 5000, "-" + "9" * 5000, "1e400", "-1e400", "nan", "inf", "-inf", "0." + "0" * 5000 + "1",
    "٣", "1_000", "0x10", "", "5 5", "1e-320", "5e-324", "-0.0", "1" + "0" * 31, "\x1b[31m5",
    "5\udcff", "True", "None",
)  # fmt: skip
BASIC = {
    "export": ["absent", "-o", "out.onnx"],
    "build": ["absent", "-o", "out.plan"],
    "certify": ["absent", "absent", "out.tsv", "--sigma", "0.25"],
    "predict": ["absent", "absent", "out.tsv", "--sigma", "0.25"],
    "analyze": ["absent"],
    "audit": ["absent", "absent"],
    "train": ["absent", "out", "--arch", "small_cnn", "--sigma", "0.25"],
    "visualize": ["absent", "out", "0", "0.25"],
    "bench": ["absent"],
    "doctor": ["absent"],
}


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a command that is to be refused."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    said = capsys.readouterr()
    assert end.value.code == 2, (arguments, said.err)
    assert said.err.endswith("\n")
    assert said.err[:-1].isprintable(), said.err
    assert len(said.err) < 1000
    return said.err


def numbers_of(name: str) -> Iterator[click.Parameter]:
    command = group.get_command(click.Context(group), name)
    assert command is not None
    for parameter in command.params:
        if isinstance(parameter.type, Number | Numbers):
            yield parameter


@pytest.mark.parametrize("name", BASIC)
def test_hostile_numbers_of_every_option_are_refused(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    parameters = [p for p in numbers_of(name) if isinstance(p, click.Option)]
    assert len(parameters) >= 2
    for parameter in parameters:
        for value in HOSTILE:
            line = refused([name, *BASIC[name], f"{parameter.opts[-1]}={value}"], capsys)
            if value not in ("-0.0", "1e-320", "5e-324"):  # 0 is a threshold, for instance
                assert parameter.opts[-1] in line
    assert list(tmp_path.iterdir()) == []


def test_every_command_with_numbers_is_tried() -> None:
    assert {name for name in COMMANDS if any(numbers_of(name))} == set(BASIC)


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_arguments_are_refused(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused(["visualize", "absent", "out", "--", value, "0.25"], capsys)
    refused(["visualize", "absent", "out", "--", "0", value], capsys)


@pytest.mark.parametrize("sigma", ["0.0001", "1e-9", "1e-320", "0", "4.001"])
def test_n1_a_level_of_noise_that_the_table_does_not_hold(
    sigma: str, model: Path, source: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    log = tmp_path / "out.tsv"
    line = refused(["certify", str(model), str(source), str(log), "--sigma", sigma], capsys)
    assert "expected 0.0002 <= sigma <= 4" in line
    assert not log.exists()


@pytest.mark.parametrize("sigma", ["0.0002", "0.0003", "4"])
@pytest.mark.parametrize("mode", [[], ["--radii=0,1e-6"], ["--tolerance=0.01"]])
def test_n1_both_ends_of_the_noise_work(
    sigma: str, mode: list[str], model: Path, source: Path, tmp_path: Path
) -> None:
    log = tmp_path / "out.tsv"
    asked = ["--n=200", "--max=2", "--backend=onnxruntime", "--batch=8", *mode]
    with pytest.raises(SystemExit) as end:
        main(["certify", str(model), str(source), str(log), f"--sigma={sigma}", *asked])
    assert end.value.code == 0
    assert len(log.read_text().splitlines()) == 3


@pytest.mark.parametrize("levels", [1, 17, 255])
def test_n1_a_table_is_ascending_at_the_lower_end(levels: int) -> None:
    law = LatticeGaussian(0.0002 * 255 / levels, levels)
    assert np.all(np.diff(law.table.thresholds.astype(object)) > 0)
    assert 0.0 <= law.total_variation(3 * 224 * 224) < 1e-9


@pytest.mark.parametrize(
    "shard",
    [
        "0/" + "9" * 5000,
        "9" * 5000 + "/2",
        "٠/٢",
        "0/0",
        "2/2",
        "0/1000001",
        "-1/2",
        "0/2 ",
        "",
        "/",
    ],
)
def test_n2_a_part_that_is_none(shard: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(
        ["certify", "absent", "absent", "out.tsv", "--sigma=0.25", f"--shard={shard}"], capsys
    )
    assert "shard" in line
    with pytest.raises(InputError):
        Selection.of_options(1, -1, shard)


@pytest.mark.parametrize("device", ["cuda:" + "9" * 5000, "cuda:٠", "cuda:-1", "cuda:\x1b[31m"])
def test_n2_a_gpu_that_is_none(
    device: str, model: Path, source: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert device_index(device) is None
    log = str(tmp_path / "out.tsv")
    line = refused(
        ["certify", str(model), str(source), log, "--sigma=0.25", f"--device={device}"], capsys
    )
    assert "is unknown" in line


def test_n4_threads_are_those_there_are() -> None:
    most = max(usable_cores(), runnable_cores())
    assert cores_for(None) == usable_cores()
    assert cores_for(1) == 1
    assert cores_for(1024) == min(1024, most)
    for threads in (0, -1, 1025, 10**5):
        with pytest.raises(InputError, match=f"threads {threads} is out of range"):
            cores_for(threads)


def test_n4_a_run_with_many_threads_ends(model: Path, source: Path, tmp_path: Path) -> None:
    log = tmp_path / "out.tsv"
    asked = ["--n=200", "--max=2", "--threads=1000", "--backend=onnxruntime"]
    with pytest.raises(SystemExit) as end:
        main(["certify", str(model), str(source), str(log), "--sigma=0.25", *asked])
    assert end.value.code == 0


@pytest.mark.parametrize(
    "options",
    [
        ["--mean=0", "--std=1e-300"],
        ["--mean=1e300", "--std=1"],
        ["--mean=0", "--std=5e-324"],
        ["--input-range=0,1e-300"],
        ["--input-range=-1e300,1e300"],
        ["--input-range=1e6,1000000.0000001"],
    ],
)
def test_o7_a_normalisation_that_overflows(
    options: list[str], model: Path, source: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    log = tmp_path / "out.tsv"
    refused(["certify", str(model), str(source), str(log), "--sigma=0.25", *options], capsys)
    assert not log.exists()


@pytest.mark.parametrize(("mean", "std"), [((1e300,), (1.0,)), ((0.0,), (1e-300,))])
def test_o7_what_a_file_says_of_it_has_the_same_range(
    mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    with pytest.raises(InputError, match="is out of range"):
        InputSpec(1, 2, 2, mean, std)
    scale, shift = InputSpec(1, 2, 2, (-1e6,), (1e-6,)).affine()
    assert np.isfinite([*scale, *shift]).all()


@pytest.mark.parametrize("radii", [(), (-1.0,), (math.nan,), (math.inf,), (1e300,), (0.1,) * 1001])
def test_lists_of_radii_have_an_end(radii: tuple[float, ...]) -> None:
    with pytest.raises(InputError):
        radius_steps(radii)


def test_the_most_samples_are_planned() -> None:
    assert max(RadiusCertify(0.25, 10**9, 0.001, 0.01).checks) == 10**9


NOT_NUMBERS: list[Any] = [math.nan, math.inf, None, "0.5", -1, True, 10**400]


@pytest.mark.parametrize("value", NOT_NUMBERS, ids=lambda value: str(type(value).__name__))
@pytest.mark.parametrize("place", range(4))
def test_bounds_refuse_what_is_no_number(value: Any, place: int) -> None:
    arguments: list[Any] = [90, 100, 0.001, 0.25]
    if place < 2 and value is True:
        pytest.skip("numpy counts True among the integers of a list")
    arguments[place] = value
    with pytest.raises(InputError):
        smoothcert.certified_radius(*arguments)
    if place < 3:
        with pytest.raises(InputError):
            smoothcert.lower_confidence_bound(*arguments[:3])


@pytest.mark.parametrize("sigma", [1e-320, 1e6])
def test_a_radius_is_finite_at_both_ends(sigma: float) -> None:
    assert math.isfinite(smoothcert.certified_radius(10**9, 10**9, 1e-12, sigma))
    with pytest.raises(InputError):
        smoothcert.certified_radius(10**9, 10**9, 1e-12, 1.7e308)


@pytest.mark.parametrize("value", NOT_NUMBERS, ids=lambda value: str(type(value).__name__))
def test_smooth_refuses_what_is_no_number(value: Any, model: Path) -> None:
    with pytest.raises(InputError):
        smoothcert.Smooth(model, 4, value)
    if value is not True:
        with pytest.raises(InputError):
            smoothcert.Smooth(model, value, 0.25)
    smooth = smoothcert.Smooth(model, 4, 0.25, seed=0)
    image = np.zeros((3, 6, 6))
    for arguments in (
        (value, 100, 0.001, 8), (10, value, 0.001, 8), (10, 100, value, 8), (10, 100, 0.001, value)
    ):  # fmt: skip
        with pytest.raises(InputError):
            smooth.certify(image, *arguments)
    for x in (None, "x", [[["a"]]], np.zeros((3, 6)), np.full((3, 6, 6), np.nan)):
        with pytest.raises(InputError):
            smooth.certify(x, 10, 100, 0.001, 8)
