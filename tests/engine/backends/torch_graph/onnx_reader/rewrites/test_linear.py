from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from torch import fx, nn

Same = Callable[..., fx.GraphModule]
Operations = Callable[[fx.GraphModule], Counter[str]]


def _numbers(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(5,), (1, 5), (1, 1, 5), (), (1,)])
def test_a_vector_that_is_added_is_the_bias(
    same: Same, operations: Operations, shape: tuple[int, ...]
) -> None:
    module = same("a = MatMul(x, w)", "y = Add(a, b)", shape=(4, 8), w=_numbers(8, 5),
                  b=_numbers(*shape))  # fmt: skip
    assert operations(module) == {"Linear": 1}


@pytest.mark.parametrize("shape", [(4, 5), (4, 1), (1, 1, 1, 5)])
def test_what_differs_between_rows_stays(
    same: Same, operations: Operations, shape: tuple[int, ...]
) -> None:
    module = same("a = MatMul(x, w)", "y = Add(a, b)", shape=(4, 8), w=_numbers(8, 5),
                  b=_numbers(*shape))  # fmt: skip
    assert operations(module) == {"Linear": 1, "add": 1}


def test_a_product_that_something_else_uses_stays(same: Same, operations: Operations) -> None:
    module = same("a = MatMul(x, w)", "h = Add(a, b)", "y = Mul(h, a)", shape=(8,),
                  w=_numbers(8, 5), b=_numbers(5))  # fmt: skip
    assert operations(module) == {"Linear": 1, "add": 1, "mul": 1}


def test_a_second_vector_stays(same: Same, operations: Operations) -> None:
    module = same("a = MatMul(x, w)", "h = Add(a, b)", "y = Add(h, b)", shape=(8,),
                  w=_numbers(8, 5), b=_numbers(5))  # fmt: skip
    assert operations(module) == {"Linear": 1, "add": 1}


def test_layers_share_the_vector_of_one_initializer(same: Same) -> None:
    module = same("a = MatMul(x, w)", "h = Add(a, b)", "i = MatMul(h, w)", "y = Add(i, b)",
                  shape=(5,), w=_numbers(5, 5), b=_numbers(5))  # fmt: skip
    first, second = (layer for layer in module.modules() if isinstance(layer, nn.Linear))
    assert first.bias is second.bias
