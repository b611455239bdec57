"""Outputs never overwrite: what is in the way is refused before any work, and stays as it is."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from full_disks import no_more_than
from hostile_logs import Commands, change_lines, change_manifest, state
from PIL import Image
from untimed_logs import untimed

from smoothcert.engine.base.files import replacing
from smoothcert.engine.log.log_file import LogFile

DATA = Path(__file__).parents[2] / "data"
AS_ROOT = os.geteuid() == 0


@pytest.fixture
def run(model: Path, source: Path, capfd: pytest.CaptureFixture[str]) -> Commands:
    return Commands(model, source, capfd)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


def write_junk(path: Path) -> None:
    path.write_text("precious\n")


def write_manifest_of_another(path: Path) -> None:
    path.write_text('{"run": {"sigma": 0.25}, "status": "running", "sessions": []}')


@pytest.mark.parametrize("write", [write_junk, write_manifest_of_another])
@pytest.mark.parametrize("command", ["certify", "predict"])
def test_b6_a_manifest_without_its_log_is_kept(
    command: str, write: Callable[[Path], None], run: Commands, folder: Path
) -> None:
    write(folder / "o.tsv.json")
    before = state(folder)
    log = folder / "o.tsv"
    said = run.refused(command, run.model, run.source, log, "--sigma", "0.5", "--seed", "1")
    assert "o.tsv" in said
    assert state(folder) == before


def test_b6_the_manifest_of_a_finished_run_is_kept(run: Commands, folder: Path) -> None:
    log = folder / "o.tsv"
    assert run.certify(log)[0] == 0
    log.unlink()
    before = state(folder)
    assert "is of a finished run, and its log" in run.certify_refused(log)
    assert state(folder) == before


@pytest.mark.parametrize("size", [None, 0, 10])
def test_b6_a_run_killed_at_its_start_goes_on(
    size: int | None, run: Commands, folder: Path
) -> None:
    """Between manifest and header, with a seed that was drawn."""
    log = folder / "o.tsv"
    options = ("--sigma", "0.5", "--n", "300", "--n0", "20", "--backend", "onnxruntime")
    assert run("certify", run.model, run.source, log, *options)[0] == 0
    whole = untimed(log)
    change_manifest(log, lambda found: found.update(status="running"))
    if size is None:
        log.unlink()
    else:
        log.write_bytes(log.read_bytes()[:size])
    assert run("certify", run.model, run.source, log, *options)[0] == 0
    assert untimed(log) == whole


@pytest.mark.parametrize("name", ["o.tsv", "o.tsv.json"])
@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "link-to-nothing"])
def test_b7_b8_what_is_no_file_is_kept(kind: str, name: str, run: Commands, folder: Path) -> None:
    place = folder / name
    if kind == "folder":
        place.mkdir()
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to("/dev/null" if kind == "device" else folder / "absent")
    before = place.lstat()
    assert "cannot be written (it is a" in run.certify_refused(folder / "o.tsv")
    assert [path.name for path in folder.iterdir()] == [name]
    assert place.lstat().st_ino == before.st_ino


def test_a_log_through_a_link_is_written_where_it_is(run: Commands, folder: Path) -> None:
    """Also where it is put in order at the end."""
    log, link = folder / "real.tsv", folder / "o.tsv"
    log.touch()
    link.symlink_to(log)
    assert run.certify(link)[0] == 0
    whole = untimed(log)
    change_lines(log, lambda lines: [lines[0], *lines[6:]])
    assert run.certify(link)[0] == 0
    assert link.is_symlink()
    assert untimed(log) == whole


def test_nothing_is_left_where_a_run_is_refused_at_its_first_image(
    run: Commands, folder: Path, tmp_path: Path
) -> None:
    for name in "abcd":
        (tmp_path / "val" / name).mkdir(parents=True)
        Image.new("RGB", (6, 6)).save(tmp_path / "val" / name / "0.png")
    (tmp_path / "val" / "a" / "0.png").write_bytes(b"\x89PNG\r\n")
    options = ("--sigma", "0.5", "--seed", "0", "--resize", "6", "--strict")
    said = run.refused("certify", run.model, tmp_path / "val", folder / "o.tsv", *options)
    assert "0.png" in said
    assert state(folder) == {}


def outputs(folder: str) -> Iterator[tuple[str, ...]]:
    yield ("certify", "{model}", "{source}", f"{folder}/o.tsv", "--sigma", "0.5", "--seed", "0")
    yield ("predict", "{model}", "{source}", f"{folder}/o.tsv", "--sigma", "0.5", "--seed", "0")
    yield ("merge", f"{folder}/o.tsv", "{log}")
    yield ("analyze", "{log}", "--html", f"{folder}/o.html")
    yield ("analyze", "{log}", "--plot", f"{folder}/o.png")
    yield ("export", "{checkpoint}", "-o", f"{folder}/o.onnx")
    yield ("build", "{model}", "-o", f"{folder}/o.plan")
    yield ("bench", "--arch", "small_cnn", "--export-only", f"{folder}/o.onnx")


def filled(arguments: tuple[str, ...], run: Commands, log: Path) -> list[str]:
    return [
        each.format(
            model=run.model, source=run.source, log=log,
            checkpoint=DATA / "fashion_mnist_sigma25.pth",
        )
        for each in arguments
    ]  # fmt: skip


@pytest.mark.parametrize("arguments", [*outputs("{log}.none")], ids=lambda each: "-".join(each[:2]))
def test_m6_a_missing_folder(arguments: tuple[str, ...], run: Commands, folder: Path) -> None:
    log = folder / "log.tsv"
    assert run.certify(log)[0] == 0
    before = state(folder)
    assert "is no folder" in run.refused(*filled(arguments, run, log))
    assert state(folder) == before


@pytest.mark.skipif(AS_ROOT, reason="root may write to any folder")
@pytest.mark.parametrize(
    "arguments", [*outputs("{log}.closed")], ids=lambda each: "-".join(each[:2])
)
def test_m6_a_folder_that_may_not_be_written_to(
    arguments: tuple[str, ...], run: Commands, folder: Path
) -> None:
    log = folder / "log.tsv"
    assert run.certify(log)[0] == 0
    closed = folder / "log.tsv.closed"
    closed.mkdir()
    closed.chmod(0o500)
    assert "may not be written to" in run.refused(*filled(arguments, run, log))
    assert not any(closed.iterdir())


@pytest.mark.parametrize(
    ("name", "option"), [("log.html", "--html"), ("log.png", "--plot"), ("log.svg", "--plot")]
)
def test_5_a_report_is_not_written_over_its_log(
    name: str, option: str, run: Commands, folder: Path
) -> None:
    log = folder / name
    assert run.certify(log)[0] == 0
    links = [folder / f"soft{log.suffix}", folder / f"hard{log.suffix}"]
    links[0].symlink_to(log)
    links[1].hardlink_to(log)
    before = state(folder)
    for path in (log, *links):
        assert "which this command reads" in run.refused("analyze", log, option, path)
    assert state(folder) == before


def test_b6_a_report_is_not_written_over_its_manifest(run: Commands, folder: Path) -> None:
    log = folder / "log.tsv"
    assert run.certify(log)[0] == 0
    (folder / "r.html").hardlink_to(folder / "log.tsv.json")
    before = state(folder)
    assert "which this command reads" in run.refused("analyze", log, "--html", folder / "r.html")
    assert state(folder) == before


def test_nothing_is_drawn_where_the_report_is_refused(run: Commands, folder: Path) -> None:
    log = folder / "log.tsv"
    assert run.certify(log)[0] == 0
    before = state(folder)
    (folder / "r.html").mkdir()
    run.refused("analyze", log, "--plot", folder / "p.svg", "--html", folder / "r.html")
    assert state(folder) == before


@pytest.mark.parametrize("link", ["itself", "soft", "hard"])
def test_an_export_is_not_written_over_its_model(link: str, run: Commands, folder: Path) -> None:
    given = folder / "given.onnx"
    given.write_bytes(run.model.read_bytes())
    path = given if link == "itself" else folder / "link.onnx"
    if link == "soft":
        path.symlink_to(given)
    elif link == "hard":
        path.hardlink_to(given)
    before = state(folder)
    said = run.refused("export", given, "-o", path, "--force")
    assert "which this command reads" in said
    assert state(folder) == before


def test_a_log_is_not_written_over_what_it_is_made_of(run: Commands, folder: Path) -> None:
    for given in (run.model, run.source):
        before = given.read_bytes()
        assert "which this command reads" in run.certify_refused(given)
        assert given.read_bytes() == before
    images = folder / "o.tsv.json"
    images.write_bytes(run.source.read_bytes())
    before_all = state(folder)
    run.refused("certify", run.model, images, folder / "o.tsv", "--sigma", "0.5", "--seed", "0")
    assert state(folder) == before_all


@pytest.mark.parametrize("name", ["checkpoint.pth.tar", "log.txt"])
def test_a_training_keeps_what_is_no_file(
    name: str, run: Commands, folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    images = tmp_path / "grey.npz"
    np.savez(images, images=np.zeros((8, 8, 8), np.uint8), labels=np.arange(8) % 2)
    (folder / name).symlink_to(folder / "absent")
    before = state(folder)
    said = run.refused("train", images, folder, "--arch", "small_cnn", "--sigma", "0.5")
    assert "a link to a file that is not there" in said
    assert state(folder) == before


def parts(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.endswith(".part"))


def abandoned(path: Path) -> str:
    """What a writer leaves who is killed within."""
    pid = os.fork()
    if pid == 0:
        with replacing(path) as file:
            file.write(b"half")
            file.flush()
            os._exit(9)
    os.waitpid(pid, 0)
    (left,) = parts(path.parent)
    return left


@pytest.mark.parametrize("name", ["o.tsv", "o.tsv.json"])
def test_1c_the_next_run_sweeps_what_a_killed_one_left(
    name: str, run: Commands, folder: Path
) -> None:
    abandoned(folder / name)
    assert run.certify(folder / "o.tsv")[0] == 0
    assert sorted(state(folder)) == ["o.tsv", "o.tsv.json"]
    abandoned(folder / name)
    assert run.certify(folder / "o.tsv")[0] == 0
    assert sorted(state(folder)) == ["o.tsv", "o.tsv.json"]
    merged = folder / "m.tsv"
    abandoned(merged.with_name(name.replace("o", "m", 1)))
    assert run("merge", merged, folder / "o.tsv") == (0, "")
    assert parts(folder) == []


def test_what_another_writer_is_at_is_not_swept(folder: Path) -> None:
    path = folder / "o.tsv"
    with replacing(path) as file:
        file.write(b"first")
        with replacing(path) as other:
            other.write(b"second")
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first"
    assert parts(folder) == []


def test_a_link_of_such_a_name_is_not_followed(folder: Path, tmp_path: Path) -> None:
    path, victim = folder / "o.tsv", tmp_path / "victim"
    victim.write_text("precious")
    trap = folder / abandoned(path)
    trap.unlink()
    trap.symlink_to(victim)
    with replacing(path) as file:
        file.write(b"mine")
    assert (victim.read_text(), path.read_bytes()) == ("precious", b"mine")


def test_a_second_writer_leaves_everything(run: Commands, folder: Path) -> None:
    log = folder / "o.tsv"
    assert run.certify(log)[0] == 0
    before = state(folder)
    held = LogFile(log)
    assert "is being written by another process" in run.certify_refused(log)
    held.withdraw()
    assert state(folder) == before


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Images enough for a log that is longer than its manifest."""
    path = tmp_path / "many.npz"
    images = np.random.default_rng(2).integers(0, 256, (80, 6, 6, 3)).astype(np.uint8)
    np.savez(path, images=images, labels=np.arange(80) % 4)
    return path


def full(run: Commands, *arguments: object, size: int) -> str:
    """What a command says whose disk is full: one line, without the system's number."""
    with no_more_than(size):
        code, said = run(*arguments)
    assert (code, said.count("\n")) == (1, 1), said
    assert said.endswith(": File too large; what was written is kept\n")
    assert "Errno" not in said
    return said


def test_2c_a_full_disk_loses_nothing(run: Commands, many: Path, folder: Path) -> None:
    log, merged = folder / "o.tsv", folder / "m.tsv"
    command = ("certify", run.model, many, log, "--sigma", "0.5", "--n", "300", "--n0", "20",
               "--seed", "0", "--backend", "onnxruntime")  # fmt: skip
    assert run(*command)[0] == 0
    whole = untimed(log)
    sizes = sorted(path.stat().st_size for path in folder.iterdir())
    for size in (sizes[0] + 100, sizes[1] - 1):
        log.unlink()
        log.with_name("o.tsv.json").unlink()
        assert f"{log}: " in full(run, *command, size=size)
        assert sorted(state(folder)) == ["o.tsv", "o.tsv.json"]
        assert run(*command)[0] == 0
        assert untimed(log) == whole
    assert f"{merged}: " in full(run, "merge", merged, log, size=sizes[1] - 1)
    assert sorted(state(folder)) == ["o.tsv", "o.tsv.json"]
    assert run("merge", merged, log) == (0, "")
    assert merged.read_bytes() == log.read_bytes()


def test_2c_nothing_is_left_on_a_disk_that_is_full_from_the_start(
    run: Commands, folder: Path
) -> None:
    log = folder / "o.tsv"
    command = ("certify", run.model, run.source, log, "--sigma", "0.5", "--seed", "0")
    assert f"{log}.json: " in full(run, *command, size=1000)
    assert state(folder) == {}
