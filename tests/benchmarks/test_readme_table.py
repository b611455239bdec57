"""The README's table says what the measurements say."""

from readme_table import table


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
    assert lines[-1].startswith("2 cores of Some CPU, openvino 1.2; medians of interleaved rounds")
