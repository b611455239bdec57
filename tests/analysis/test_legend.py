"""What logs are called on a plot."""

import json
from pathlib import Path
from typing import Any

from smoothcert.analysis.legend import legend_labels
from smoothcert.analysis.log import Log, read_log

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"


def write(folder: Path, name: str, run: Any = None, status: str = "complete", rows: int = 2) -> Log:
    path = folder / name
    path.write_text(HEADER + "".join(f"{i}\t1\t1\t0.5\t1\t1\n" for i in range(rows)))
    if run is not None:
        manifest = {"run": run, "status": status}
        path.with_name(f"{name}.json").write_text(json.dumps(manifest))
    return read_log(path)


def run(
    sigma: float = 0.25, arch: str | None = "resnet50", sha: str = "a", precision: str = "fp32"
) -> dict[str, Any]:
    model = {"name": f"{sha}.onnx", "sha256": sha, "arch": arch, "precision": precision}
    return {"sigma": sigma, "model": model}


def test_one_log_tells_its_model_and_sigma(tmp_path: Path) -> None:
    assert legend_labels([write(tmp_path, "a.tsv", run())]) == ["resnet50, σ = 0.25"]
    assert legend_labels([write(tmp_path, "b.tsv", run(arch=None))]) == ["a.onnx, σ = 0.25"]
    assert legend_labels([write(tmp_path, "sigma_0.50")]) == ["sigma_0.50"]


def test_several_logs_tell_what_differs(tmp_path: Path) -> None:
    base = write(tmp_path, "a.tsv", run())
    noisier = write(tmp_path, "b.tsv", run(0.5))
    faster = write(tmp_path, "c.tsv", run(precision="int8"))
    other = write(tmp_path, "d.tsv", run(arch="resnet18", sha="b"))
    both = write(tmp_path, "e.tsv", run(0.5, "resnet18", "b", "int8"))
    assert legend_labels([base, noisier]) == ["σ = 0.25", "σ = 0.5"]
    assert legend_labels([base, faster]) == ["fp32", "int8"]
    assert legend_labels([base, other]) == ["resnet50", "resnet18"]
    assert legend_labels([base, both]) == ["resnet50, σ = 0.25, fp32", "resnet18, σ = 0.5, int8"]


def test_two_models_of_one_architecture_go_by_their_files(tmp_path: Path) -> None:
    first, second = (write(tmp_path, f"{sha}.tsv", run(sha=sha)) for sha in "ab")
    assert legend_labels([first, second]) == ["a.onnx", "b.onnx"]


def test_runs_that_differ_in_nothing_said_go_by_their_files(tmp_path: Path) -> None:
    first, second = (write(tmp_path, f"{name}.tsv", run()) for name in ("first", "second"))
    assert legend_labels([first, second]) == ["first", "second"]
    third = write(tmp_path, "third.tsv", run(0.5))
    labels = ["σ = 0.25 (first)", "σ = 0.25 (second)", "σ = 0.5"]
    assert legend_labels([first, second, third]) == labels


def test_a_log_of_ours_beside_one_of_the_original_tells_all(tmp_path: Path) -> None:
    logs = [write(tmp_path, "a.tsv", run()), write(tmp_path, "sigma_0.25")]
    assert legend_labels(logs) == ["resnet50, σ = 0.25", "sigma_0.25"]


def test_remarks(tmp_path: Path) -> None:
    table = {**run(), "procedure": "table", "radii": [0, 0.5]}
    assert legend_labels([write(tmp_path, "a.tsv", table)]) == ["resnet50, σ = 0.25 [table mode]"]
    assert legend_labels([write(tmp_path, "b.tsv", table, "running")]) == [
        "resnet50, σ = 0.25 [table mode, running, 2 images so far]"
    ]
    few, many = write(tmp_path, "few.tsv"), write(tmp_path, "many.tsv", rows=3)
    assert legend_labels([few, many]) == ["few [2 images]", "many [3 images]"]


def test_odd_manifests_and_names(tmp_path: Path) -> None:
    for i, odd in enumerate(({"model": {}}, {"model": {"arch": 3}}, {"model": {"name": ""}})):
        assert legend_labels([write(tmp_path, f"odd{i}.tsv", odd)]) == [f"odd{i}"]
    assert legend_labels([write(tmp_path, "a\tb\n.tsv")]) == ["a?b?"]
