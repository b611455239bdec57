"""Logs that are there are held against a command before any network runs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from linear_runs import certify_table, linear_images, linear_network

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import manifest_path
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.run.beginning import check_begun
from smoothcert.engine.run.execution import Job
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.selection import Selection
from smoothcert.engine.statistics.procedures import FixedCertify
from smoothcert.export.opening import open_model


def test_the_same_run_passes_and_another_is_named(
    linear_model: Callable[..., Path], tmp_path: Path
) -> None:
    model, source = linear_network(linear_model), linear_images(tmp_path, 3)
    log = tmp_path / "log.tsv"
    certify_table(model, source, log, radii=None, n=100)
    opened, law = open_model(model), LatticeGaussian(0.5)
    images = open_source(str(source), opened.spec, opened.num_classes)
    tau = law.total_variation(opened.spec.num_pixels)

    def check(n: int, at: Path = log) -> None:
        job = Job(
            model=opened, law=law, procedure=FixedCertify(0.5, n=n, total_variation=tau), seed=3
        )
        check_begun(job, images, Selection(), at, None)

    check(100)
    check(200, tmp_path / "new.tsv")
    before = log.read_bytes(), manifest_path(log).read_bytes()
    with pytest.raises(InputError, match="against 200"):
        check(200)
    assert (log.read_bytes(), manifest_path(log).read_bytes()) == before
    # What only an opened backend knows is as logged.
    manifest = json.loads(manifest_path(log).read_text())
    manifest["run"]["backend"] = "another"
    manifest_path(log).write_text(json.dumps(manifest))
    check(100)
