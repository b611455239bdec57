"""All variants of a network are the same function."""

import importlib.util

import pytest
import torch
from torch import nn
from torch_modules import assert_equal, lively

from smoothcert.engine.backends.torch_graph.variants import COMPILED, EAGER, FUSED, Recipe
from smoothcert.export.architectures import architecture

CPU = torch.device("cpu")


def test_eager_and_fused_agree_and_leave_the_module_alone() -> None:
    torch.manual_seed(0)
    module = lively(architecture("cifar_resnet20", 10, (3, 32, 32)))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    made = Recipe(module, None, CPU).variants()
    assert set(made) - {COMPILED} == {EAGER, FUSED}
    for name in (EAGER, FUSED):
        assert_equal(module, made[name](), 3, 3, 32, 32)
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


@pytest.mark.parametrize("scalar", ["float16", "bfloat16"])
def test_half_variants_take_half(scalar: str) -> None:
    module = lively(architecture("small_cnn", 10, (1, 28, 28)))
    x = torch.rand(4, 1, 28, 28).to(getattr(torch, scalar))
    recipe = Recipe(module, scalar, CPU)
    eager, fused = recipe.eager()(x), recipe.fused()(x)
    assert eager.dtype == fused.dtype == x.dtype
    assert (eager.float() - fused.float()).abs().max() <= 0.05 * eager.float().abs().max()


class Decides(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1) if x.sum() > 0 else -x.flatten(1)


def test_what_cannot_be_traced_runs_as_it_is() -> None:
    recipe = Recipe(Decides(), None, CPU)
    assert "control flow" in str(recipe.untraceable())
    assert FUSED not in recipe.variants()
    assert_equal(Decides(), recipe.eager(), 2, 3, 2, 2)


def test_the_compiled_one_needs_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    module = lively(nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)))
    found = importlib.util.find_spec
    for there in (False, True):
        with monkeypatch.context() as patch:
            patch.setattr(
                importlib.util,
                "find_spec",
                lambda name, there=there: there or None if name == "triton" else found(name),
            )
            assert (COMPILED in Recipe(module, None, CPU).variants()) == there
    # Made, not run: the first run would compile.
    assert isinstance(Recipe(module, None, CPU).compiled(), nn.Module)
