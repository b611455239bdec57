"""Real runs of subsets: what is chosen, that it is recorded, and that a resumed or split run has
the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bright_images import CORRECT, write_brightness, write_halves
from untimed_logs import untimed

import smoothcert
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import read_manifest, write_manifest
from smoothcert.engine.log.merge import merge_shards
from smoothcert.engine.run.certification import Watchers
from smoothcert.engine.sources.selecting.runs import Runs
from smoothcert.engine.sources.selecting.sampling import drawn, drawn_by_class

RUN: dict[str, Any] = {"sigma": 0.5, "n0": 10, "n": 100, "batch": 32, "backend": "onnxruntime"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An .npz of 24 random images of all four classes."""
    path = tmp_path / "images.npz"
    images = np.random.default_rng(1).integers(0, 256, (24, 6, 6, 3)).astype(np.uint8)
    np.savez(path, images=images, labels=np.arange(24) % 4)
    return path


@pytest.fixture
def brightness(linear_model: Callable[..., Path]) -> Path:
    return write_brightness(linear_model)


@pytest.fixture
def halves(tmp_path: Path) -> Path:
    return write_halves(tmp_path)


class Told(Watchers):
    """Keeps the names of events, and what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.said: list[str] = []

    def event(self, name: str, details: dict[str, Any]) -> None:
        self.names.append(name)
        if name == "inferred":
            self.said.append(f"{details['of']}: {details['what']}")


def certified(log: Path) -> list[int]:
    return [int(row[0]) for row in untimed(log)[1:]]


def selection(log: Path) -> dict[str, Any]:
    found: dict[str, Any] = read_manifest(log)["run"]["selection"]
    return found


def test_plain_runs_are_recorded_as_ever(model: Path, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    smoothcert.certify(model, source, out=out, skip=5, max=3, **RUN).run()
    assert certified(out) == [0, 5, 10]
    assert selection(out) == {"skip": 5, "max": 3, "shard": 0, "shards": 1}


def test_a_list_a_sample_skip_and_max_in_this_order(
    model: Path, source: Path, tmp_path: Path
) -> None:
    out, listed = tmp_path / "out.tsv", tmp_path / "list.txt"
    listed.write_text("4-23\n0 # and the first\n")
    whole = tmp_path / "whole.tsv"
    smoothcert.certify(model, source, out=whole, seed=3, **RUN).run()
    options: dict[str, Any] = {"indices": listed, "sample": 12, "sample_seed": 5, "skip": 2}
    smoothcert.certify(model, source, out=out, seed=3, max=4, **options, **RUN).run()
    expected = sorted(drawn([0, *range(4, 24)], 12, 5)[::2][:4])
    assert certified(out) == expected
    rows = untimed(whole)
    assert untimed(out) == [rows[0], *(rows[index + 1] for index in expected)]
    assert selection(out)["chosen"] == Runs.of(expected).text()
    assert selection(out)["indices"]["name"] == "list.txt"
    assert (selection(out)["sample"], selection(out)["sample_seed"]) == (12, 5)


def test_the_sample_does_not_depend_on_the_noise(model: Path, source: Path, tmp_path: Path) -> None:
    logs = []
    for seed in (1, 2):
        logs.append(tmp_path / f"{seed}.tsv")
        smoothcert.predict(
            model, source, out=logs[-1], sigma=0.5, n=50, seed=seed, sample=8, stratified=True
        ).run()
    labels = {index: index % 4 for index in range(24)}
    assert certified(logs[0]) == certified(logs[1]) == sorted(drawn_by_class(labels, 8, 0))
    assert untimed(logs[0]) != untimed(logs[1])


def test_only_what_is_classified_correctly(brightness: Path, halves: Path, tmp_path: Path) -> None:
    out, told = tmp_path / "out.tsv", Told()
    smoothcert.certify(brightness, halves, out=out, only_correct=True, watcher=told, **RUN).run()
    assert certified(out) == CORRECT
    assert all(row[4] == "1" for row in untimed(out)[1:])  # far from the boundary
    found = selection(out)
    assert found["chosen"] == "1-2,4-5,7-8,10-11,13-14,16-17,19-20,22-23"
    assert found["only_correct"] == {
        "tried": 24, "correct": 16, "backend": "onnxruntime", "device": "cpu", "precision": "fp32",
    }  # fmt: skip
    assert told.said[0] == (
        "halves.npz: 16 of 24 images are classified correctly without noise, and these are "
        "certified (--only-correct)"
    )
    assert "selecting" in told.names


@pytest.mark.parametrize(
    ("options", "tried", "expected"),
    [
        ({"max": 5}, 8, [1, 2, 4, 5, 7]),
        ({"max": 16}, 24, CORRECT),
        ({"max": 99}, 24, CORRECT),
        ({"skip": 2}, 12, [index for index in CORRECT if index % 2 == 0]),
        ({"skip": 2, "max": 2}, 3, [2, 4]),
        ({"sample": 9}, 9, [i for i in sorted(drawn(range(24), 9, 0)) if i % 3]),
        ({"sample": 24, "max": 3}, 4, [4, 11, 22]),  # 4, 21, 22, 11 are drawn first
    ],
)
def test_max_counts_what_is_certified(
    options: dict[str, Any],
    tried: int,
    expected: list[int],
    brightness: Path,
    halves: Path,
    tmp_path: Path,
) -> None:
    """Whatever the batch: the images after the last one that is needed are not tried."""
    for batch in (1, 7):
        out = tmp_path / f"{batch}.tsv"
        run = {**RUN, "batch": batch, **options}
        smoothcert.certify(brightness, halves, out=out, only_correct=True, **run).run()
        assert certified(out) == expected
        outcome = selection(out)["only_correct"]
        assert (outcome["tried"], outcome["correct"]) == (tried, len(expected))


def test_shards_merge_to_the_whole(brightness: Path, halves: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"seed": 4, "sample": 20, "only_correct": True, "max": 11, **RUN}
    whole, merged = tmp_path / "whole.tsv", tmp_path / "merged.tsv"
    smoothcert.certify(brightness, halves, out=whole, family_wise=11, **options).run()
    shards = [tmp_path / f"{i}.tsv" for i in range(3)]
    for i, shard in enumerate(shards):
        smoothcert.certify(
            brightness, halves, out=shard, family_wise=11, shard=f"{i}/3", **options
        ).run()
    assert sorted(len(certified(shard)) for shard in shards) == [3, 4, 4]
    assert merge_shards(merged, shards).rows == 11
    assert untimed(merged) == untimed(whole)
    assert read_manifest(merged)["run"] == read_manifest(whole)["run"]
    assert not smoothcert.audit(merged, halves).findings


def test_shards_that_chose_otherwise_do_not_merge(
    brightness: Path, halves: Path, tmp_path: Path
) -> None:
    shards = [tmp_path / f"{i}.tsv" for i in range(2)]
    for i, shard in enumerate(shards):
        smoothcert.certify(
            brightness, halves, out=shard, seed=4, sample=18 + i, shard=f"{i}/2", **RUN
        ).run()
    with pytest.raises(InputError, match=r"selection\.sample 18 \(first\) against 19 \(this\)"):
        merge_shards(tmp_path / "merged.tsv", shards)


def test_family_wise_counts_the_chosen(brightness: Path, halves: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    with pytest.raises(InputError, match="family-wise 15 is too few for the 16 images selected"):
        smoothcert.certify(
            brightness, halves, out=out, only_correct=True, family_wise=15, **RUN
        ).run()
    assert not out.exists()


@pytest.mark.parametrize(
    "options", [{"sample": 9}, {"only_correct": True}, {"sample": 15, "only_correct": True}]
)
def test_a_cut_off_log_goes_on_to_the_same_bytes(
    options: dict[str, Any], brightness: Path, halves: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.tsv"
    smoothcert.certify(brightness, halves, out=out, **options, **RUN).run()
    whole, manifest = untimed(out), read_manifest(out)["run"]
    out.write_bytes(b"".join(out.read_bytes().splitlines(keepends=True)[:4])[:-3])
    told = Told()
    smoothcert.certify(brightness, halves, out=out, **options, watcher=told, **RUN).run()
    assert untimed(out) == whole
    assert read_manifest(out)["run"] == manifest
    assert "selecting" not in told.names  # the log knows


def test_a_resumed_run_keeps_what_the_log_chose(
    brightness: Path, halves: Path, tmp_path: Path
) -> None:
    """Another machine's rounding must not change the images of a log that was begun."""
    out = tmp_path / "out.tsv"
    smoothcert.certify(brightness, halves, out=out, only_correct=True, max=4, **RUN).run()
    out.write_bytes(b"".join(out.read_bytes().splitlines(keepends=True)[:2]))
    manifest = read_manifest(out)
    manifest["run"]["selection"]["chosen"] = "1,3,5-6"
    write_manifest(out, manifest)
    smoothcert.certify(brightness, halves, out=out, only_correct=True, max=4, **RUN).run()
    assert certified(out) == [1, 3, 5, 6]


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ({}, {"sample": 3}, r"selection\.sample None \(log\) against 3 \(asked\)"),
        ({"sample": 3}, {}, r"selection\.sample 3 \(log\) against None \(asked\)"),
        ({"sample": 3}, {"sample": 3, "sample_seed": 1}, r"selection\.sample_seed 0 \(log\)"),
        ({"sample": 8}, {"sample": 8, "stratified": True}, r"stratified False \(log\)"),
        ({"max": 3}, {"max": 3, "only_correct": True}, r"selection has no only_correct \(log\)"),
        ({"only_correct": True}, {}, r"selection\.only_correct .* \(log\) against None"),
        ({"only_correct": True}, {"only_correct": True, "max": 2}, r"selection\.max -1 \(log\)"),
        ({"only_correct": True}, {"only_correct": True, "sample": 2}, r"selection\.sample None"),
    ],
)
def test_a_log_of_another_subset_is_kept(
    first: dict[str, Any], second: dict[str, Any], words: str, brightness: Path, halves: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    out, told = tmp_path / "out.tsv", Told()
    smoothcert.certify(brightness, halves, out=out, **first, **RUN).run()
    before = out.read_bytes()
    with pytest.raises(InputError, match=f"was made by a different command: .*{words}") as caught:
        smoothcert.certify(brightness, halves, out=out, **second, watcher=told, **RUN).run()
    assert "\n" not in str(caught.value)
    assert out.read_bytes() == before
    assert "selecting" not in told.names


def test_another_list_of_the_same_name_is_seen(model: Path, source: Path, tmp_path: Path) -> None:
    out, listed = tmp_path / "out.tsv", tmp_path / "list.txt"
    listed.write_text("3 4")
    smoothcert.certify(model, source, out=out, indices=listed, **RUN).run()
    listed.write_text("3 5")
    with pytest.raises(InputError, match=r"selection\.chosen 3-4 \(log\) against 3,5 \(asked\)"):
        smoothcert.certify(model, source, out=out, indices=listed, **RUN).run()


def test_no_correct_image_writes_nothing(brightness: Path, halves: Path, tmp_path: Path) -> None:
    out, listed = tmp_path / "out.tsv", tmp_path / "list.txt"
    listed.write_text("0 3 6")
    with pytest.raises(InputError, match=r"of 3 images .* classifies none"):
        smoothcert.certify(
            brightness, halves, out=out, indices=listed, only_correct=True, **RUN
        ).run()
    assert not out.exists()


def test_images_that_cannot_be_read_are_named_and_nothing_is_written(
    linear_model: Callable[..., Path], photograph_folder: Path, tmp_path: Path
) -> None:
    model = linear_model(np.zeros((2, 3 * 80 * 96)), np.array([1.0, 0.0]), (3, 80, 96))
    for number in (1, 4):
        (photograph_folder / "blue" / f"{number}.jpg").write_bytes(b"torn")
    out = tmp_path / "out.tsv"
    with pytest.raises(InputError, match=r"2 of the images .* the first being image 1: ") as caught:
        smoothcert.certify(model, photograph_folder, out=out, only_correct=True, **RUN).run()
    assert "\n" not in str(caught.value)
    assert not out.exists()
    with pytest.raises(InputError, match=r"1 of the images .* image 1: "):
        smoothcert.certify(model, photograph_folder, out=out, only_correct=True, max=2, **RUN).run()
    smoothcert.certify(model, photograph_folder, out=out, only_correct=True, max=1, **RUN).run()
    assert certified(out) == [0]
