"""From a model file to the torch network that runs it on a GPU."""

from typing import Any

import torch

from smoothcert.engine.backends.device.torch_network import TorchDeviceNetwork
from smoothcert.engine.backends.torch_graph.variants import EAGER, FUSED, Recipe
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import PRECISIONS
from smoothcert.engine.models.model import Model


def open_torch_network(
    model: Model, batch: int, precision: str, device: str, *, tune: bool = False
) -> TorchDeviceNetwork:
    """A checkpoint's module, or an ONNX file's graph, fused for a device ("cuda:0", "cpu").

    precision  fp32, fp16 or bf16 of an fp32 model; a half model has its own alone
    tune       measure all variants on the device, and take the fastest

    A module that cannot be traced runs as it is, and describe() says why. Raises InputError for a
    precision that is not to be had, and for a graph that torch does not take, naming its node.
    """
    own = model.precision
    if precision != own and (own != "fp32" or precision not in PRECISIONS):
        raise InputError(
            f"precision {precision} does not fit model {model.given}, which is {own}: torch runs "
            f"an fp32 model in {', '.join(PRECISIONS)}, and others as they are"
        )
    scalar = PRECISIONS[precision] if precision != own else None
    recipe = Recipe(_module(model, batch), scalar, torch.device(device))
    reason = recipe.untraceable()
    notes: dict[str, Any] = {} if reason is None else {"not_traced": reason}
    variants = recipe.variants()
    return TorchDeviceNetwork(
        variants[EAGER if reason else FUSED](),
        model.spec,
        model.num_classes,
        batch,
        scalar=scalar or model.input_type,
        channels_last=True,
        device=device,
        tune_over=variants if tune else None,
        notes=notes,
    )


def _module(model: Model, batch: int) -> torch.nn.Module:
    """A checkpoint's module, in float32, or else the file's graph in the types that it says."""
    if model.module is not None:
        return model.module().eval()
    from smoothcert.engine.backends.torch_graph.onnx_reader.reading import read_module

    return read_module(model.path, batch)
