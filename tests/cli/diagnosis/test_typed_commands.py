"""The commands that a diagnosis ends with, typed: each of them works as it is printed."""

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from doctored import Doctored, doctor
from foreign_models import CLASSES, classifier, images, node, value
from onnx import helper
from PIL import Image

import smoothcert
from smoothcert.cli.diagnosis import commands
from smoothcert.cli.shell.commands import smoothcert as group

_LOG = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t1\t1\t0.5\t1\t0:00:01.0\n"


def type_all(found: Doctored, **stands_for: Path | str) -> int:
    """Type the commands in their order, in the working folder, and return how many there were.

    stands_for  what is typed in place of MODEL and SOURCE; what was not answered is passed over
    """
    done = 0
    for line in found.notes("next"):
        words = shlex.split(line)
        if words[0] != "smoothcert":
            subprocess.run(["sh", "-c", line], check=True)
            continue
        if {"MODEL", "SOURCE"} & set(words) - set(stands_for):
            continue
        words = [str(stands_for.get(word, word)) for word in words[1:]]
        if words[0] == "certify":
            for name in ("out.tsv", "out.tsv.json"):
                Path(name).unlink(missing_ok=True)
            words += ["--n", "20", "--n0", "10"]
        result = CliRunner().invoke(group, words, catch_exceptions=False)
        assert result.exit_code == 0, (line, result.output)
        done += 1
    return done


def photographs(folder: Path, names: list[str]) -> Path:
    for number, name in enumerate(names):
        pixels = np.random.default_rng(number).integers(0, 256, (12, 10, 3)).astype(np.uint8)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name)
    return folder


def plain(folder: Path) -> tuple[Path | str, ...]:
    return classifier(folder / "a model.onnx"), images(folder / "it's.npz")


def option_like(folder: Path) -> tuple[Path | str, ...]:
    classifier(folder / "-m.onnx")
    images(folder / "-im.npz")
    return "./-m.onnx", "./-im.npz"


def open_sides(folder: Path) -> tuple[Path | str, ...]:
    model = classifier(folder / "m.onnx", inputs=[value("x", ["n", "c", "h", "w"])])
    return model, images(folder / "im.npz")


def row_by_row(folder: Path) -> tuple[Path | str, ...]:
    before = [
        node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        node("DequantizeLinear", ["q", "s", "z"], ["t"]),
    ]
    return classifier(folder / "m.onnx", before=before, last="t"), images(folder / "im.npz")


def two_outputs(folder: Path) -> tuple[Path | str, ...]:
    outputs = [value("g", ["N", 3, 1, 1]), value("y", ["N", CLASSES])]
    return classifier(folder / "m.onnx", outputs=outputs), images(folder / "im.npz")


def flat_folder(folder: Path) -> tuple[Path | str, ...]:
    source = photographs(folder / "some val", ["0.png", "1.png"])
    (folder / "some val.txt").write_text("0.png 2\n1.png 0\n")
    return classifier(folder / "m.onnx"), source


def rotations(folder: Path) -> tuple[Path | str, ...]:
    source = photographs(folder / "turned", [f"{angle}/1.png" for angle in (0, 90, 180, 270)])
    return classifier(folder / "m.onnx", classes=4), source


def some_numbers(folder: Path) -> tuple[Path | str, ...]:
    source = photographs(folder / "val", ["0/1.png", "4/1.png"])
    return classifier(folder / "m.onnx"), source


def arrays_of_other_names(folder: Path) -> tuple[Path | str, ...]:
    pixels = np.zeros((4, 8, 8, 3), np.uint8)
    np.savez(folder / "im.npz", clean=pixels, noisy=pixels, target=np.arange(4))
    return classifier(folder / "m.onnx"), folder / "im.npz"


def no_labels(folder: Path) -> tuple[Path | str, ...]:
    np.savez(folder / "im.npz", images=np.zeros((2, 8, 8, 3), np.uint8))
    return classifier(folder / "m.onnx"), folder / "im.npz"


def float_pixels(folder: Path) -> tuple[Path | str, ...]:
    pixels = (np.arange(2 * 192).reshape(2, 8, 8, 3) % 256 / 255).astype(np.float32)
    np.savez(folder / "im.npz", images=pixels, labels=np.arange(2))
    return classifier(folder / "m.onnx"), folder / "im.npz"


def a_foreign_log(folder: Path) -> tuple[Path | str, ...]:
    (folder / "-log.txt").write_text(_LOG.replace("radius", "linf_radius"))
    return ("./-log.txt",)


def a_log_of_ours(folder: Path) -> tuple[Path | str, ...]:
    model, source = plain(folder)
    smoothcert.certify(
        model, source, out=folder / "the log.tsv", sigma=0.25, n0=10, n=20, max=2
    ).run()
    return (folder / "the log.tsv",)


@pytest.mark.parametrize(
    "make",
    [
        plain, option_like, open_sides, row_by_row, two_outputs, flat_folder, rotations,
        some_numbers, arrays_of_other_names, no_labels, float_pixels, a_foreign_log, a_log_of_ours,
    ],
)  # fmt: skip
def test_every_command_works_as_it_is_printed(
    make: Callable[[Path], tuple[Path | str, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the files together, and of each alone, whose commands have MODEL or SOURCE for the
    other."""
    monkeypatch.chdir(tmp_path)
    files = make(tmp_path)
    found = doctor(*files)
    source = tmp_path / "it's.npz"
    assert type_all(found, **({"SOURCE": source} if source.exists() else {})) > 0
    if make in (plain, option_like):
        model, images_given = files
        assert type_all(doctor(model), SOURCE=images_given) == 2
        assert type_all(doctor(images_given), MODEL=model) == 2


def test_folders_that_are_no_places_lead_to_a_list_of_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _, turned = rotations(tmp_path)
    alone = doctor(turned)
    assert alone.states("option") == ["--classes class_numbers.txt"]
    assert alone.notes("next")[-2:] == [
        "printf '%s\\n' 0 90 180 270 > class_numbers.txt",
        f"smoothcert certify MODEL {turned} out.tsv --sigma 0.25 --classes class_numbers.txt",
    ]
    type_all(alone)
    listed = doctor(turned, "--classes", "class_numbers.txt")
    assert any("180 is 2" in note for note in listed.notes("taken for granted"))
    assert listed.states("option") == []
    found = doctor(*some_numbers(tmp_path))
    assert found.status == 0
    assert found.notes("next")[0] == "seq 0 4 > class_numbers.txt"
    twelve = photographs(tmp_path / "twelve", [f"{number}/1.png" for number in range(12)])
    assert doctor(twelve).notes("next")[-2] == "seq 0 11 > class_numbers.txt"
    named = photographs(tmp_path / "named", ["a/1.png", "2/1.png"])
    assert doctor(classifier(tmp_path / "m.onnx"), named).commands == []


def test_a_denoiser_in_front_is_named_and_says_its_noise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    classifier(tmp_path / "classifier.onnx")
    sides: list[int | str] = ["N", 3, 8, 8]
    graph = helper.make_graph(
        [node("Mul", ["x", "most"], ["y"])], "fading", [value("x", sides)], [value("y", sides)],
        [helper.make_tensor("most", onnx.TensorProto.FLOAT, [1], [0.9])],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), "fading.onnx")
    options = ["-o", "m.onnx", "--denoiser", "fading.onnx", "--sigma", "0.5"]
    CliRunner().invoke(group, ["export", "classifier.onnx", *options], catch_exceptions=False)
    found = doctor("m.onnx")
    assert found.states("denoiser") == ["fading.onnx"]
    assert "made for sigma 0.5 alone" in found.notes("denoiser")[0]
    assert found.states("classifier") == ["classifier.onnx"]
    assert found.commands[-1][-2:] == ["--sigma", "0.5"]
    source = images(tmp_path / "im.npz")
    assert type_all(found, SOURCE=source) == 2
    assert type_all(doctor("m.onnx", source)) == 1


def test_names_that_are_no_text_are_typed_all_the_same(tmp_path: Path) -> None:
    """By a shell that knows $'...', as bash does."""
    for name in (b"caf\xe9.tsv", b"two\nlines '\\.tsv", "caf\u00e9 1.tsv".encode()):
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
        path.write_text(_LOG)
        line = commands.analyze(str(path)).note
        assert line.isprintable()
        typed = subprocess.run(
            ["bash", "-c", line.replace("smoothcert analyze", "cat")],
            capture_output=True,
            text=True,
            check=True,
        )
        assert typed.stdout == _LOG
