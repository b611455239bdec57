"""The README's table of throughput, in Markdown, from what throughput.py wrote.

python benchmarks/readme_table.py benchmarks/results/throughput.json [ARCH,...]
"""

import json
import sys
from pathlib import Path
from typing import Any

HEADER = (
    "| network | runtime, precision | batch | samples/s | x original loop, batch {reference_batch} "
    "| x original loop, our batch |{compiled} of the bare runtime | {limit} |"
)
COMPILED = " x torch.compile (its precision, batch) |"
LIMITS = ("of large matrix products", "of the best large product or convolution")


def cell(entry: dict[str, Any], name: str, form: str) -> str:
    """A figure, or a dash where it was not measured."""
    value = entry.get(name)
    return "-" if value is None else format(value, form)


def compiled(entry: dict[str, Any]) -> str:
    """The column of torch.compile, which ran in a precision and with a batch of its own."""
    if entry.get("speedup_over_compiled") is None:
        return " - |"
    speedup = entry["speedup_over_compiled"]
    return f" {speedup:.2f} ({entry['compiled_precision']}, {entry['compiled_batch']}) |"


def line(entry: dict[str, Any], with_compiled: bool) -> str:
    """One network in one runtime and precision."""
    rate = ",.0f" if entry["samples_per_second"] >= 1000 else ".4g"
    return (
        f"| {entry['arch']} {'x'.join(map(str, entry['input_shape']))} "
        f"| {entry['backend']} {entry['precision']} | {entry['batch']} "
        f"| {cell(entry, 'samples_per_second', rate)} "
        f"| {cell(entry, 'speedup_over_reference', '.1f')} "
        f"| {cell(entry, 'speedup_over_reference_same_batch', '.1f')} |"
        f"{compiled(entry) if with_compiled else ''}"
        f" {cell(entry, 'fraction_of_runtime', '.3f')} "
        f"| {cell(entry, 'share_of_limit', '.2f')} |"
    )


def table(entries: list[dict[str, Any]]) -> str:
    """The table and a line that says where it was measured. Records from before torch.compile was a
    rival on CPUs, and the limit the best of several shapes, are told apart."""
    machine = entries[0]["machine"]
    packages = ", ".join(
        f"{name} {machine['packages'][name]}"
        for name in ("onnxruntime", "openvino", "torch")
        if name in machine["packages"]
    )
    with_compiled = any(entry.get("speedup_over_compiled") is not None for entry in entries)
    header = HEADER.format(
        reference_batch=entries[0]["reference_batch"],
        compiled=COMPILED if with_compiled else "",
        limit=LIMITS[all(entry.get("limit_shape") for entry in entries)],
    )
    rows = [header, "|---" * (header.count("|") - 1) + "|"]
    rows += [line(entry, with_compiled) for entry in entries]
    where = f"{entries[0]['threads']} cores of {machine['processor']}, {packages}"
    how = "medians of interleaved rounds, ratios round by round"
    return "\n".join([*rows, "", f"{where}; {how}."])


def main(path: str, archs: str = "") -> None:
    """Print the table of all entries, or of those of the networks named."""
    entries = json.loads(Path(path).read_text())
    print(table([e for e in entries if not archs or e["arch"] in archs.split(",")]))


if __name__ == "__main__":
    main(*sys.argv[1:])
