"""Merging refuses everything that is not exactly the shards of one run."""

import json
import resource
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from smoothcert.engine.base import files
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log import merge
from smoothcert.engine.log.ledger import Ledger
from smoothcert.engine.log.manifest import manifest_path, read_manifest
from smoothcert.engine.log.merge import merge_shards
from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.statistics.procedures import Decision, FixedCertify

DECIDED = Decision(1, FixedCertify(0.25, 10, 100).radius_of(90, 100), 90, 100, 10, 110)


def shard(tmp_path: Path, i: int, k: int, **changes: Any) -> Path:
    """The complete log of shard i of k over 7 images."""
    path = tmp_path / f"{i}of{k}.tsv"
    run = {
        **FixedCertify(0.25, 10, 100).describe(),
        "sigma": 0.25,
        "total_variation": 0.0,
        "model": {"name": "m.onnx", "classes": 4},
        "source": {"images": 7},
        "selection": {"skip": 1, "max": -1, "shard": i, "shards": k},
        **changes,
    }
    with Ledger(path, run, {"shard": i}) as ledger:
        for index in range(i, 7, k):
            ledger.append(Certificate(index, 1, DECIDED, 1.0, f"{index:016x}"))
        ledger.finish({"images": len(range(i, 7, k))})
    return path


def test_merge(tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    assert merge_shards(out, [shard(tmp_path, i, 3) for i in (2, 0, 1)]).rows == 7
    indices = [line.split("\t")[0] for line in out.read_text().splitlines()]
    assert indices == ["idx", *map(str, range(7))]
    digests = [line.split("\t")[-1] for line in out.read_text().splitlines()]
    assert digests == ["pixels", *(f"{index:016x}" for index in range(7))]
    manifest = read_manifest(out)
    assert manifest["run"]["selection"] == {"skip": 1, "max": -1, "shard": 0, "shards": 1}
    assert len(manifest["sessions"]) == 3
    assert manifest["images"] == 7


def test_what_a_merge_wrote_may_be_there_already(tmp_path: Path) -> None:
    out, parts = tmp_path / "out.tsv", [shard(tmp_path, i, 2) for i in range(2)]
    assert not merge_shards(out, parts).was_there
    assert merge_shards(out, parts).was_there
    whole = out.read_bytes()
    out.unlink()  # killed between the two files
    assert not merge_shards(out, parts).was_there
    assert out.read_bytes() == whole
    for other in (whole[:-1], whole + b"\n", b""):
        out.write_bytes(other)
        with pytest.raises(InputError, match="holds something else than this merge would write"):
            merge_shards(out, parts)
        assert out.read_bytes() == other


def test_shards_may_be_more_than_the_files_that_may_be_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "_OPEN", 1)
    parts = [shard(tmp_path, i, 7) for i in range(7)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = {int(each.name) for each in Path("/proc/self/fd").iterdir()}
    free = (number for number in range(soft) if number not in used)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (next(islice(free, 5, None)), hard))
        assert merge_shards(tmp_path / "out.tsv", parts).rows == 7
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("change", ["a row less", "another row"])
def test_a_shard_that_changes_meanwhile_is_refused(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its rows were checked, and before they are written."""
    parts = [shard(tmp_path, i, 2) for i in range(2)]
    lines = parts[1].read_bytes().splitlines(keepends=True)
    lines[-1] = b"" if change == "a row less" else lines[-1].replace(b"0005\n", b"0006\n")

    def replacing(path: Path, **options: Any) -> AbstractContextManager[BinaryIO]:
        parts[1].write_bytes(b"".join(lines))
        return files.replacing(path, **options)

    monkeypatch.setattr(merge, "replacing", replacing)
    with pytest.raises(InputError, match=r"1of2\.tsv has changed since it was checked"):
        merge_shards(tmp_path / "out.tsv", parts)
    assert not list(tmp_path.glob("*out.tsv*"))


def test_what_is_known_of_the_model_is_merged(tmp_path: Path) -> None:
    parts = [shard(tmp_path, i, 2, model={"name": "m.onnx", "classes": 4}) for i in range(2)]
    for part, verdict in zip(parts, ("proven", "probed"), strict=True):
        manifest = read_manifest(part)
        manifest["sessions"][0]["backend"] = {"row_independence": {"verdict": verdict}}
        manifest_path(part).write_text(json.dumps(manifest))
    out = tmp_path / "out.tsv"
    merge_shards(out, parts)
    assert read_manifest(out)["row_independence"] == {"m.onnx": "probed"}


def test_existing_output_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    out.write_text("precious")
    with pytest.raises(InputError, match="exists already"):
        merge_shards(out, [shard(tmp_path, 0, 1)])
    assert out.read_text() == "precious"


def refused(tmp_path: Path, shards: list[Path], words: str) -> None:
    out = tmp_path / "out.tsv"
    with pytest.raises(InputError, match=words) as caught:
        merge_shards(out, shards)
    assert "\n" not in str(caught.value)
    assert not out.exists()
    assert not manifest_path(out).exists()


def test_missing_and_double_shards(tmp_path: Path) -> None:
    parts = [shard(tmp_path, i, 3) for i in range(3)]
    refused(tmp_path, parts[:2], "shards 2 of 3 are missing")
    copy = tmp_path / "copy.tsv"
    copy.write_bytes(parts[0].read_bytes())
    manifest_path(copy).write_bytes(manifest_path(parts[0]).read_bytes())
    refused(tmp_path, [*parts, copy], "both shard 0")
    refused(tmp_path, [], "no shard")


def test_other_runs(tmp_path: Path) -> None:
    refused(
        tmp_path,
        [shard(tmp_path, 0, 2), shard(tmp_path, 1, 2, sigma=0.5)],
        r"sigma 0\.25 \(first\) against 0\.5 \(this\)",
    )


def test_incomplete_runs(tmp_path: Path) -> None:
    parts = [shard(tmp_path, i, 2) for i in range(2)]
    manifest = json.loads(manifest_path(parts[1]).read_text())
    manifest_path(parts[1]).write_text(json.dumps({**manifest, "status": "running"}))
    refused(tmp_path, parts, "not complete")


def test_lost_extra_and_double_rows(tmp_path: Path) -> None:
    parts = [shard(tmp_path, i, 2) for i in range(2)]
    whole = parts[1].read_text()
    lines = whole.splitlines(keepends=True)
    parts[1].write_text("".join(lines[:-1]))
    refused(tmp_path, parts, "lacks image 5")
    parts[1].write_text(whole + lines[1].replace("1\t", "6\t", 1))
    refused(tmp_path, parts, "line 5 .* is of image 6, which is not one of those selected")
    parts[1].write_text(whole + lines[-1])
    refused(tmp_path, parts, "line 5 repeats image 5")
    parts[1].write_text(whole + lines[1])
    refused(tmp_path, parts, "line 5 comes after image 5, and is of image 1")


def test_labels_that_the_source_has_not(tmp_path: Path) -> None:
    parts = [shard(tmp_path, i, 2) for i in range(2)]
    text = parts[1].read_text()
    parts[1].write_text(text.replace("3\t1\t1\t", "3\t-1\t1\t", 1))
    refused(tmp_path, parts, "line 3 .* has label -1, of a labelled source")


def chosen(i: int, images: str = "1,3-5,6") -> dict[str, object]:
    return {"skip": 1, "max": -1, "shard": i, "shards": 2, "sample": 4, "chosen": images}


def test_chosen_images_are_those_of_the_whole_selection(tmp_path: Path) -> None:
    """Of 1 3 4 5 6, the first shard has 1 4 6."""
    parts = [shard(tmp_path, i, 2, selection=chosen(i)) for i in range(2)]
    refused(tmp_path, parts, "line 2 .* image 0, which is not one of those selected")
    for part, rows in zip(parts, ((1, 4, 6), (3, 5)), strict=True):
        lines = part.read_text().splitlines(keepends=True)
        row = lines[1].partition("\t")[2]
        part.write_text(lines[0] + "".join(f"{index}\t{row}" for index in rows))
    out = tmp_path / "out.tsv"
    assert merge_shards(out, parts).rows == 5
    assert read_manifest(out)["run"]["selection"] == {**chosen(0), "shards": 1}
    assert [line[0] for line in out.read_text().splitlines()[1:]] == ["1", "3", "4", "5", "6"]


def test_a_choice_that_is_none(tmp_path: Path) -> None:
    for images, words in (
        ("3-1", "no run of indices"),
        ("1-9", "image 9 is chosen, of a source of 7 images"),
        ("0-9999999999", "image 9999999999 is chosen"),
    ):
        part = shard(tmp_path, 0, 1, selection={**chosen(0, images), "shards": 1})
        refused(tmp_path, [part], words)
        part.unlink()
        manifest_path(part).unlink()


def test_shards_that_chose_other_images(tmp_path: Path) -> None:
    many = ",".join(str(2 * index) for index in range(200))
    parts = [
        shard(tmp_path, 0, 2, selection=chosen(0, many)),
        shard(tmp_path, 1, 2, selection=chosen(1, many.replace(",100,", ",101,"))),
    ]
    refused(
        tmp_path,
        parts,
        r"selection\.chosen \.\.\.[0-9,]{20}0,102.* \(first\) against \.\.\.[0-9,]{20}1,102",
    )


def test_a_manifest_of_endless_images_ends_at_once(tmp_path: Path) -> None:
    part = shard(tmp_path, 0, 1, source={"images": 10**9})
    refused(tmp_path, [part], f"lacks image 7 \\({10**9 - 7} in all\\)")


def test_missing_files(tmp_path: Path) -> None:
    refused(tmp_path, [tmp_path / "absent.tsv"], "does not exist")
    part = shard(tmp_path, 0, 1)
    part.unlink()
    refused(tmp_path, [part], "does not exist")
    part.mkdir()
    refused(tmp_path, [part], r"shard .* \(it is a folder\): expected a log, not a folder")
