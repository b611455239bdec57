"""The torch graph while it is being written."""

from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.fx.node import map_aggregate, map_arg

from smoothcert.engine.backends.torch_graph.onnx_reader.values import Value, dtype_of, tensor_like


class GraphWriter:
    """Writes calls into an fx graph, and runs at once what depends on nothing but constants.

    Every node's meta["val"] is a tensor on the meta device of the node's shape and type. A tensor
    that several nodes use is one parameter, or one buffer.
    """

    def __init__(self) -> None:
        self.graph = fx.Graph()
        self.root = nn.Module()
        # By identity; each tensor is kept, so that its identity stays its own.
        self._parameters: dict[int, tuple[torch.Tensor, nn.Parameter]] = {}
        self._buffers: dict[int, tuple[torch.Tensor, fx.Node]] = {}
        self._transposed: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def placeholder(self, shape: tuple[int, ...], dtype: torch.dtype) -> fx.Node:
        """The graph's input."""
        node = self.graph.placeholder("images")
        node.meta["val"] = torch.empty(shape, dtype=dtype, device="meta")
        return node

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Value:
        """function(*args, **kwargs), where Values may stand among the arguments.

        Returns what the function returns of tensors alone; else the node of the call.
        """
        if not self._computed((args, kwargs)):
            known: torch.Tensor = function(*args, **kwargs)
            return known
        placed = map_aggregate((args, kwargs), self._placed)
        meta_args, meta_kwargs = map_arg(placed, tensor_like)
        value = function(*meta_args, **meta_kwargs)
        node = self.graph.call_function(function, placed[0], placed[1])
        node.meta["val"] = value
        return node

    def module(
        self,
        kind: Callable[..., nn.Module],
        x: Value,
        *args: Any,
        parameters: dict[str, torch.Tensor | None],
        buffers: dict[str, torch.Tensor] | None = None,
        **kwargs: Any,
    ) -> Value:
        """A call of kind(*args, **kwargs) as a submodule that holds these tensors.

        It is made on the meta device, so that nothing is ever initialised at random. What it makes
        of a constant is computed at once.
        """
        module = kind(*args, device="meta", dtype=dtype_of(x), **kwargs).eval()
        like = module(x.meta["val"]) if isinstance(x, fx.Node) else None
        for name, tensor in parameters.items():
            setattr(module, name, None if tensor is None else self.parameter(tensor))
        for name, tensor in (buffers or {}).items():
            module.register_buffer(name, tensor.detach().clone())
        if isinstance(x, torch.Tensor):
            known: torch.Tensor = module(x)
            return known
        name = f"{type(module).__name__.lower()}_{len(self.root._modules)}"
        self.root.add_module(name, module)
        call = self.graph.call_module(name, (x,))
        call.meta["val"] = like
        return call

    def parameter(self, tensor: torch.Tensor) -> nn.Parameter:
        """The one parameter that stands for this very tensor."""
        if id(tensor) not in self._parameters:
            parameter = nn.Parameter(tensor.contiguous(), requires_grad=False)
            self._parameters[id(tensor)] = tensor, parameter
        return self._parameters[id(tensor)][1]

    def transposed(self, matrix: torch.Tensor) -> torch.Tensor:
        """The transposed matrix, contiguous; the same tensor for the same matrix."""
        if id(matrix) not in self._transposed:
            self._transposed[id(matrix)] = matrix, matrix.t().contiguous()
        return self._transposed[id(matrix)][1]

    def node(self, value: Value) -> fx.Node:
        """The node of a value; a tensor becomes a buffer."""
        if isinstance(value, fx.Node):
            return value
        if id(value) not in self._buffers:
            name = f"constant_{len(self._buffers)}"
            self.root.register_buffer(name, value.contiguous())
            node = self.graph.get_attr(name)
            node.meta["val"] = value.to("meta")
            self._buffers[id(value)] = value, node
        return self._buffers[id(value)][1]

    @staticmethod
    def _computed(arguments: Any) -> bool:
        """Whether a node is among the arguments, however deep."""
        found: list[fx.Node] = []

        def look(node: fx.Node) -> fx.Node:
            found.append(node)
            return node

        map_arg(arguments, look)
        return bool(found)

    def _placed(self, argument: Any) -> Any:
        return self.node(argument) if isinstance(argument, torch.Tensor) else argument

    def finish(self, result: Value) -> None:
        """Makes result the graph's output."""
        self.graph.output(self.node(result))
        self.prune()

    def prune(self) -> None:
        """Drops the nodes that the output does not need."""
        for node in reversed(self.graph.nodes):
            if not node.users and node.op not in ("placeholder", "output"):
                self.graph.erase_node(node)

    def graph_module(self) -> fx.GraphModule:
        """The module in eval mode, with what its output needs and nothing else."""
        self.prune()
        self.graph.lint()
        return fx.GraphModule(self.root, self.graph).eval()
