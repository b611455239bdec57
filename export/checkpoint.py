"""Checkpoints: what they hold, and the network they make."""

import pickle
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smoothcert.engine.base.errors import InputError, one_line, require
from smoothcert.engine.base.files import file_digest
from smoothcert.engine.models.model import check_file

if TYPE_CHECKING:
    import torch
    from torch import nn

# Sequential(normalise, net), DataParallel, and torch.compile each add a level of names.
_WRAPPERS = ("1.module.", "module.1.", "1.", "module.", "_orig_mod.")
_MOST_NAMES = 3


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's weights under the network's own names, and what it says about itself.

    facts  entries beside the weights that are plain values: arch, dataset, num_classes,
           input_shape, mean, std, sigma, epoch, where present
    """

    path: Path
    sha256: str
    state: "dict[str, torch.Tensor]"
    facts: dict[str, Any] = field(default_factory=dict)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a torch or safetensors checkpoint without running anything it contains.

    Understood: the original code's dict (`arch`, `state_dict`; keys `1.*` or `1.module.*`), plain
    state dicts, `module.*` of DataParallel, safetensors. Raises InputError where the file is
    damaged, needs code to load, or holds no weights.
    """
    check_file(path, "checkpoint")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    import torch

    if not isinstance(content, dict):
        raise InputError(
            f"checkpoint {path} holds a {type(content).__name__}: expected a state dict; save "
            "model.state_dict()"
        )
    nested = next((k for k in ("state_dict", "model_state_dict", "model") if k in content), None)
    weights = content[nested] if nested and isinstance(content[nested], dict) else content
    state = {str(k): v for k, v in weights.items() if isinstance(v, torch.Tensor)}
    if not state:
        names = ", ".join(map(str, list(content)[:_MOST_NAMES])) or "nothing"
        raise InputError(
            f"checkpoint {path} holds no weights (it has {names}): expected a state dict, or a "
            "dict with `state_dict`"
        )
    facts = {} if weights is content else {k: v for k, v in content.items() if _is_plain(v)}
    return Checkpoint(path, file_digest(path), _unwrapped(state), facts)


def _read_torch(path: Path) -> Any:
    torch = require("torch", "export", f"reading checkpoint {path}")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"(?:GLOBAL|global|class|function) ([\w.]+)", str(error))
        reason = f"it wants {found[1]}" if found else "it is no plain pickle of tensors"
        raise InputError(
            f"checkpoint {path} needs code to load ({reason}), which is refused: expected tensors "
            "and plain values; save model.state_dict() from the code that wrote it"
        ) from None
    except Exception as error:  # damaged archives raise whatever their layer raises
        reason = one_line(error)
        raise InputError(
            f"checkpoint {path} cannot be read ({reason}): expected a whole torch checkpoint"
        ) from None


def _read_safetensors(path: Path) -> Any:
    safetensors = require("safetensors.torch", "export", f"reading checkpoint {path}")
    try:
        return safetensors.load_file(str(path))
    except Exception as error:
        reason = one_line(error)
        raise InputError(
            f"checkpoint {path} cannot be read ({reason}): expected a whole safetensors file"
        ) from None


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return isinstance(value, str | int | float | bool)


def _unwrapped(state: "dict[str, torch.Tensor]") -> "dict[str, torch.Tensor]":
    """Without the names that wrappers added: a prefix all keys with weights share.

    The original's normalising layer holds no weights, so `1.` is then on every key. A network
    that is itself an nn.Sequential also has keys `0.*`, and stays as it is.
    """
    for prefix in _WRAPPERS:
        if all(key.startswith(prefix) for key in state):
            return _unwrapped({key.removeprefix(prefix): value for key, value in state.items()})
    return state


def inferred_classes(state: "dict[str, torch.Tensor]") -> int | None:
    """The outputs of the last linear layer: the length of the last bias, or None."""
    last = next((v for k, v in reversed(state.items()) if k.endswith("bias")), None)
    return int(last.shape[0]) if last is not None and last.ndim == 1 else None


def load_weights(module: "nn.Module", checkpoint: Checkpoint, arch: str) -> None:
    """Put a checkpoint's weights into a module; raises InputError naming what does not fit."""
    own = module.state_dict()
    given = checkpoint.state
    # Checkpoints from before 2018 lack the counters of batch norm, which inference never reads.
    missing = [k for k in own if k not in given and not k.endswith("num_batches_tracked")]
    extra = [k for k in given if k not in own]
    shapes = [
        f"{k} {tuple(given[k].shape)} for {tuple(own[k].shape)}"
        for k in own
        if k in given and given[k].shape != own[k].shape
    ]
    problems = [
        f"{len(names)} {what} ({', '.join(names[:_MOST_NAMES])})"
        for what, names in (("missing", missing), ("unexpected", extra), ("misshaped", shapes))
        if names
    ]
    if problems:
        raise InputError(
            f"checkpoint {checkpoint.path} does not fit architecture {arch}: "
            f"{'; '.join(problems)}; give the --arch it was trained with"
        )
    module.load_state_dict(given, strict=False)
