"""A log goes on with the images that it was begun with, or not at all."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from forged_logs import edit, lines_of, write_lines
from PIL import Image
from untimed_logs import untimed

from smoothcert.engine.backends.base import Compute
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.model import open_onnx
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.run.certification import Certification
from smoothcert.engine.run.execution import Job
from smoothcert.engine.run.resuming import check_images
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.pixels import pixels_digest
from smoothcert.engine.sources.selection import Selection
from smoothcert.engine.statistics.procedures import FixedCertify

SHAPE = (3, 16, 16)
Run = Callable[[], None]


@pytest.fixture
def photographs_of_one_size(tmp_path: Path) -> Path:
    """Two class folders of five uncompressed images each: all files are of one size."""
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(5):
            pixels = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.bmp")
    return tmp_path / "photos"


@pytest.fixture
def run(linear_model: Callable[..., Path], photographs_of_one_size: Path, tmp_path: Path) -> Run:
    rng = np.random.default_rng(0)
    model = linear_model(rng.normal(size=(2, 768)), np.zeros(2), SHAPE)

    def certify() -> None:
        opened = open_onnx(model)
        job = Job(
            model=opened,
            law=LatticeGaussian(0.5),
            procedure=FixedCertify(0.5, 10, 100),
            seed=1,
            compute=Compute(backend="onnxruntime", batch=32),
        )
        images = open_source(photographs_of_one_size, opened.spec, 2)
        Certification(job, images, Selection(), tmp_path / "out.tsv").run()

    return certify


def unfinished(out: Path, rows: int) -> None:
    write_lines(out, lines_of(out)[: rows + 1])


def test_an_unchanged_source_resumes_to_the_same_bytes(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    run()
    whole = untimed(out)
    unfinished(out, 6)
    run()
    assert untimed(out) == whole


def test_digests_are_of_the_pixels_that_were_certified(
    run: Run, photographs_of_one_size: Path, tmp_path: Path
) -> None:
    run()
    files = sorted(photographs_of_one_size.rglob("*.bmp"))
    for row, file in zip(lines_of(tmp_path / "out.tsv")[1:], files, strict=True):
        pixels = np.asarray(Image.open(file)).transpose(2, 0, 1)
        assert row[-1] == pixels_digest(pixels)


@pytest.mark.parametrize("rows", [3, 10])
def test_a_replaced_file_is_found_and_nothing_is_written(
    rows: int, run: Run, photographs_of_one_size: Path, tmp_path: Path
) -> None:
    """Of the same name and size: only its pixels tell."""
    out = tmp_path / "out.tsv"
    run()
    unfinished(out, rows)
    with out.open("a") as log:
        log.write("9\ttorn")
    before = out.read_bytes(), Path(f"{out}.json").read_bytes()
    files = sorted(photographs_of_one_size.rglob("*.bmp"))
    kept = files[1].read_bytes()
    files[1].write_bytes(files[5].read_bytes())
    digest = lines_of(out)[2][-1]
    with pytest.raises(InputError, match=f"image 1 has pixels .*{digest}.*has changed") as caught:
        run()
    assert "\n" not in str(caught.value)
    assert (out.read_bytes(), Path(f"{out}.json").read_bytes()) == before
    files[1].write_bytes(kept)
    run()
    assert len(lines_of(out)) == 11


def test_an_image_that_cannot_be_read_any_more_is_named(
    run: Run, photographs_of_one_size: Path, tmp_path: Path
) -> None:
    run()
    before = (tmp_path / "out.tsv").read_bytes()
    file = photographs_of_one_size / "a" / "2.bmp"
    file.write_bytes(b"\0" * file.stat().st_size)
    with pytest.raises(InputError, match=r"image 2 of .* can no longer be read .*2\.bmp"):
        run()
    assert (tmp_path / "out.tsv").read_bytes() == before


def test_an_image_without_a_row_may_change(
    run: Run, photographs_of_one_size: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.tsv"
    run()
    unfinished(out, 6)
    files = sorted(photographs_of_one_size.rglob("*.bmp"))
    files[8].write_bytes(files[0].read_bytes())
    run()
    assert lines_of(out)[9][-1] == lines_of(out)[1][-1]


def test_rows_of_no_image_of_the_source_are_refused(
    run: Run, photographs_of_one_size: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.tsv"
    run()
    edit(out, 10, "idx", lambda _: "4294967295")
    with pytest.raises(InputError, match=r"line 11 .* image 4294967295, which is not in"):
        run()


def test_digests_that_are_none_are_refused(photographs_of_one_size: Path) -> None:
    images = open_source(photographs_of_one_size, None, None)
    with pytest.raises(InputError, match="and x in"):
        check_images(Path("out.tsv"), images, {0: ("0", "x")})
    with pytest.raises(InputError, match="image 0 has label 0, and 1 in"):
        check_images(Path("out.tsv"), images, {0: ("1", pixels_digest(images.image(0)))})


def test_a_log_without_digests_is_not_resumed(run: Run, tmp_path: Path) -> None:
    """As earlier versions wrote them."""
    out = tmp_path / "out.tsv"
    run()
    write_lines(out, [line[:-1] for line in lines_of(out)])
    before = out.read_bytes()
    with pytest.raises(InputError, match="no column pixels"):
        run()
    assert out.read_bytes() == before
