"""Every step of the GPU suite, executed on a CPU: the very code, tiny and on stand-ins."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from gpu_machine import Machine, SkippedError
from gpu_rehearsal import rehearsed
from gpu_step import outcome_of
from gpu_steps import STAGES, Step

from smoothcert.engine.base.errors import DeviceUnavailableError, InputError, MissingPartError

NEED_CUDA = {"two GPUs", "memcheck", "racecheck"}
"""All that a rehearsal may leave out."""

STEPS = [(name, step) for name, stage in STAGES.items() for step in stage.steps]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One for all: steps of the command line build on those before them."""
    with rehearsed(tmp_path_factory.mktemp("rehearsal")) as found:
        yield found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "step"),
    [(stage, step) for stage, step in STEPS if step.cuda is None],
    ids=[f"{stage}: {step.name}" for stage, step in STEPS if step.cuda is None],
)
def test_every_step_runs(machine: Machine, stage: str, step: Step) -> None:
    outcome = outcome_of(step, machine)
    assert set(outcome) == {"result"}, outcome
    line = outcome["result"]["line"]
    assert line
    assert "\n" not in line
    assert "FAILED" not in line
    json.dumps(outcome)


def test_only_what_needs_cuda_is_left_out() -> None:
    assert {step.name for _, step in STEPS if step.cuda is not None} == NEED_CUDA


@pytest.mark.slow
def test_the_figures_of_a_network_and_of_a_rival(machine: Machine) -> None:
    (network,) = [step for _, step in STEPS if step.name == "resnet50 fp16, torch"]
    result = outcome_of(network, machine)["result"]
    for variant in ("eager", "fused"):
        assert result[variant]["pipeline_samples_per_second"]["median"] > 0
        assert result[variant]["pipeline_over_bare"]["median"] > 0
        assert result[variant]["backend"]["precision"] == "fp16"
    assert result["fused"]["backend"]["convolutions"]["fused"] > 0
    assert result["eager"]["backend"]["convolutions"]["fused"] == 0
    (rival,) = [step for _, step in STEPS if step.name == "cifar_resnet110, tuned"]
    result = outcome_of(rival, machine)["result"]
    assert result["not_run"] == {}
    assert result["backend"]["tuned"]
    for name in ("compiled", "eager", "original"):
        assert result[name]["ours_over_loop"]["median"] > 0
        assert result[name]["ours_over_bare"]["median"] > 0
        assert f"ours / {name} " in result["line"]


@pytest.mark.slow
def test_a_rival_that_fails_is_said_and_the_others_are_timed(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gpu_rivals

    def broken(*_: object) -> None:
        raise RuntimeError("triton\nis unhappy")

    monkeypatch.setattr(gpu_rivals, "CompiledLoop", broken)
    result = gpu_rivals.against(machine, "resnet50", tune=False)
    assert result["not_run"] == dict.fromkeys(
        ("compiled", "eager"), "RuntimeError: triton is unhappy"
    )
    assert "compiled FAILED: RuntimeError: triton is unhappy" in result["line"]
    assert result["original"]["ours_over_loop"]["median"] > 0


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (SkippedError("no second GPU"), "skipped"),
        (MissingPartError("no TensorRT here"), "skipped"),
        (DeviceUnavailableError("no driver here"), "skipped"),
        (InputError("a model\nthat is refused"), "failed"),
        (ZeroDivisionError("at all"), "failed"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_missing_is_skipped_and_what_fails_is_kept(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, error: Exception, state: str
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr("gpu_checks.votes_are_exact", fails)
    (step,) = [step for _, step in STEPS if step.name == "votes"]
    (found,) = outcome_of(step, machine).items()
    reason = " ".join(str(error).split())
    expected = reason if state == "skipped" else f"{type(error).__name__}: {reason}"
    assert found == (state, expected)


def test_what_a_rehearsal_puts_in_place_is_gone_after_it(tmp_path: Path) -> None:
    from smoothcert.engine.backends import gpu
    from smoothcert.engine.backends.device import tuning

    before, seconds = dict(vars(gpu)), tuning._BLOCK_SECONDS
    openers = dict(gpu.OPENERS)
    with rehearsed(tmp_path):
        assert vars(gpu)["open_runtime"] is not before["open_runtime"]
        assert openers != gpu.OPENERS
    assert vars(gpu) == before
    assert (seconds, openers) == (tuning._BLOCK_SECONDS, gpu.OPENERS)
