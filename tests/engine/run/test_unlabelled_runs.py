"""Runs of sources without labels: nothing is correct, and what needs a label is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forged_logs import edit, edit_manifest
from untimed_logs import untimed

import smoothcert
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.merge import merge_shards

RUN: dict[str, Any] = {
    "sigma": 0.5, "n0": 10, "n": 100, "batch": 32, "seed": 3, "backend": "onnxruntime",
    "unlabelled": True,
}  # fmt: skip


@pytest.fixture
def images(source: Path, tmp_path: Path) -> Path:
    """The images of `source`, and no labels."""
    path = tmp_path / "bare.npz"
    np.savez(path, images=np.load(source)["images"])
    return path


@pytest.fixture
def log(model: Path, images: Path, tmp_path: Path) -> Path:
    out = tmp_path / "out.tsv"
    smoothcert.certify(model, images, out=out, **RUN).run()
    return out


def test_rows_are_those_of_the_labelled_twin_but_for_the_label(
    log: Path, model: Path, source: Path, tmp_path: Path
) -> None:
    twin = tmp_path / "twin.tsv"
    smoothcert.certify(model, source, out=twin, **{**RUN, "unlabelled": False}).run()
    rows = untimed(log)
    assert [row[:1] + row[2:4] for row in rows] == [row[:1] + row[2:4] for row in untimed(twin)]
    assert {row[1] for row in rows[1:]} == {"-1"}
    assert {row[4] for row in rows[1:]} == {"0"}
    assert "-1" in {row[2] for row in rows[1:]}  # an abstention is not correct either


def test_it_is_resumed_and_audited(log: Path, model: Path, images: Path) -> None:
    whole = untimed(log)
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:5]))
    smoothcert.certify(model, images, out=log, **RUN).run()
    assert untimed(log) == whole
    assert smoothcert.audit(log, images, unlabelled=True).findings == []
    assert smoothcert.audit(log, images).findings == []  # the manifest says so
    edit(log, 3, "label", lambda _: "2")
    (finding,) = smoothcert.audit(log, images, unlabelled=True).findings
    assert finding.endswith("label 2 where the source says -1")
    edit(log, 3, "label", lambda _: "-1")
    edit(log, 3, "correct", lambda _: "1")
    findings = smoothcert.audit(log, images, unlabelled=True).findings
    assert any("correct 1 where" in finding for finding in findings)


def test_its_shards_merge(log: Path, model: Path, images: Path, tmp_path: Path) -> None:
    shards = [tmp_path / f"{i}.tsv" for i in range(2)]
    for i, shard in enumerate(shards):
        smoothcert.certify(model, images, out=shard, shard=f"{i}/2", **RUN).run()
    assert merge_shards(tmp_path / "merged.tsv", shards).rows == 12
    assert untimed(tmp_path / "merged.tsv") == untimed(log)


def test_a_labelled_run_does_not_take_its_rows(log: Path, model: Path, source: Path) -> None:
    """Not even where the manifest is edited to be that of another source."""

    def labelled(manifest: dict[str, Any]) -> None:
        del manifest["run"]["source"]["read_as"]

    edit_manifest(log, labelled)
    with pytest.raises(InputError, match=r"line 2 .* label -1, of a labelled source"):
        merge_shards(log.with_name("merged.tsv"), [log])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"label_aware": True, "radii": (0.0, 0.5), "n0": None}, "label-aware needs labels"),
        ({"label_aware": True, "tolerance": 0.1}, "label-aware needs labels"),
        ({"sample": 5, "stratified": True}, "stratified needs labels"),
        ({"only_correct": True}, "only-correct needs labels"),
    ],
)
def test_what_needs_labels_is_refused(
    options: dict[str, Any], words: str, model: Path, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.tsv"
    with pytest.raises(InputError, match=f"{words}, and the source is unlabelled: leave --"):
        smoothcert.certify(model, images, out=out, **{**RUN, **options}).run()
    assert not out.exists()


def test_subsets_that_need_none_are_taken(model: Path, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    smoothcert.predict(model, images, out=out, sigma=0.5, n=50, sample=5, unlabelled=True).run()
    assert len(untimed(out)) == 6
