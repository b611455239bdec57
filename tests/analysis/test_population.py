"""Figures of an --only-correct run say whom they are about, wherever they are read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from report_logs import run, write_log

from smoothcert.analysis.log import Log
from smoothcert.analysis.population import correct_of_tried, population
from smoothcert.analysis.report.facts import facts, images_selected
from smoothcert.analysis.report.promise import promise
from smoothcert.cli.analyze import command

PLAIN = {"skip": 1, "max": -1, "shard": 0, "shards": 1}
OUTCOME = {"tried": 5, "correct": 3, "backend": "onnxruntime", "device": "cpu", "precision": "fp32"}
ROWS = [(1, 1, 0.5), (2, 2, 0.75), (0, 0, 0.0)]
SENTENCE = (
    "The figures are about 3 of 5 images: those that the base classifier classifies correctly "
    "without noise (--only-correct). Among all 5 that were tried, an accuracy is at least 3/5 of "
    "the one here: images that are classified wrongly without noise may be certified correctly too."
)


def log_of(folder: Path, **selection: Any) -> Log:
    return write_log(
        folder / "a.tsv", ROWS, manifest=run(selection={**PLAIN, **selection, "chosen": "0-2"})
    )


def test_the_sentence(tmp_path: Path) -> None:
    log = log_of(tmp_path, only_correct=OUTCOME)
    assert population(log) == SENTENCE
    assert SENTENCE in promise(log).remarks
    assert population(log_of(tmp_path / "b", sample=3)) is None


def test_of_a_shard_it_is_about_the_whole(tmp_path: Path) -> None:
    words = population(log_of(tmp_path, only_correct=OUTCOME, shards=2))
    assert words is not None
    assert "3/5 of the one here when its shards are merged:" in words


def test_the_bound_holds_whatever_the_others_are(tmp_path: Path) -> None:
    """Accuracy among all is least where no other image is certified, and then it is reached."""
    log = log_of(tmp_path, only_correct=OUTCOME)
    counts = correct_of_tried(log)
    assert counts is not None
    correct, tried = counts
    for radius in (0.0, 0.5, 0.75, 1.0):
        good = int((log.correct & (log.radius >= radius)).sum())
        here = good / len(log)
        for more in range(tried - correct + 1):
            assert (good + more) / tried >= here * correct / tried - 1e-12
        assert np.isclose(good / tried, here * correct / tried)


@pytest.mark.parametrize(
    "outcome",
    [{"tried": 3, "correct": 5}, {"tried": 0, "correct": 0}],
)
def test_of_other_numbers_nothing_is_said(outcome: dict[str, int], tmp_path: Path) -> None:
    log = log_of(tmp_path, only_correct={**OUTCOME, **outcome})
    assert population(log) is None
    assert promise(log).holds
    assert facts(log).run


def test_analyze_says_it_on_stderr(tmp_path: Path) -> None:
    log = log_of(tmp_path, only_correct=OUTCOME)
    done = CliRunner().invoke(command, [str(log.path), "--radii", "0,0.6"])
    assert done.stderr == f"{log.path}: {SENTENCE}\n"
    assert "1.000" in done.stdout
    assert "0.333" in done.stdout


def test_a_report_says_how_the_images_were_chosen(tmp_path: Path) -> None:
    log = log_of(
        tmp_path,
        indices={"name": "hard.txt", "sha256": "ab"},
        sample=40,
        stratified=True,
        sample_seed=7,
        skip=2,
        only_correct=OUTCOME,
    )
    assert dict(facts(log).run)["images"] == (
        "500 in the source, those in hard.txt, a stratified sample of 40 (sample seed 7), every "
        "2th of them, 3 of 5 that are classified correctly without noise"
    )
    assert images_selected(log) == 3
    named = {"name": "x\n" * 999, "sha256": "ab"}
    forged = log_of(tmp_path / "b", indices=named, only_correct=OUTCOME)
    (words,) = [value for name, value in facts(forged).run if name == "images"]
    assert words.isprintable()


@pytest.mark.parametrize("images", ["0-500", "5-1", "0-9999999999", ""])
def test_a_choice_that_is_none_has_no_number(images: str, tmp_path: Path) -> None:
    log = write_log(tmp_path / "a.tsv", ROWS, manifest=run(selection={**PLAIN, "chosen": images}))
    assert images_selected(log) is None
