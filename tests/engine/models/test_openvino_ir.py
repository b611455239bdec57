"""The two files of OpenVINO IR, found and checked without OpenVINO."""

from pathlib import Path

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.openvino_ir import check_version, ir_files, is_ir, network_of

IR = '<?xml version="1.0"?>\n<net name="x" version="11"><layers/></net>'


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "net.xml"
    path.write_text(IR)
    path.with_suffix(".bin").write_bytes(b"\x00" * 8)
    return path


def test_ir_by_its_content(network: Path) -> None:
    other = network.with_name("net.onnx")
    network.rename(other)
    assert is_ir(other)
    assert not is_ir(network.with_suffix(".bin"))


def test_both_files_are_the_model(network: Path) -> None:
    assert ir_files(network) == [network, network.with_suffix(".bin")]
    network.with_suffix(".bin").unlink()
    with pytest.raises(InputError, match=r"is OpenVINO IR and net\.bin is missing beside it"):
        ir_files(network)


def test_weights_that_were_not_fetched(network: Path) -> None:
    network.with_suffix(".bin").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(InputError, match="git lfs pull"):
        ir_files(network)


def test_the_network_of_a_folder(network: Path) -> None:
    folder = network.parent
    assert network_of(network) == network
    assert network_of(folder) == network
    (folder / "other.xml").write_text(IR)
    with pytest.raises(InputError, match="is a folder: expected a model file"):
        network_of(folder)
    (folder / "openvino_model.xml").write_text(IR)
    assert network_of(folder) == folder / "openvino_model.xml"


@pytest.mark.parametrize(("version", "fits"), [("11", True), ("10", True), ("7", False)])
def test_versions(network: Path, version: str, fits: bool) -> None:
    network.write_text(IR.replace('version="11"', f'version="{version}"'))
    if fits:
        check_version(network)
        return
    with pytest.raises(InputError, match="OpenVINO IR of version 7: expected 10 or 11"):
        check_version(network)
