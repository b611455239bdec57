"""Noise schedules of diffusion models, and the step whose noise is that of a smoothed classifier.

Carlini, Tramer, Dvijotham, Rice, Sun, Kolter, "(Certified!!) Adversarial Robustness for Free!"
(ICLR 2023), section 3: a diffusion model knows images as x_t = sqrt(a_t) x + sqrt(1 - a_t) z,
where a_t is the product of its first alphas. A smoothed classifier is given x + s z. Times
sqrt(a_t) that is x_t wherever s^2 = (1 - a_t) / a_t: one run of the model at that step takes the
noise away. Here s is in the model's own pixel units: of pixels in [-1, 1] it is 2 sigma.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError, one_line

Prediction = Literal["epsilon", "sample", "v_prediction"]
"""What a diffusion model's output is: the noise z, the image x, or sqrt(a) z - sqrt(1 - a) x."""

_STEPS = 1000
_MOST_STEPS = 1_000_000
_FURTHEST = 1.1  # a level of noise so many times above the last step's, or below the first's

_Alphas = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Step:
    """One step of a schedule.

    timestep  what the network is told, 0 .. steps - 1
    kept      a_t, the share of the image's variance that is left, in (0, 1)
    level     sqrt((1 - a_t) / a_t), the noise beside the image, in the network's pixel units
    """

    timestep: int
    kept: float
    level: float


@dataclass(frozen=True)
class Schedule:
    """A diffusion model's `alphas`, a_t for t = 0 .. steps - 1, under the name that a user gave it;
    `predicts` is what its network returns."""

    name: str
    alphas: _Alphas
    predicts: Prediction = "epsilon"

    @property
    def steps(self) -> int:
        """Its number of steps."""
        return len(self.alphas)

    def step_for(self, level: float) -> Step:
        """The step whose noise is nearest to `level`; raises InputError beyond the schedule."""
        levels = np.sqrt((1 - self.alphas) / self.alphas)
        if not levels[0] / _FURTHEST <= level <= levels[-1] * _FURTHEST:
            raise InputError(
                f"diffusion {self.name} has noise from {levels[0]:.4g} to {levels[-1]:.4g}: "
                f"expected {level:g}, which sigma is in the denoiser's pixel units, within; give "
                "the schedule that it was trained with"
            )
        timestep = int(np.abs(levels - level).argmin())
        return Step(timestep, float(self.alphas[timestep]), float(levels[timestep]))


def schedule(name: str) -> Schedule:
    """The schedule that --diffusion names.

    linear, cosine   as below, of 1000 steps, or of `linear:STEPS`
    FILE             .npy or text: a_t for every step (alphas_cumprod), one after the other;
                     .json: the scheduler_config.json of a diffusers model
    Raises InputError for anything else.
    """
    kind, colon, count = name.partition(":")
    if kind in _MADE and not Path(name).exists():
        return Schedule(name, _checked(name, _MADE[kind](_steps(name, count) if colon else _STEPS)))
    path = Path(name)
    if not path.is_file():
        raise InputError(
            f"diffusion {name!r} is neither a schedule nor a file: expected linear, cosine, "
            "cosine:STEPS, or a file of its alphas_cumprod"
        )
    try:
        if path.suffix == ".json":
            return _of_config(path)
        if path.suffix == ".npy":
            alphas = np.asarray(np.load(path, allow_pickle=False))
            if alphas.dtype.kind not in "fiu":
                raise ValueError(f"it holds {alphas.dtype}")
        else:
            alphas = np.array(path.read_text().replace(",", " ").split(), np.float64)
    except InputError:
        raise
    except Exception as error:  # whatever a file of something else raises
        raise InputError(
            f"diffusion {path} cannot be read ({one_line(error)}): expected alphas_cumprod as .npy "
            "or text, or a scheduler_config.json"
        ) from None
    return Schedule(path.name, _checked(str(path), alphas.astype(np.float64)))


def _steps(name: str, text: str) -> int:
    if not text.isdecimal() or len(text) > len(str(_MOST_STEPS)) or not _is_count(int(text)):
        raise InputError(
            f"diffusion {name!r} has no number of steps of 1 to {_MOST_STEPS}: expected one, such "
            "as cosine:4000"
        )
    return int(text)


def _is_count(steps: int) -> bool:
    return 1 <= steps <= _MOST_STEPS


def _checked(name: str, alphas: _Alphas) -> _Alphas:
    """The same; raises InputError unless they can be a_t."""
    falls = alphas.ndim == 1 and alphas.size > 0 and bool((np.diff(alphas) <= 0).all())
    if not falls or not (np.isfinite(alphas) & (alphas > 0) & (alphas < 1)).all():
        raise InputError(
            f"diffusion {name} holds no alphas_cumprod: expected one number of (0, 1) per step, "
            "each at most the one before (not betas)"
        )
    return alphas


def _of_betas(betas: _Alphas) -> _Alphas:
    return np.cumprod(1.0 - np.asarray(betas, np.float64)).astype(np.float64)


def _linear(steps: int) -> _Alphas:
    """Ho, Jain, Abbeel 2020: beta from 1e-4 to 0.02 at 1000 steps, and as steep at others."""
    scale = _STEPS / steps
    return _of_betas(np.linspace(scale * 1e-4, scale * 0.02, steps))


def _cosine(steps: int) -> _Alphas:
    """Nichol and Dhariwal 2021: a(t) is a squared cosine, and no beta is above 0.999."""
    share = np.cos((np.arange(steps + 1) / steps + 0.008) / 1.008 * np.pi / 2) ** 2
    return _of_betas(np.minimum(1 - share[1:] / share[:-1], 0.999))


_MADE: dict[str, Callable[[int], _Alphas]] = {"linear": _linear, "cosine": _cosine}


def _of_config(path: Path) -> Schedule:
    """What a diffusers scheduler's configuration says."""
    config: dict[str, Any] = json.loads(path.read_text())
    steps = int(config.get("num_train_timesteps", _STEPS))
    first, last = float(config.get("beta_start", 1e-4)), float(config.get("beta_end", 0.02))
    if not (_is_count(steps) and 0 < first <= last < 1):
        raise InputError(
            f"diffusion {path} has {steps} steps from beta_start {first:g} to beta_end {last:g}: "
            f"expected 1 to {_MOST_STEPS}, and betas that grow within (0, 1)"
        )
    kind, predicts = config.get("beta_schedule"), config.get("prediction_type", "epsilon")
    for option in ("thresholding", "rescale_betas_zero_snr"):
        if config.get(option):
            raise InputError(f"diffusion {path} asks for {option}: expected a schedule without it")
    if predicts not in get_args(Prediction):
        raise InputError(
            f"diffusion {path} has prediction_type {predicts!r}: expected "
            f"{', '.join(get_args(Prediction))}"
        )
    if config.get("trained_betas") is not None:
        alphas = _of_betas(config["trained_betas"])
    elif kind == "linear":
        alphas = _of_betas(np.linspace(first, last, steps))
    elif kind == "scaled_linear":
        alphas = _of_betas(np.linspace(first**0.5, last**0.5, steps) ** 2)
    elif kind == "squaredcos_cap_v2":
        alphas = _cosine(steps)
    else:
        raise InputError(
            f"diffusion {path} has beta_schedule {kind!r}: expected linear, scaled_linear or "
            "squaredcos_cap_v2"
        )
    return Schedule(path.name, _checked(str(path), alphas), predicts)
