"""The composite's graph: pixels, the denoiser, what lies between, the classifier, logits."""

from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError, require
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.models.unloadable import opset_of
from smoothcert.export.composite.denoiser import Denoiser
from smoothcert.export.composite.options import Level
from smoothcert.export.composite.parts import OPSET, anonymous, at_least, renamed
from smoothcert.export.composite.resizing import Between, weights

DENOISER, CLASSIFIER = "denoiser/", "classifier/"
"""How the names of the two networks' nodes begin."""

PIXELS, BATCH = "input", "N"
_LOGITS = "logits"


class _Nodes:
    """Nodes that are written one after the other, and their constants."""

    def __init__(self, onnx: Any) -> None:
        self._onnx = onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """A node; returns its output's name."""
        name = output or f"between/{len(self.nodes)}_{operator}"
        node = self._onnx.helper.make_node(operator, list(inputs), [name], name, **attributes)
        self.nodes.append(node)
        return name

    def constant(self, values: npt.ArrayLike, dtype: type = np.float32) -> str:
        """A constant; returns its name."""
        name = f"between/constant_{len(self.constants)}"
        array: npt.NDArray[Any] = np.asarray(values).astype(dtype)
        self.constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def affine(self, value: str, scale: npt.ArrayLike, shift: npt.ArrayLike) -> str:
        """scale * value + shift; scalars, or [1, C, 1, 1]."""
        if np.any(np.asarray(scale) != 1):
            value = self.add("Mul", value, self.constant(scale))
        return self.add("Add", value, self.constant(shift)) if np.any(np.asarray(shift)) else value


def assemble(
    denoiser: Denoiser,
    level: Level,
    classifier: Any,
    spec: InputSpec,
    num_classes: int,
    batch: int | None,
    interpolation: Between,
) -> Any:
    """One onnx.ModelProto from noisy [0, 1] pixels, `input` [N, C, H, W], to `logits` [N, K].

    classifier  its onnx.ModelProto, float32; `spec` is what it takes, its mean and std included
    batch       rows of the composite, where one of the two has them fixed
    Raises InputError where the two cannot be of one opset.
    """
    onnx = require("onnx", "export", "exporting to ONNX")
    first = denoiser.graph()
    opset = max(OPSET, opset_of(first) or 0, opset_of(classifier) or 0)
    first = at_least(first, f"denoiser {denoiser.name}", opset)
    second = at_least(classifier, "the classifier", opset)
    nodes = _Nodes(onnx)
    noisy, given = _given(nodes, denoiser, level)
    _place(first, DENOISER, {denoiser.image: given})
    nodes.nodes.extend(first.graph.node)
    image = _image(nodes, denoiser, level, noisy, DENOISER + denoiser.denoised)
    taken = _taken(nodes, image, denoiser, level, spec, interpolation)
    ends = {second.graph.input[0].name: taken, second.graph.output[0].name: _LOGITS}
    _place(second, CLASSIFIER, ends)
    float32 = onnx.TensorProto.FLOAT
    rows = batch or BATCH
    graph = onnx.helper.make_graph(
        [*nodes.nodes, *second.graph.node],
        "composite",
        [onnx.helper.make_tensor_value_info(PIXELS, float32, [rows, *denoiser.shape])],
        [onnx.helper.make_tensor_value_info(_LOGITS, float32, [rows, num_classes])],
        [*nodes.constants, *first.graph.initializer, *second.graph.initializer],
        sparse_initializer=[*first.graph.sparse_initializer, *second.graph.sparse_initializer],
    )
    model = onnx.helper.make_model(
        graph,
        opset_imports=_opsets(onnx, denoiser.name, first, second),
        ir_version=max(first.ir_version, second.ir_version),
    )
    anonymous(model)
    return model


def _place(model: Any, prefix: str, ends: dict[str, str]) -> None:
    """Give everything in a part a name that begins with `prefix`, but its ends the given ones."""
    renamed(model.graph, lambda name: ends.get(name, prefix + name))


def _given(nodes: _Nodes, denoiser: Denoiser, level: Level) -> tuple[str, str]:
    """The noisy image in the denoiser's pixel units, and what the denoiser is given of it."""
    noisy = nodes.affine(PIXELS, level.high - level.low, level.low)
    given = noisy
    if level.step is not None:
        given = nodes.add("Mul", noisy, nodes.constant(level.step.kept**0.5))
    if denoiser.channels_last:
        given = nodes.add("Transpose", given, perm=(0, 2, 3, 1))
    return noisy, given


def _image(nodes: _Nodes, denoiser: Denoiser, level: Level, noisy: str, returned: str) -> str:
    """The denoised image [N, C, H, W] in the denoiser's pixel units, out of what it returned."""
    channels, height, width = denoiser.shape
    image = returned
    if denoiser.flat:
        shape = nodes.constant((-1, denoiser.channels, height, width), np.int64)
        image = nodes.add("Reshape", image, shape)
    if denoiser.channels_last:
        image = nodes.add("Transpose", image, perm=(0, 3, 1, 2))
    if denoiser.channels != channels:
        ends = [nodes.constant([end], np.int64) for end in (0, channels, 1)]
        image = nodes.add("Slice", image, *ends)
    if level.schedule is None or level.step is None:
        return image
    of_noisy, of_output = level.clean()
    if of_noisy:
        scaled = nodes.affine(noisy, of_noisy, 0)
        image = nodes.add("Add", scaled, nodes.affine(image, of_output, 0))
    return nodes.add("Clip", image, nodes.constant(level.low), nodes.constant(level.high))


def _taken(
    nodes: _Nodes,
    image: str,
    denoiser: Denoiser,
    level: Level,
    spec: InputSpec,
    interpolation: Between,
) -> str:
    """What the classifier takes: the image resized, in [0, 1], normalised as `spec` says."""
    _, height, width = denoiser.shape
    if spec.height != height:
        rows = nodes.constant(weights(height, spec.height, interpolation))
        image = nodes.add("MatMul", rows, image)
    if spec.width != width:
        columns = nodes.constant(weights(width, spec.width, interpolation).T)
        image = nodes.add("MatMul", image, columns)
    # Every row of the matrices adds up to 1, so what is linear in a pixel may come after them.
    extent = level.high - level.low
    mean = np.reshape(spec.mean or (0.0,) * spec.channels, (1, -1, 1, 1))
    std = np.reshape(spec.std or (1.0,) * spec.channels, (1, -1, 1, 1))
    return nodes.affine(image, 1 / (extent * std), -(level.low / extent + mean) / std)


def _opsets(onnx: Any, name: str, *models: Any) -> list[Any]:
    """The operators' versions of both; raises InputError where they differ."""
    versions: dict[str, int] = {}
    for model in models:
        for entry in model.opset_import:
            domain = "" if entry.domain == "ai.onnx" else entry.domain
            if versions.setdefault(domain, entry.version) != entry.version:
                raise InputError(
                    f"denoiser {name} and the classifier use operators of {domain or 'ONNX'} in "
                    f"versions {versions[domain]} and {entry.version}: expected one; export them "
                    "with the same tools"
                )
    return [onnx.helper.make_opsetid(domain, version) for domain, version in versions.items()]
