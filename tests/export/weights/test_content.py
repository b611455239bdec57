"""From a checkpoint's bytes to its values, or one line that says what the file is instead."""

import io
import pickle
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from smoothcert.engine.base.errors import InputError
from smoothcert.export.weights.content import read_content

STATE = {"fc.weight": torch.arange(6.0).reshape(2, 3), "fc.bias": torch.zeros(2)}


def net() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3, 2))


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "w"])
def test_what_a_file_is_is_told_from_its_bytes(name: str, tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / name)
    assert read_content(tmp_path / name).keys() == STATE.keys()
    save_file(STATE, tmp_path / name)
    assert read_content(tmp_path / name).keys() == STATE.keys()


@pytest.mark.parametrize("protocol", [2, 3])
def test_pickle_protocols(protocol: int, tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "x.pth", pickle_protocol=protocol)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of a protocol: nothing for our users
        assert torch.equal(read_content(tmp_path / "x.pth")["fc.weight"], STATE["fc.weight"])


def write_script(path: Path) -> None:
    trace: Any = torch.jit.trace
    trace(net().eval(), torch.zeros(1, 3)).save(str(path))


def write_program(path: Path) -> None:
    torch.export.save(torch.export.export(net().eval(), (torch.zeros(1, 3),)), path)


def write_tar(path: Path, kind: int = tarfile.USTAR_FORMAT, magic: bool = True) -> None:
    torch.save(STATE, path)
    content = path.read_bytes()
    with tarfile.open(path, "w", format=kind) as archive:
        member = tarfile.TarInfo("x.pth")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    if not magic:  # as before POSIX: nothing but a checksum tells
        head = bytearray(path.read_bytes())
        head[257:265], head[148:156] = bytes(8), b" " * 8
        head[148:156] = f"{sum(head[:512]):06o}\0 ".encode()
        path.write_bytes(head)


def write_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.pth", b"x")


def write_half(path: Path) -> None:
    torch.save(STATE, path)
    path.write_bytes(path.read_bytes()[:500])


OTHERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "TorchScript": (write_script, "TorchScript archive: a program, which is not run"),
    "torch.export": (write_program, "program of torch.export"),
    "a whole module": (lambda path: torch.save(net(), path), "needs code to load"),
    "a tar archive": (write_tar, "tar archive"),
    "a tar archive of the old kind": (
        lambda path: write_tar(path, tarfile.GNU_FORMAT, magic=False), "tar archive",
    ),
    "a zip archive": (write_zip, "cannot be read"),
    "arrays": (lambda path: np.savez(path.open("wb"), w=np.zeros(3)), "numpy arrays"),
    "a page": (lambda path: path.write_text("<!DOCTYPE html><html></html>"), "HTML page"),
    "a pointer": (
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"), "git-lfs",
    ),
    "a plain pickle": (lambda path: path.write_bytes(pickle.dumps({"a": 1})), "needs code to load"),
    "text": (lambda path: path.write_text("weights"), "text file"),
    "a half": (write_half, "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_other_files_are_refused_in_one_line_and_quietly(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.pth"
    write, words = OTHERS[name]
    write(path)
    capfd.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match=words) as caught:
            read_content(path)
    assert "\n" not in str(caught.value)
    assert ".cc" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_an_archive_that_fills_memory_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", pickle.dumps({"w": bytes(70_000_000)}, protocol=2))
        archive.writestr("x/version", "3")
    with pytest.raises(InputError, match=r"7\d{7} unpacked"):
        read_content(tmp_path / "x.pth")
