"""Pipes, devices, sockets and folders in every place where a command opens a file: refused in one
line, by kind, before they are opened, and with nothing left behind."""

import os
import socket
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from smoothcert.cli.main import main


@pytest.fixture
def here(model: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, the current one, with a model, images, and a folder of classes."""
    monkeypatch.chdir(tmp_path)
    for name in "abcd":
        (tmp_path / "classes" / name).mkdir(parents=True)
        Image.new("RGB", (6, 6)).save(tmp_path / "classes" / name / "0.png")
    return tmp_path


def put(path: Path, kind: str) -> None:
    """Something at a path that is no regular file."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path.name)  # a whole path may be too long for a socket's


def refused(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command says, in one line, that refuses what it is given."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    said = capfd.readouterr()
    assert ended.value.code == 2, said.err
    assert said.err.count("\n") == 1, said.err
    assert said.out == ""
    return said.err


_CERTIFY = ("certify", "linear.onnx")
_RUN = ("out.tsv", "--sigma", "0.25", "--n", "100")
_LISTS = ("classes", *_RUN)
_PLACES = {
    "source npz": ("x.npz", (*_CERTIFY, "x.npz", *_RUN)),
    "source tar": ("x.tar", (*_CERTIFY, "x.tar", *_RUN)),
    "source parquet": ("x.parquet", (*_CERTIFY, "x.parquet", *_RUN)),
    "source idx": ("t10k-images-idx3-ubyte", (*_CERTIFY, "t10k-images-idx3-ubyte", *_RUN)),
    "source CIFAR python": ("test_batch", (*_CERTIFY, "test_batch", *_RUN)),
    "source CIFAR binary": ("test_batch.bin", (*_CERTIFY, "test_batch.bin", *_RUN)),
    "indices": ("i.txt", (*_CERTIFY, "images.npz", *_RUN, "--indices", "i.txt")),
    "classes": ("c.txt", (*_CERTIFY, *_LISTS, "--classes", "c.txt")),
    "labels": ("l.txt", (*_CERTIFY, *_LISTS, "--labels", "l.txt")),
    "model": ("m.onnx", ("certify", "m.onnx", "images.npz", *_RUN)),
    "second model": ("m.onnx", (*_CERTIFY, "images.npz", *_RUN, "--transfer-to", "m.onnx")),
    "log": ("o.tsv", (*_CERTIFY, "images.npz", "o.tsv", "--sigma", "0.25", "--n", "100")),
    "manifest": ("out.tsv.json", (*_CERTIFY, "images.npz", *_RUN)),
    "log to analyze": ("l.tsv", ("analyze", "l.tsv")),
    "log to audit": ("l.tsv", ("audit", "l.tsv", "images.npz")),
    "log to merge": ("l.tsv", ("merge", "m.tsv", "l.tsv")),
    "checkpoint": ("c.pth", ("export", "c.pth", "-o", "y.onnx")),
    "checkpoint to certify": ("c.safetensors", ("certify", "c.safetensors", "images.npz", *_RUN)),
    "images to train on": ("x.npz", ("train", "x.npz", "t", "--arch", "a", "--sigma", "0.25")),
    "model to build": ("m.onnx", ("build", "m.onnx", "-o", "m.plan")),
    "model to measure": ("m.onnx", ("bench", "m.onnx")),
    "pictures": ("x.npz", ("visualize", "x.npz", "out", "0", "0.25")),
    "picture": ("0_25.png", ("visualize", "images.npz", ".", "0", "0.25", "--force")),
}  # fmt: skip
_FOLDERS = ("source npz", "indices", "classes", "labels", "model", "manifest", "log to analyze")
# A folder is a source, and a folder of logs is analyzed.
_TRIED = [
    pytest.param(place, kind, id=f"{fault} {place} {kind}")
    for place in _PLACES
    for kind, fault in (("pipe", "S1-S2-B7"), ("device", "S3"), ("socket", "S2"), ("folder", "B8"))
    if kind in ("pipe", "device")
    or (kind == "socket" and place in _FOLDERS)
    or (kind == "folder" and place in ("indices", "classes", "labels", "model", "manifest"))
]


@pytest.mark.parametrize(("place", "kind"), _TRIED)
def test_what_is_no_file_is_refused(
    here: Path, capfd: pytest.CaptureFixture[str], place: str, kind: str
) -> None:
    name, arguments = _PLACES[place]
    put(here / name, kind)
    before = sorted(path.name for path in here.iterdir())
    assert name in refused(capfd, *arguments)
    assert sorted(path.name for path in here.iterdir()) == before


def test_s1_photographs_that_are_none_fail_alone(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    put(here / "classes" / "a" / "pipe.png", "pipe")
    put(here / "classes" / "b" / "zero.png", "device")
    with pytest.raises(SystemExit) as ended:
        main([*_CERTIFY, *_LISTS, "--backend", "onnxruntime"])
    said = capfd.readouterr().err
    assert ended.value.code == 1
    assert "2 of 6 images could not be certified" in said
    assert "a/pipe.png: cannot be read (it is a pipe)" in said
    assert said.count("\n") == 1
    assert len((here / "out.tsv").read_text().splitlines()) == 5


def test_files_in_a_folder_of_arrays_or_tables_are_looked_at(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (here / "arrays").mkdir()
    np.save(here / "arrays" / "images.npy", np.zeros((2, 6, 6, 3), np.uint8))
    put(here / "arrays" / "labels.npy", "pipe")
    assert "labels.npy: cannot be read (it is a pipe)" in refused(capfd, *_CERTIFY, "arrays", *_RUN)
    (here / "tables").mkdir()
    put(here / "tables" / "x.parquet", "pipe")
    assert "x.parquet: cannot be read (it is a pipe)" in refused(capfd, *_CERTIFY, "tables", *_RUN)


def test_external_data_of_a_model_are_looked_at(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    onnx.save(
        onnx.load("linear.onnx"), "external.onnx", save_as_external_data=True, location="w.bin",
        size_threshold=0,
    )  # fmt: skip
    (here / "w.bin").unlink()
    put(here / "w.bin", "pipe")
    assert "w.bin" in refused(capfd, "certify", "external.onnx", "images.npz", *_RUN)


def test_s2_files_of_a_model_that_is_a_folder_are_looked_at(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, file in (("ir", "a.xml"), ("hf", "config.json")):
        (here / name).mkdir()
        put(here / name / file, "pipe")
        assert f"{name} is a folder" in refused(capfd, "certify", name, "images.npz", *_RUN)
    assert "config.json cannot be read (it is a pipe)" in refused(
        capfd, "export", "hf:hf", "-o", "y.onnx"
    )


def test_s2_the_record_of_a_plan_is_looked_at(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (here / "m.plan").write_bytes(b"plan")
    put(here / "m.plan.json", "pipe")
    said = refused(capfd, "certify", "m.plan", "images.npz", *_RUN)
    assert "plan record m.plan.json cannot be read (it is a pipe)" in said


def test_what_lies_beside_other_files_is_left_unopened(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (here / "pipes").mkdir()
    for name in ("a.tsv", "m.onnx", "l.txt", "x.png", "x.npz"):
        put(here / "pipes" / name, "pipe")
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "pipes"])
    assert ended.value.code == 1
    capfd.readouterr()
    refused(capfd, "analyze", "pipes")
