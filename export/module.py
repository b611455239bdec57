"""A torch module of the program's as a model: written into the user's cache as an ONNX file that is
named by its content."""

import copy
import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smoothcert.engine.backends.live_module import in_eval_mode
from smoothcert.engine.base.errors import InputError, one_line, require
from smoothcert.engine.base.files import cache_folder, write_atomically
from smoothcert.engine.base.wording import printable
from smoothcert.engine.models.model import Model, open_onnx
from smoothcert.export.checkpoint_export import export_network
from smoothcert.export.checkpoint_opening import Classifier, state_digest
from smoothcert.export.foreign.input_reading import spec_of
from smoothcert.export.foreign.options import NOTHING_SAID, ModelOptions, spelled, typed
from smoothcert.export.logits import classes_of, returning_logits, run_two
from smoothcert.export.onnx_model import UnwritableError

if TYPE_CHECKING:
    from torch import nn

_OF_A_GRAPH = ("layout", "logits")
_LONGEST_NAME = 80


def open_module(
    module: "nn.Module",
    num_classes: int | None,
    shape: tuple[int, int, int],
    options: ModelOptions = NOTHING_SAID,
) -> Model:
    """The model that a torch module is now: exported, checked against the module by votes, and
    opened. Later changes of the module change nothing of it.

    module       from images [N, C, H, W] to logits [N, K], to an object or dict that has them as
                 `logits`, or (with options.threshold) to one number each. It runs in eval mode, and
                 is afterwards in the mode it was in; weights on a GPU, or in another precision than
                 float32, are copied
    num_classes  K, for a check; None: as many as it returns
    shape        (C, H, W) of its images, which it gets as [0, 1] values unless options normalise
                 them

    The file is of the user's cache. The same module, in the same versions of what writes it, has
    the same bytes and name in any process, so that a log can be resumed and audited. Raises
    InputError, in one line, for what is no classifier of such images, is no function of one image,
    or cannot be written as ONNX.
    """
    torch = require("torch", "export", "certifying a torch module")
    module = _inner(module)
    if not isinstance(module, torch.nn.Module):
        raise InputError(
            f"model is a {printable(type(module).__name__)}: expected a path or a torch.nn.Module"
        )
    name = printable(type(module).__name__)[:_LONGEST_NAME]
    _check_options(options, name)
    spec, said = spec_of(shape, options)
    with in_eval_mode(module):
        own, copied = _on_cpu(module, name)
        network = returning_logits(own.eval(), shape)
        if options.threshold is not None:
            network = _two_logits(network, shape, options.threshold, name)
        _check_several(network, shape, name)
        classes = classes_of(network, shape, name)
        if num_classes not in (None, classes):
            raise InputError(
                f"num_classes {num_classes} does not fit the network {name}, which returns "
                f"{classes} logits: leave it out"
            )
        classifier = Classifier(
            network, name, classes, spec, state_digest(own), given="the module",
            recorded={"weights": "a module's", **_recorded(options)},
        )  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            draft = Path(folder) / "model.onnx"
            try:
                report = export_network(classifier, draft, name=Path(name))
            except UnwritableError as error:
                raise InputError(
                    f"{error}; smoothcert.Smooth(module, ...) takes it as it is, one image at a "
                    "time, and certify an ONNX file of it"
                ) from None
            content = draft.read_bytes()
    path = cache_folder("models") / f"{_file_name(name)}-{_digest(content)[:32]}.onnx"
    if not path.exists() or path.read_bytes() != content:
        write_atomically(path, content)
    return replace(open_onnx(path), said=(*said, *copied, *report.said, *report.warnings))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _file_name(name: str) -> str:
    """Of a class, what any file system takes."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in name)


def _inner(module: Any) -> Any:
    """The module inside what torch wraps around one to compile it or to train it in parallel."""
    for kind, inner in (
        ("OptimizedModule", "_orig_mod"),
        ("DistributedDataParallel", "module"),
        ("DataParallel", "module"),
    ):
        if type(module).__name__ == kind and hasattr(module, inner):
            return _inner(getattr(module, inner))
    return module


def _check_options(options: ModelOptions, name: str) -> None:
    given = options.given()
    for option in _OF_A_GRAPH:
        if option in given:
            raise InputError(
                f"{typed(option, given[option])} is of an ONNX file, and {name} is a module: leave "
                f"{spelled(option)} out"
            )


def _recorded(options: ModelOptions) -> dict[str, Any]:
    return {} if options.threshold is None else {"threshold": options.threshold}


def _on_cpu(module: "nn.Module", name: str) -> "tuple[nn.Module, tuple[str, ...]]":
    """The module itself where its numbers are float32 on the CPU; else a copy of which that is so,
    and what is to be said of it."""
    import torch
    from torch import nn

    tensors = [*module.parameters(), *module.buffers()]
    halves = sorted({str(t.dtype).removeprefix("torch.") for t in tensors
                     if t.is_floating_point() and t.dtype != torch.float32})  # fmt: skip
    if not halves and all(tensor.device.type == "cpu" for tensor in tensors):
        return module, ()
    try:
        # What is put into the memo is not copied on its own device first.
        memo: dict[int, Any] = {}
        for tensor in tensors:
            own = tensor.detach().to("cpu", copy=True)
            own = own.float() if own.is_floating_point() else own
            trained = isinstance(tensor, nn.Parameter)
            memo[id(tensor)] = nn.Parameter(own, requires_grad=False) if trained else own
        copied: nn.Module = copy.deepcopy(module, memo)
    except Exception as error:  # of any part of the module
        raise InputError(
            f"the network {name} cannot be copied to the CPU ({printable(one_line(error))}): "
            "expected weights that copy.deepcopy takes; give it on the CPU, in float32"
        ) from None
    said = (f"its weights in {', '.join(halves)} are taken as float32 numbers",) if halves else ()
    return copied, said


def _check_several(network: "nn.Module", shape: tuple[int, int, int], name: str) -> None:
    """Raise InputError for one number an image, which may be a score or a probability."""
    found = tuple(getattr(run_two(network, shape), "shape", ()))
    if found in ((2,), (2, 1)):
        raise InputError(
            f"the network {name} returns one number for an image: expected logits of at least 2 "
            "classes; give threshold=T, class 1 where the number is above T and class 0 elsewhere "
            "(0.5 of a sigmoid, 0 of raw scores)"
        )


def _two_logits(
    network: "nn.Module", shape: tuple[int, int, int], threshold: float, name: str
) -> "nn.Module":
    """A network of two classes around one of one number: class 1 where that is above."""
    import torch
    from torch import nn

    found = tuple(getattr(run_two(network, shape), "shape", ()))
    if found not in ((2,), (2, 1)):
        raise InputError(
            f"--threshold {threshold:g} is for one number an image, and the network {name} returns "
            f"{found} for two: leave it out"
        )

    class Thresholded(nn.Module):
        """Logits T - s and s - T of a score s."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            score = self.network(images).reshape(-1, 1)
            return torch.cat([threshold - score, score - threshold], 1)

    return Thresholded().eval()
