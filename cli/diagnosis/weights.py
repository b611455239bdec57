"""Checkpoints: what they hold, and how they become a model."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smoothcert.cli.diagnosis import commands
from smoothcert.cli.diagnosis.architectures import family_of, proposal
from smoothcert.cli.diagnosis.entry import Diagnosis, Entry, bytes_text, refused, some
from smoothcert.engine.base.errors import InputError
from smoothcert.export.checkpoint import Checkpoint, inferred_classes, several

if TYPE_CHECKING:
    import torch

_State = Mapping[str, "torch.Tensor"]


def describe_checkpoint(checkpoint: Checkpoint) -> list[Entry]:
    """The lines about a checkpoint's sets of weights and what it says beside them."""
    found = []
    for name, state in checkpoint.sets.items():
        found.append(Entry("weights", "the file" if name == "." else name, _about(state)))
        if all(map(_is_zero, state.values())):
            found.append(Entry("weights", "hint", f"all of {name} is 0: not trained?"))
        prefix = _common_prefix(list(state))
        if prefix:
            note = f"every name begins with {prefix}: removed where the rest fits the architecture"
            found.append(Entry("names", prefix, note))
    facts = [f"{name} {_short(value)}" for name, value in checkpoint.facts.items()]
    if facts:
        found.append(Entry("says", some(sorted(checkpoint.facts)), some(facts, 12)))
    return found


def sigma_of(checkpoint: Checkpoint) -> float | None:
    """The level of noise that a checkpoint says it was trained at."""
    sigma = checkpoint.facts.get("sigma")
    return float(sigma) if isinstance(sigma, int | float) and 0 < sigma < 100 else None


def diagnose_weights(
    path: Path,
    head: Entry,
    checkpoint: Checkpoint,
    reason: InputError,
    shape: tuple[int, int, int] | None,
) -> Diagnosis:
    """A checkpoint that does not open as it is: the `reason`, and the command that exports it.

    shape  of the images that it is to classify, where they are known
    """
    found = [head, *describe_checkpoint(checkpoint)]
    sets = checkpoint.sets
    found.append(refused(several(path, list(sets)) if len(sets) > 1 else reason))
    if len(sets) > 1:
        found += [
            Entry("option", commands.typed({"weights": name}), f"takes its {len(state)} tensors")
            for name, state in sets.items()
        ]
    told: set[Entry] = set()
    ends: list[Entry] = []
    for name, state in sets.items():
        entries, options = _architecture(state, shape)
        found += [entry for entry in entries if entry not in told]
        told |= set(entries)
        if len(sets) > 1:
            options = {"weights": name, **options}
        ends.append(commands.export(str(path), options))
    return Diagnosis((*found, *ends), True)


def _architecture(
    state: _State, shape: tuple[int, int, int] | None
) -> tuple[list[Entry], dict[str, Any]]:
    """Whose weights these are, as far as names and shapes tell, and the options to export them."""
    classes = inferred_classes(dict(state))
    known = proposal(state, classes)
    if known is not None:
        found = [
            Entry("architecture", f"{known.arch}?", "it alone of ours has these names and shapes")
        ]
        return found, {"arch": known.arch, "num_classes": classes, "input_shape": known.shape}
    prefix = _common_prefix(list(state))
    levels = list(dict.fromkeys(name[len(prefix) :].partition(".")[0] for name in state))
    family = family_of(levels)
    note = (
        f"no network of ours has these names and shapes (its parts are {some(levels, 8)}): give "
        "--arch pkg.module:factory, whose factory makes the network"
        + (f"; {family}" if family else ", or torchvision:NAME or timm:NAME")
    )
    options = {
        "arch": "pkg.module:factory",
        "num_classes": classes or "K",
        "input_shape": shape or _first_shape(state),
    }
    return [Entry("architecture", "missing", note)], options


def _first_shape(state: _State) -> str:
    """C,H,W as far as the first convolution tells."""
    first = next(
        (tensor for tensor in state.values() if not tensor.is_nested and tensor.ndim == 4), None
    )
    channels = int(first.shape[1]) if first is not None else 0
    return f"{channels},H,W" if channels in (1, 3) else "C,H,W"


def _about(state: _State) -> str:
    count = sum(tensor.numel() for tensor in state.values())
    size = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    kinds = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in state.values()})
    classes = inferred_classes(dict(state))
    outputs = f"; its last bias has {classes} numbers, so {classes} classes" if classes else ""
    return f"{len(state)} tensors, {count:,} numbers, {bytes_text(size)} of {some(kinds)}{outputs}"


def _is_zero(tensor: "torch.Tensor") -> bool:
    try:
        return not bool(tensor.any())
    except RuntimeError:  # of a kind that holds no plain numbers
        return False


def _common_prefix(names: list[str]) -> str:
    """The dotted levels that every name begins with."""
    if len(names) < 2:
        return ""
    levels = zip(*(name.split(".")[:-1] for name in names), strict=False)
    shared = []
    for level in levels:
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    return "".join(f"{level}." for level in shared)


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 40 else f"{text[:37]}..."
