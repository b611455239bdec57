"""Runs over images that a program holds: the logs of the same images in a file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from held_data import COUNT, LABELS, Pairs, random_pixels
from torch.utils.data import Subset
from untimed_logs import untimed

import smoothcert
from smoothcert.engine.backends.base import Compute
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import manifest_path
from smoothcert.engine.models.model import open_onnx
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.run.certification import Certification
from smoothcert.engine.run.cluster.executor import ClusterOptions, RayExecutor
from smoothcert.engine.run.execution import Executor, Job
from smoothcert.engine.run.kept_images import KeptImages, kept_images
from smoothcert.engine.run.processes import ProcessExecutor
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.options import SourceOptions
from smoothcert.engine.sources.selection import Selection
from smoothcert.engine.statistics.procedures import FixedCertify

PIXELS = random_pixels()
Run = Callable[..., Path]


@pytest.fixture
def run(model: Path, tmp_path: Path) -> Run:
    """Certifies data with a linear network: run(name, data)."""
    opened = open_onnx(model)
    law = LatticeGaussian(0.5)
    tau = law.total_variation(opened.spec.num_pixels)
    job = Job(
        model=opened,
        law=law,
        procedure=FixedCertify(0.5, 20, 400, 0.001, tau),
        seed=0,
        compute=Compute(backend="onnxruntime", batch=64, threads=1),
    )

    def certify(
        name: str, data: Any, executor: Executor | None = None, limit: int = -1, **options: Any
    ) -> Path:
        log = tmp_path / name
        images = open_source(data, opened.spec, opened.num_classes, SourceOptions(**options))
        Certification(job, images, Selection(limit=limit), log, executor=executor).run()
        return log

    return certify


def test_the_log_is_that_of_a_file(run: Run, source: Path) -> None:
    expected = untimed(run("file.tsv", source))
    tensor = torch.from_numpy(PIXELS).permute(0, 3, 1, 2)
    for number, data in enumerate(
        [(PIXELS, LABELS), (tensor, LABELS.tolist()), Pairs(), Pairs("float tensor")]
    ):
        assert untimed(run(f"{number}.tsv", data)) == expected
    unlabelled = untimed(run("unlabelled.tsv", PIXELS))
    assert unlabelled == untimed(run("same.tsv", source, unlabelled=True))


@pytest.mark.parametrize("make", [lambda: (random_pixels(), LABELS.copy()), Pairs])
def test_another_object_of_the_same_content_resumes(run: Run, make: Any) -> None:
    whole = run("whole.tsv", make())
    log = run("part.tsv", make())
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:6]))
    manifest = json.loads(manifest_path(log).read_text())
    manifest_path(log).write_text(json.dumps({**manifest, "status": "running"}))
    assert untimed(run("part.tsv", make())) == untimed(whole)
    assert log.read_bytes().startswith(b"".join(lines[:6]))


def test_other_images_do_not_resume(run: Run) -> None:
    log = run("log.tsv", Pairs())
    content = log.read_bytes()
    other = Pairs()
    other.images[9] ^= 1  # of which the digest knows nothing: the row does
    with pytest.raises(InputError, match="image 9 has pixels of the digest"):
        run("log.tsv", other)
    with pytest.raises(InputError, match=r"source.images 12 .log. against 11"):
        run("log.tsv", Subset(Pairs(), range(11)))
    assert log.read_bytes() == content


def test_an_audit_takes_the_same_object(run: Run, source: Path) -> None:
    for name, data in (("arrays.tsv", (PIXELS, LABELS)), ("dataset.tsv", Pairs())):
        log = run(name, data)
        report = smoothcert.audit(log, data, rows=4, seed=0)
        assert (report.findings, report.rows, report.repeated) == ([], COUNT, 4)
        with pytest.raises(InputError, match="no file: audit it from Python") as caught:
            smoothcert.audit(log, source)
        assert "\n" not in str(caught.value)
    other = Pairs()
    other.images[9] ^= 1
    (finding,) = smoothcert.audit(log, other, rows=1, seed=0).findings
    assert finding.startswith("image 9: pixels")


def test_images_of_pil_are_read_once_for_several_levels() -> None:
    data = Pairs()
    kept = kept_images(open_source(data, None, 4), "cpu")
    assert isinstance(kept, KeptImages)
    kept.image(3)
    data.asked.clear()
    kept.image(3)
    assert not data.asked


def test_what_cannot_be_sent_is_refused_before_anything_is_written(
    run: Run, tmp_path: Path
) -> None:
    stuck = Pairs()
    stuck.open = lambda: None  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="cannot be sent to another process"):
        run("log.tsv", stuck, ProcessExecutor(["cpu", "cpu"]))
    cluster = RayExecutor(ClusterOptions("local", decode="workers"))
    with pytest.raises(InputError, match="expected --decode driver"):
        run("log.tsv", Pairs(), cluster)
    assert not (tmp_path / "log.tsv").exists()


@pytest.mark.slow
def test_several_processes_read_a_data_set(run: Run) -> None:
    assert sorted(untimed(run("two.tsv", Pairs(), ProcessExecutor(["cpu", "cpu"])))) == sorted(
        untimed(run("one.tsv", Pairs()))
    )
    assert np.array_equal(Pairs().images, PIXELS)
