"""The loop that a user would write: compiled for real, what it counts, what it leaves alone."""

import shutil
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch._inductor import config  # noqa: E402

from smoothcert.engine.base.errors import InputError  # noqa: E402
from smoothcert.engine.base.machine import processor_flags  # noqa: E402
from smoothcert.engine.bench import compiled  # noqa: E402
from smoothcert.engine.bench.compiled import (  # noqa: E402
    CompiledLoop,
    fastest_compiled,
    rival_precision,
)

SHAPE, CLASSES, SIGMA = (3, 4, 4), 4, 0.25


def network() -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64, CLASSES)
        ).eval()


@pytest.fixture(scope="module")
def loop() -> CompiledLoop:
    if not shutil.which("g++"):
        pytest.skip("torch.compile on a CPU needs a C++ compiler, and g++ is not here")
    made = CompiledLoop("compiled", network(), SHAPE, CLASSES, SIGMA, 64, "cpu", "fp32")
    assert not config.freezing
    made.warm(0.0)
    return made


def test_it_counts_what_the_network_says_of_its_noise(loop: CompiledLoop) -> None:
    loop.counts.zero_()
    torch.manual_seed(5)
    samples, _ = loop.run(0.0)
    assert samples == 64
    torch.manual_seed(5)
    with torch.no_grad():
        noisy = loop.inputs + torch.randn_like(loop.inputs) * SIGMA
        expected = torch.bincount(network()(noisy).argmax(1), minlength=CLASSES)
    assert loop.counts.tolist() == expected.tolist()
    assert max(expected.tolist()) < 64


def test_it_is_compiled_frozen_and_the_process_is_left_as_it_was(loop: CompiledLoop) -> None:
    """What is compiled has the weights in it: others in their place change nothing."""
    from torch._dynamo.utils import counters

    assert not config.freezing
    graphs = counters["stats"]["unique_graphs"]
    benchmark = torch.backends.cudnn.benchmark

    def counts() -> list[int]:
        loop.counts.zero_()
        torch.manual_seed(5)
        loop.run(0.0)
        return [int(count) for count in loop.counts]

    before = counts()
    own: Any = loop.network
    bias = own._orig_mod[3].bias
    bias.data[1] += 1000.0
    assert counts() == before
    bias.data[1] -= 1000.0
    assert counters["stats"]["unique_graphs"] == graphs > 0
    assert torch.backends.cudnn.benchmark == benchmark


def test_every_sample_is_counted_and_the_module_is_left_as_it_was(loop: CompiledLoop) -> None:
    loop.counts.zero_()
    samples, seconds = loop.run(0.01)
    assert samples % 64 == 0
    assert seconds >= 0.01
    assert int(loop.counts.sum()) == samples
    module = network()
    half = CompiledLoop("compiled", module, SHAPE, CLASSES, SIGMA, 8, "cpu", "bf16")
    assert half.inputs.dtype == torch.bfloat16
    assert half.inputs.is_contiguous(memory_format=torch.channels_last)
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("precision", "device", "flags", "expected"),
    [
        ("fp32", "cpu", ["amx_bf16"], "fp32"),
        ("bf16", "cpu", [], "bf16"),
        ("int8", "cpu", ["avx2", "avx512_vnni"], "fp32"),
        ("int8", "cpu", ["avx2", "avx512_bf16"], "bf16"),
        ("fp16", "cpu", ["amx_bf16"], "bf16"),
        ("fp32", "cuda:0", [], "fp32"),
        ("bf16", "cuda:0", [], "bf16"),
        ("fp16", "cuda:0", [], "fp16"),
        ("fp8", "cuda:1", [], "fp16"),
    ],
)
def test_the_rival_has_the_same_precision_or_the_best_of_floating_point(
    precision: str, device: str, flags: list[str], expected: str
) -> None:
    assert rival_precision(precision, device, flags) == expected
    assert rival_precision("int8", "cpu", processor_flags()) in ("fp32", "bf16")


class Tried(CompiledLoop):
    """Compiles nothing; its speed is scripted by its batch."""

    speeds: dict[int, float]
    sizes: list[int]

    def warm(self, seconds: float) -> None:
        if self.batch not in self.speeds:
            raise MemoryError
        self.sizes.append(self.batch)

    def run(self, seconds: float) -> tuple[int, float]:
        return self.batch, self.batch / self.speeds[self.batch]


@pytest.mark.parametrize(
    ("speeds", "seconds", "sizes", "chosen"),
    [
        ({64: 100.0, 32: 50.0, 8: 130.0, 128: 120.0}, 1e9, [64, 32, 8, 128], 8),
        ({64: 100.0, 32: 102.0, 8: 90.0, 128: 101.0}, 1e9, [64, 32, 8, 128], 64),
        ({64: 100.0, 32: 500.0}, 0.0, [64], 64),
        ({32: 100.0, 8: 90.0, 128: 101.0}, 1e9, [32, 8, 128], 32),
        ({32: 100.0, 8: 110.0}, 1e9, [32, 8], 8),
    ],
    ids=[
        "another is clearly better",
        "ours is as good",
        "no time to try",
        "ours is one of them",
        "a large one has no room",
    ],
)
def test_its_batch_is_ours_unless_another_is_clearly_better(
    monkeypatch: pytest.MonkeyPatch,
    speeds: dict[int, float],
    seconds: float,
    sizes: list[int],
    chosen: int,
) -> None:
    monkeypatch.setattr(compiled, "CompiledLoop", Tried)
    Tried.speeds, Tried.sizes = speeds, []
    first = next(iter(speeds))
    loop = fastest_compiled(network(), SHAPE, CLASSES, SIGMA, first, "cpu", "fp32", seconds)
    assert (Tried.sizes, loop.batch) == (sizes, chosen)


def test_without_a_compiler_it_says_what_it_needs() -> None:
    absent = config.patch({"cpp.cxx": ("/absent/compiler",)})
    with absent, pytest.raises(InputError) as refused:
        fastest_compiled(network(), SHAPE, CLASSES, SIGMA, 8, "cpu", "fp32", 0.0)
    said = str(refused.value)
    assert said.startswith("torch.compile does not work here (on a CPU it needs a C++ compiler")
    assert "No working C++ compiler found" in said
    assert said.isprintable()
    assert "TORCHDYNAMO" not in said
    assert not config.freezing
