"""`smoothcert.export`: the package that is called as the function."""

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bright_images import write_brightness

import smoothcert
from smoothcert.cli.main import main
from smoothcert.engine.base.errors import InputError
from smoothcert.export.opening import open_model

_ORDERS = (
    "from smoothcert import export",
    "import smoothcert.export.foreign.options; from smoothcert import export",
    "import smoothcert; smoothcert.export; import smoothcert.export as export",
)


@pytest.mark.parametrize("imports", _ORDERS)
def test_it_is_called_whatever_was_imported_first(imports: str) -> None:
    code = f"""
{imports}
import smoothcert, smoothcert.export.foreign.options
assert smoothcert.export is export and callable(export)
assert "smoothcert.exporting" not in __import__("sys").modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_it_writes_what_the_command_writes(
    linear_model: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_brightness(linear_model)
    ours, theirs = tmp_path / "ours.onnx", tmp_path / "theirs.onnx"
    channels = open_model(model).spec.shape[0]
    assert list(inspect.signature(smoothcert.export).parameters)[:2] == ["model", "output"]
    found = smoothcert.export(model, ours, mean=[0.5] * channels, std=[0.25] * channels)
    given = [",".join([value] * channels) for value in ("0.5", "0.25")]
    with pytest.raises(SystemExit) as end:
        main(["export", str(model), "-o", str(theirs), "--mean", given[0], "--std", given[1]])
    assert not end.value.code
    assert ours.read_bytes() == theirs.read_bytes()
    assert str(found).replace("ours", "theirs").splitlines() == capsys.readouterr().out.splitlines()
    assert open_model(ours).spec.mean == (0.5,) * channels
    with pytest.raises(InputError, match=r"ours\.onnx exists"):
        smoothcert.export(model, ours)
    with pytest.raises(InputError, match="std 0"):
        smoothcert.export(model, tmp_path / "x.onnx", std=[0] * channels)
    with pytest.raises(InputError, match="--arch resnet50 is of a checkpoint"):
        smoothcert.export(model, tmp_path / "x.onnx", arch="resnet50")
