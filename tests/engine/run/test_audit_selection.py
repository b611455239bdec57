"""An audit recomputes which images a run was to certify, and finds a log that says otherwise."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bright_images import CORRECT, write_brightness, write_halves
from forged_logs import edit_manifest, lines_of, write_lines

import smoothcert
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.run.audit import AuditReport
from smoothcert.engine.sources.selecting.runs import Runs

RUN: dict[str, Any] = {"sigma": 0.5, "n0": 10, "n": 100, "batch": 32, "backend": "onnxruntime"}
Selection = dict[str, Any]


@pytest.fixture
def network(linear_model: Callable[..., Path]) -> Path:
    return write_brightness(linear_model)


@pytest.fixture
def halves(tmp_path: Path) -> Path:
    return write_halves(tmp_path)


Make = Callable[..., Path]


@pytest.fixture
def make(network: Path, halves: Path, tmp_path: Path) -> Make:
    """A complete log of a subset."""

    def certify(**options: Any) -> Path:
        out = tmp_path / "out.tsv"
        smoothcert.certify(network, halves, out=out, **options, **RUN).run()
        return out

    return certify


def audit(log: Path, **options: Any) -> AuditReport:
    return smoothcert.audit(log, log.parent / "halves.npz", rows=2, **options)


def forge(log: Path, change: Callable[[Selection], object]) -> list[str]:
    """Edit what a log says was selected; what an audit finds then."""
    edit_manifest(log, lambda manifest: change(manifest["run"]["selection"]))
    findings = audit(log).findings
    assert all(finding.isprintable() and len(finding) < 400 for finding in findings)
    return findings


@pytest.mark.parametrize(
    "options",
    [
        {"sample": 9},
        {"sample": 9, "stratified": True, "sample_seed": 4, "skip": 2, "max": 3},
        {"only_correct": True},
        {"only_correct": True, "max": 5},
        {"only_correct": True, "max": 16},
        {"sample": 15, "skip": 2, "only_correct": True, "max": 2},
        {"sample": 15, "only_correct": True, "shard": "1/2", "seed": 1},
    ],
)
def test_honest_logs_pass(options: dict[str, Any], make: Make) -> None:
    log = make(**options)
    for other in (False, True):
        report = audit(log, another_machine=other)
        assert (report.findings, report.remarks) == ([], ())


@pytest.mark.parametrize(
    "options", [{}, {"sample": 4}, {"only_correct": True}, {"sample": 4, "only_correct": True}]
)
def test_a_list_is_checked_with_its_file(
    options: dict[str, Any], make: Make, tmp_path: Path
) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("3-11")
    log = make(indices=listed, **options)
    report = audit(log, indices=listed)
    assert (report.findings, report.remarks) == ([], ())
    report = audit(log)
    assert report.findings == []
    assert report.remarks == (
        "what the file 'list.txt' lists is the manifest's word: --indices checks it",
    )
    other = tmp_path / "other.txt"
    other.write_text("3-10")
    with pytest.raises(InputError, match=r"other\.txt is not the log's: sha256"):
        audit(log, indices=other)


def test_a_list_where_there_was_none_is_refused(make: Make, tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("3-11")
    with pytest.raises(InputError, match="is of a run without --indices: leave it out"):
        audit(make(sample=3), indices=listed)


def without(log: Path, index: int) -> None:
    """Take an image out of a log, as if it had not been chosen: nothing else is amiss then."""
    lines = [line for line in lines_of(log) if line[0] != str(index)]
    write_lines(log, lines)
    chosen = ",".join(line[0] for line in lines[1:])

    def change(manifest: dict[str, Any]) -> None:
        selection = manifest["run"]["selection"]
        selection["chosen"] = Runs.parse(chosen).text()
        if "only_correct" in selection:
            selection["only_correct"]["correct"] -= 1
        manifest["images"] -= 1

    edit_manifest(log, change)


def test_an_image_left_out_of_a_sample_is_found(make: Make) -> None:
    log = make(sample=9)
    without(log, int(lines_of(log)[4][0]))
    findings = audit(log).findings
    assert any("1 selected images have no row" in finding for finding in findings)
    assert any("selection.chosen" in finding for finding in findings)


def test_an_image_left_out_of_the_correct_ones_is_found(make: Make) -> None:
    log = make(only_correct=True)
    without(log, 7)
    assert audit(log).findings == [
        "manifest: selection.chosen is not what clean predictions choose: 1 of 24 images (image 7: "
        "predict 1, label 1, not chosen); within the tolerance for another machine, which "
        "--another-machine allows"
    ]
    assert audit(log, another_machine=True).findings == []
    for index in (8, 10, 11):
        without(log, index)
    (finding,) = audit(log, another_machine=True).findings
    assert finding.endswith("4 of 24 images (image 7: predict 1, label 1, not chosen)")


def test_an_image_that_is_classified_wrongly_is_found(
    make: Make, network: Path, halves: Path, tmp_path: Path
) -> None:
    """A log of all images, called one of the correct ones."""
    log, honest = make(), tmp_path / "honest.tsv"
    smoothcert.certify(network, halves, out=honest, only_correct=True, **RUN).run()
    described = json.loads(Path(f"{honest}.json").read_text())["run"]["selection"]
    described["chosen"] = "0-23"
    described["only_correct"]["correct"] = 24
    (finding,) = forge(log, lambda selection: selection.update(described))
    assert "8 of 24 images (image 0: predict 0, label 1, chosen)" in finding


@pytest.mark.parametrize(
    ("options", "change", "words"),
    [
        ({"sample": 9}, {"sample": 8}, "rows are of images that were not selected"),
        ({"sample": 9}, {"sample_seed": 1}, "images that were not selected"),
        ({"sample": 9}, {"stratified": True}, "manifest: selection.chosen"),
        ({"sample": 9}, {"sample": 25}, "sample 25 is more than the 24 images"),
        ({"sample": 9}, {"skip": 2}, "images that were not selected"),
        ({"sample": 9}, {"max": 3}, "images that were not selected"),
        ({"only_correct": True}, {"max": 3}, "has 16 images where max is 3"),
        ({"only_correct": True}, {"skip": 2}, "images that were not to be tried (image 1)"),
        ({"only_correct": True}, {"sample": 20}, "that were not to be tried"),
        ({"only_correct": True, "max": 5}, {"max": 6}, "tried 8 where 24 images were to be tried"),
        ({"only_correct": True, "max": 5}, {"max": -1}, "tried 8 where 24 images were to be tried"),
        ({}, {"chosen": "0-22"}, "selection.chosen '0-22' where None is recomputed"),
        ({}, {"sample": 24, "stratified": False, "sample_seed": 0},
         "selection.chosen None where '0-23' is recomputed"),
    ],
)  # fmt: skip
def test_a_forged_selection_is_found(
    options: dict[str, Any], change: dict[str, Any], words: str, make: Make
) -> None:
    findings = forge(make(**options), lambda selection: selection.update(change))
    assert any(words in finding for finding in findings), findings


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tried": 23}, "tried 23 where 24 images were to be tried"),
        ({"tried": 25}, "tried 25 of 24 images"),
        ({"tried": 2**32}, f"tried {2**32} of 24 images"),
        ({"tried": 2**62}, r"has run.selection.only_correct.tried 46116"),
        ({"tried": 0}, "have 16|has 16 images that were not to be tried"),
        ({"correct": 15}, "only_correct.correct 15 where 16 is recomputed"),
        ({"precision": "fp16"}, "fp16"),
        ({"backend": "cnn"}, "backend 'cnn' is unknown"),
        ({"device": "tpu"}, "device 'tpu' is unknown"),
        ({"more": 1}, "only_correct.more 1 where None"),
    ],
)
def test_forged_numbers_of_a_choice_are_found(
    change: dict[str, Any], words: str, make: Make
) -> None:
    log = make(only_correct=True)
    try:
        findings = forge(log, lambda selection: selection["only_correct"].update(change))
    except InputError as error:
        findings = [str(error)]
    assert any(word in finding for word in words.split("|") for finding in findings), findings


def test_max_ends_the_choice(make: Make) -> None:
    log = make(only_correct=True, max=5)
    findings = forge(log, lambda selection: selection["only_correct"].update(tried=9))
    assert "manifest: selection.only_correct.tried goes on after the last image of max" in findings


def test_another_spelling_of_the_same_images_is_found(make: Make) -> None:
    def spelled(selection: Selection) -> None:
        selection["chosen"] = ",".join(map(str, CORRECT))

    (finding,) = forge(make(only_correct=True), spelled)
    assert finding.startswith("manifest: selection.chosen '1,2,4,5")


@pytest.mark.parametrize(
    "change",
    [
        {"chosen": ["0"]},
        {"chosen": ""},
        {"chosen": "3-1"},
        {"chosen": "0-99999999999"},
        {"chosen": "0-9999999999"},
        {"chosen": "24"},
        {"sample": -1},
        {"sample": 2**80},
        {"sample": "9"},
        {"sample": 0},
        {"sample": 1.5},
        {"stratified": 1},
        {"sample_seed": -1},
        {"sample_seed": 2**64},
        {"indices": "list.txt"},
        {"indices": {"name": "list.txt"}},
        {"indices": {"name": 1, "sha256": ""}},
        {"only_correct": True},
        {"only_correct": {"tried": 3}},
        {"only_correct": {"tried": -1, "correct": 1, "backend": "", "device": "",
                          "precision": ""}},
        {"only_correct": {"tried": 3, "correct": 1, "backend": None, "device": "cpu",
                          "precision": "fp32"}},
    ],
)  # fmt: skip
def test_a_selection_of_other_types_is_refused(change: dict[str, Any], make: Make) -> None:
    log = make(sample=9)
    edit_manifest(log, lambda manifest: manifest["run"]["selection"].update(change))
    with pytest.raises(InputError) as caught:
        audit(log)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_an_image_that_can_no_longer_be_read_is_found(
    linear_model: Callable[..., Path], photograph_folder: Path, tmp_path: Path
) -> None:
    model = linear_model(np.zeros((2, 3 * 80 * 96)), np.array([1.0, 0.0]), (3, 80, 96))
    out = tmp_path / "out.tsv"
    smoothcert.certify(model, photograph_folder, out=out, only_correct=True, **RUN).run()
    assert not smoothcert.audit(out, photograph_folder, rows=1).findings
    torn = photograph_folder / "red" / "2.jpg"  # classified wrongly: it has no row
    torn.write_bytes(b"0" * torn.stat().st_size)
    (finding,) = smoothcert.audit(out, photograph_folder, rows=1).findings
    assert finding.startswith("image 8: was tried, and cannot be read")
