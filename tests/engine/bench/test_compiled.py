"""The loop that a user would write: what it counts, and what it leaves as it was."""

import pytest

torch = pytest.importorskip("torch")

from smoothcert.engine.bench.compiled import CompiledLoop  # noqa: E402


def test_every_sample_is_counted_and_the_process_is_left_as_it_was() -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 4)).eval()
    loop = CompiledLoop("compiled", module, (3, 4, 4), 4, 0.25, 32, "cpu")
    before = torch.backends.cudnn.benchmark
    loop.warm(0.0)
    samples, seconds = loop.run(0.01)
    assert torch.backends.cudnn.benchmark == before
    assert samples % 32 == 0
    assert seconds >= 0.01
    assert int(loop.counts.sum()) == samples + 32
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}


def test_it_counts_classes() -> None:
    """A network whose third class is always the largest."""
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 4)).eval()
    with torch.no_grad():
        module[1].weight.zero_()
        module[1].bias.copy_(torch.tensor([0.0, 1.0, 9.0, 2.0]))
    loop = CompiledLoop("compiled", module, (3, 4, 4), 4, 0.25, 8, "cpu")
    samples, _ = loop.run(0.0)
    assert loop.counts.tolist() == [0, 0, samples, 0]
