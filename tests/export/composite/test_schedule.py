"""Noise schedules: what they are by their papers, and the step that fits a smoothed classifier."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.export.composite.options import DenoiserOptions, Level
from smoothcert.export.composite.schedule import schedule


def test_linear_is_that_of_ho_jain_and_abbeel() -> None:
    linear = schedule("linear")
    assert linear.steps == 1000
    assert linear.alphas[0] == pytest.approx(1 - 1e-4)
    kept = 1.0
    for beta in np.linspace(1e-4, 0.02, 1000):
        kept *= 1 - beta
    assert linear.alphas[-1] == pytest.approx(kept, rel=1e-9)
    assert schedule("linear:500").alphas[0] == pytest.approx(1 - 2e-4)


def test_cosine_is_that_of_nichol_and_dhariwal() -> None:
    cosine = schedule("cosine:4000")
    assert cosine.steps == 4000

    def f(step: float) -> float:
        return math.cos((step / 4000 + 0.008) / 1.008 * math.pi / 2) ** 2

    for step in (0, 17, 1983, 3000):
        assert cosine.alphas[step] == pytest.approx(f(step + 1) / f(0), rel=1e-9)
    assert cosine.alphas[-1] == pytest.approx(cosine.alphas[-2] * 0.001, rel=1e-6)


@pytest.mark.parametrize("sigma", [0.12, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("name", ["linear", "cosine", "cosine:4000"])
def test_the_step_has_the_noise_of_the_smoothed_classifier(name: str, sigma: float) -> None:
    """(1 - a) / a = (2 sigma)^2 for pixels in [-1, 1], as nearly as a whole step can."""
    level = Level.of(DenoiserOptions("m:f", sigma, diffusion=name))
    assert level.step is not None
    assert level.schedule is not None
    alphas = level.schedule.alphas
    found = alphas[level.step.timestep]
    assert level.step.kept == found
    assert (1 - found) / found == pytest.approx((2 * sigma) ** 2, rel=0.05)
    off = np.abs(np.sqrt((1 - alphas) / alphas) - 2 * sigma)
    assert off.argmin() == level.step.timestep


def test_the_range_decides_what_sigma_is_to_the_model() -> None:
    halves = Level.of(DenoiserOptions("m:f", 0.5, (0.0, 1.0), diffusion="linear"))
    wholes = Level.of(DenoiserOptions("m:f", 0.25, diffusion="linear"))
    assert halves.step == wholes.step


@pytest.mark.parametrize(
    ("form", "write"),
    [
        ("npy", lambda path, alphas: np.save(path, alphas)),
        ("txt", lambda path, alphas: path.write_text("\n".join(map(repr, alphas.tolist())))),
        ("csv", lambda path, alphas: path.write_text(", ".join(map(repr, alphas.tolist())))),
    ],
)
def test_a_file_of_alphas(tmp_path: Path, form: str, write: Any) -> None:
    path = tmp_path / f"alphas.{form}"
    alphas = schedule("cosine").alphas
    write(path, alphas)
    assert np.array_equal(schedule(str(path)).alphas, alphas)


@pytest.mark.parametrize(
    ("config", "same"),
    [
        ({"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02}, "linear"),
        ({"beta_schedule": "squaredcos_cap_v2", "num_train_timesteps": 400}, "cosine:400"),
        ({"trained_betas": np.linspace(1e-4, 0.02, 1000).tolist()}, "linear"),
    ],
)
def test_a_scheduler_of_diffusers(tmp_path: Path, config: dict[str, Any], same: str) -> None:
    path = tmp_path / "scheduler_config.json"
    path.write_text(json.dumps(config | {"prediction_type": "v_prediction"}))
    found = schedule(str(path))
    assert np.allclose(found.alphas, schedule(same).alphas, rtol=1e-12, atol=0)
    assert found.predicts == "v_prediction"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read"),
        ('{"beta_schedule": "sigmoid"}', "has beta_schedule 'sigmoid'"),
        ('{"beta_schedule": "scaled_linear", "beta_start": -1}', "betas that grow within"),
        ('{"beta_schedule": "linear", "num_train_timesteps": 1e15}', "expected 1 to 1000000"),
        ('{"beta_schedule": "linear", "thresholding": true}', "asks for thresholding"),
        ('{"beta_schedule": "linear", "prediction_type": "flow"}', "has prediction_type 'flow'"),
    ],
)
def test_configurations_that_say_something_else(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "scheduler_config.json"
    path.write_text(content)
    refused(str(path), words)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sigmoid", "is neither a schedule nor a file"),
        ("cosine:", "has no number of steps"),
        ("cosine:many", "has no number of steps"),
        ("cosine:0", "has no number of steps"),
        ("linear:99999999999", "steps of 1 to 1000000"),
        ("linear:" + "9" * 200, "steps of 1 to 1000000"),
    ],
)
def test_names_of_nothing(name: str, words: str) -> None:
    refused(name, words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0.0001 0.0002 0.0003", "holds no alphas_cumprod"),
        ("0.9 nan", "holds no alphas_cumprod"),
        ("1.5 0.5", "holds no alphas_cumprod"),
        ("", "holds no alphas_cumprod"),
        ("a b", "cannot be read"),
    ],
)
def test_files_of_something_else(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "alphas.txt"
    path.write_text(text)
    refused(str(path), words)


@pytest.mark.parametrize("values", [["a", "b"], [0.9 + 1j, 0.5], [True, False]])
def test_arrays_of_no_numbers(tmp_path: Path, values: list[Any]) -> None:
    np.save(tmp_path / "alphas.npy", np.array(values))
    refused(str(tmp_path / "alphas.npy"), "cannot be read")


def refused(name: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        schedule(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sigma": 0.0}, "sigma 0.0 is out of range"),
        ({"sigma": 0.25, "range": (1.0, -1.0)}, "denoiser-range 1,-1 is no range"),
        ({"sigma": 0.25, "range": (0.0, math.inf)}, "is no range"),
        ({"sigma": 0.25, "shape": (3, 0, 8)}, "has a side below 1"),
        ({"sigma": 0.001, "diffusion": "linear"}, "has noise from 0.01 to"),
        ({"sigma": 4.0, "range": (0.0, 255.0), "diffusion": "linear"}, "has noise from 0.01 to"),
    ],
)
def test_what_means_nothing_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Level.of(DenoiserOptions("m:f", **options))
