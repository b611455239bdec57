"""The README's table says what the measurements say."""

import json
from pathlib import Path

import pytest
from readme_table import main, table

ROOT = Path(__file__).parents[2]
MEASURED = ROOT / "benchmarks" / "results" / "throughput.json"


def test_every_entry_is_a_line_and_gaps_are_dashes() -> None:
    machine = {"processor": "Some CPU", "packages": {"openvino": "1.2", "numpy": "3"}}
    entry = {
        "arch": "resnet50", "input_shape": [3, 224, 224], "backend": "openvino",
        "precision": "bf16", "batch": 16, "reference_batch": 1000,
        "threads": 2, "samples_per_second": 51.44,
        "speedup_over_reference": 7.04, "speedup_over_reference_same_batch": None,
        "fraction_of_runtime": 0.9871, "share_of_limit": 0.5, "machine": machine,
    }  # fmt: skip
    lines = table([entry, {**entry, "samples_per_second": 12345.6}]).splitlines()
    assert (
        lines[2] == "| resnet50 3x224x224 | openvino bf16 | 16 | 51.44 | 7.0 | - | 0.987 | 0.50 |"
    )
    assert "| 12,346 |" in lines[3]
    assert "original loop, batch 1000 |" in lines[0]
    assert len({text.count("|") for text in lines[:4]}) == 1
    how = "medians of interleaved rounds, ratios round by round"
    assert lines[-1] == f"2 cores of Some CPU, openvino 1.2; {how}."


def test_records_from_before_the_compiled_loop_are_told_apart() -> None:
    entry = {
        "arch": "x", "input_shape": [3, 4, 4], "backend": "openvino", "precision": "int8",
        "batch": 16, "reference_batch": 1000, "threads": 2, "samples_per_second": 5.0,
        "machine": {"processor": "p", "packages": {}}, "share_of_limit": 0.5,
    }  # fmt: skip
    newer = {
        **entry, "speedup_over_compiled": 2.516, "compiled_precision": "bf16",
        "compiled_batch": 32, "limit_shape": "a shape",
    }  # fmt: skip
    old, both, new = (table(each).splitlines() for each in ([entry], [entry, newer], [newer]))
    assert "torch.compile" not in old[0]
    assert old[0].endswith("| of large matrix products |")
    assert both[0].endswith("| of large matrix products |")
    assert "| x torch.compile (its precision, batch) |" in both[0]
    assert both[2].endswith("| - | - | - | - | 0.50 |")
    assert both[3].endswith("| - | - | 2.52 (bf16, 32) | - | 0.50 |")
    assert new[0].endswith("| of the best large product or convolution |")
    assert len({text.count("|") for text in both[:4]}) == 1


def test_what_is_published_is_what_was_measured() -> None:
    entries = json.loads(MEASURED.read_text())
    assert table(entries) in (MEASURED.parent / "cpu.md").read_text()
    chosen = [entry for entry in entries if entry["arch"] in ("cifar_resnet110", "resnet50")]
    assert table(chosen) in (ROOT / "README.md").read_text()


def test_networks_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    main(str(MEASURED), "resnet50")
    lines = capsys.readouterr().out.splitlines()[2:-2]
    assert lines
    assert all(line.startswith("| resnet50 ") for line in lines)
