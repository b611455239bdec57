"""What doctor says of sources: their images, labels and sizes, and the options that they need."""

from pathlib import Path

import numpy as np
import pytest
from doctored import doctor
from PIL import Image


def photograph(path: Path, size: tuple[int, int] = (10, 12)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(len(str(path))).integers(0, 256, (*size[::-1], 3))
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def test_arrays_say_their_labels_and_size(tmp_path: Path) -> None:
    pixels = np.zeros((10, 28, 28), np.uint8)
    np.savez(tmp_path / "im.npz", images=pixels, labels=np.arange(10) % 5)
    found = doctor(tmp_path / "im.npz")
    assert found.status == 0
    assert found.states("images") == ["10"]
    assert found.states("labels") == ["0..4"]
    assert found.notes("labels") == ["5 labels, 2 images each"]
    assert found.states("size") == ["1x28x28"]
    assert "mnist and fashion-mnist" in found.notes("model")[0]
    assert len(found.states("digest")[0]) == 16
    assert found.commands[-1][:4] == ["smoothcert", "certify", "MODEL", str(tmp_path / "im.npz")]


def test_photographs_say_their_sizes(tmp_path: Path) -> None:
    photograph(tmp_path / "val" / "a" / "1.png", (10, 12))
    photograph(tmp_path / "val" / "b" / "1.png", (20, 16))
    found = doctor(tmp_path / "val")
    assert found.states("size") == ["several"]
    assert "3x12x10 (1)" in found.notes("size")[0]
    assert "--resize" in found.notes("size")[0]


def test_what_does_not_decode_is_named(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        photograph(tmp_path / "val" / name / "1.png")
    broken = tmp_path / "val" / "b" / "1.png"
    broken.write_bytes(broken.read_bytes()[:60])
    found = doctor(tmp_path / "val")
    assert found.status == 0
    assert found.states("image") == ["unreadable", "hint"]
    assert str(broken) in found.notes("image")[0]
    for name in ("a", "c"):
        (tmp_path / "val" / name / "1.png").write_bytes(b"no")
    assert doctor(tmp_path / "val").status == 1


def test_lists_beside_a_flat_folder_are_tried(tmp_path: Path) -> None:
    for number in range(3):
        photograph(tmp_path / "val" / f"{number}.png")
    (tmp_path / "val.txt").write_text("0.png 2\n1.png 0\n2.png 1\n")
    (tmp_path / "notes.txt").write_text("nothing of use\n")
    found = doctor(tmp_path / "val")
    assert found.status == 0
    option = f"--labels {tmp_path / 'val.txt'}"
    assert found.states("option") == [option, "--unlabelled"]
    (command,) = found.commands
    assert command[-2:] == option.split(" ")
    listed = doctor(tmp_path / "val", "--labels", tmp_path / "val.txt")
    assert listed.states("labels") == ["0..2"]
    assert listed.commands[-1][-2:] == option.split(" ")


def test_a_list_of_labels_leads_to_its_folder(tmp_path: Path) -> None:
    for number in range(2):
        photograph(tmp_path / "val" / f"{number}.png")
    (tmp_path / "val.txt").write_text("0.png 1\n1.png 0\n")
    found = doctor(tmp_path / "val.txt")
    assert found.commands == [
        ["smoothcert", "doctor", str(tmp_path / "val"), "--labels", str(tmp_path / "val.txt")]
    ]


def test_a_file_alone_leads_to_its_folder(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((4, 8, 8, 3), np.uint8))
    np.save(tmp_path / "y.npy", np.arange(4))
    found = doctor(tmp_path / "x.npy")
    assert found.commands == [["smoothcert", "doctor", str(tmp_path)]]
    assert doctor(tmp_path).states("labels") == ["0..3"]
    (tmp_path / "list.csv").write_text("image,label\nno.png,1\n")
    assert doctor(tmp_path / "list.csv").commands == []


def test_arrays_under_other_names_are_paired(tmp_path: Path) -> None:
    pixels, labels = np.zeros((4, 8, 8, 3), np.uint8), np.arange(4)
    np.savez(tmp_path / "im.npz", clean=pixels, noisy=pixels, target=labels, other=np.zeros(7))
    found = doctor(tmp_path / "im.npz")
    assert found.status == 0
    assert found.states("option") == ["--arrays clean,target", "--arrays noisy,target"]
    assert [words[-1] for words in found.commands] == ["clean,target", "noisy,target"]


def test_images_without_labels_say_so(tmp_path: Path) -> None:
    np.savez(tmp_path / "im.npz", images=np.zeros((3, 8, 8, 3), np.uint8))
    found = doctor(tmp_path / "im.npz")
    assert found.states("option") == ["--unlabelled"]
    assert found.states("labels") == ["none"]
    assert found.commands[-1][-1] == "--unlabelled"


def test_a_folder_of_models_leads_to_them(tmp_path: Path, model: Path) -> None:
    found = doctor(tmp_path)
    assert found.status == 1
    assert found.commands == [["smoothcert", "doctor", str(model)]]


def test_a_folder_of_logs_leads_to_their_table(tmp_path: Path) -> None:
    (tmp_path / "sigma_0.25").write_text("idx\tlabel\tpredict\tradius\n0\t1\t1\t0.5\n")
    (tmp_path / "empty.tsv").write_text("")
    found = doctor(tmp_path)
    assert found.commands == [["smoothcert", "analyze", str(tmp_path)]]
    assert found.notes("folder") == [f"there are logs in it: {tmp_path / 'sigma_0.25'}"]


@pytest.mark.parametrize("content", [b"", b"\x00" * 300, b"\xff\xfe\x00 text", b"{}", b"a\tb\n"])
@pytest.mark.parametrize("name", ["x.npz", "x.tar", "x.parquet", "x", "images-idx3-ubyte"])
def test_damaged_files_are_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    found = doctor(tmp_path / name)
    assert found.status == 1
    assert found.states("as it stands") == ["refused"]


def test_an_empty_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    found = doctor(tmp_path / "nothing")
    assert found.status == 1
    assert found.states("as it stands") == ["refused"]
