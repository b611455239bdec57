"""What a user says of a denoiser, and what follows from it alone."""

import math
from dataclasses import dataclass
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.export.composite.resizing import Between
from smoothcert.export.composite.schedule import Schedule, Step, schedule

_PIXELS, _DIFFUSION_PIXELS = (0.0, 1.0), (-1.0, 1.0)


@dataclass(frozen=True)
class DenoiserOptions:
    """The options --denoiser, --sigma, ... of a composite.

    denoiser       pkg.module:factory, or the path of an ONNX file
    sigma          the noise level that it is made for and certified at, of [0, 1] pixels
    range          what the pixels 0 and 255 are to the denoiser, as it takes and returns them; None
                   for [0, 1], and [-1, 1] of a diffusion model
    shape          C, H, W of its images, where it takes any; None for the classifier's
    diffusion      the schedule of a diffusion model, see schedule.schedule
    interpolation  between the two, where their images differ in size
    """

    denoiser: str
    sigma: float
    range: tuple[float, float] | None = None
    shape: tuple[int, int, int] | None = None
    diffusion: str | None = None
    interpolation: Between = "bicubic"

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        LatticeGaussian(self.sigma)
        if self.range is not None:
            low, high = self.range
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise InputError(
                    f"denoiser-range {low:g},{high:g} is no range: expected LOW,HIGH, what pixels "
                    "0 and 255 are to the denoiser, such as -1,1"
                )
        if self.shape is not None and min(self.shape) < 1:
            raise InputError(f"denoiser-shape {self.shape} has a side below 1: expected C,H,W >= 1")


@dataclass(frozen=True)
class Level:
    """The noise as a denoiser knows it.

    sigma      of [0, 1] pixels
    low, high  what 0 and 1 are in its own pixel units
    step       of a diffusion model's schedule, the one whose noise it is
    """

    sigma: float
    low: float
    high: float
    schedule: Schedule | None = None
    step: Step | None = None

    @classmethod
    def of(cls, options: DenoiserOptions) -> "Level":
        """Raises InputError where a schedule is none, or has no such noise."""
        if options.diffusion is None:
            return cls(options.sigma, *(options.range or _PIXELS))
        found = schedule(options.diffusion)
        low, high = options.range or _DIFFUSION_PIXELS
        return cls(options.sigma, low, high, found, found.step_for(options.sigma * (high - low)))

    @property
    def own(self) -> float:
        """The noise level in the denoiser's pixel units."""
        return self.sigma * (self.high - self.low)

    def clean(self) -> tuple[float, float]:
        """(a, b) such that the clean image is a * noisy + b * output: 0, 1 of one that returns it.

        noisy is the image in the denoiser's pixel units, before it is scaled to x_t; so the noise z
        that a network found is off by the step's level alone: x = noisy - level * z.
        """
        predicts = "sample" if self.schedule is None else self.schedule.predicts
        if self.step is None or predicts == "sample":
            return 0.0, 1.0
        if predicts == "epsilon":
            return 1.0, -self.step.level
        return self.step.kept, -((1 - self.step.kept) ** 0.5)

    def describe(self) -> dict[str, Any]:
        """The part of the metadata that says how the denoiser is used."""
        facts: dict[str, Any] = {"sigma": self.sigma, "range": [self.low, self.high]}
        if self.schedule is not None and self.step is not None:
            facts["diffusion"] = {
                "schedule": self.schedule.name,
                "steps": self.schedule.steps,
                "timestep": self.step.timestep,
                "alpha_cumprod": self.step.kept,
                "predicts": self.schedule.predicts,
            }
        return facts

    def sentence(self) -> str | None:
        """The step of a diffusion model, in words; None where there is none."""
        if self.schedule is None or self.step is None:
            return None
        noise = self.step.level / (self.high - self.low)
        return (
            f"one step of diffusion {self.schedule.name}: timestep {self.step.timestep} of "
            f"{self.schedule.steps}, whose noise is sigma {noise:.4g}; the network returns "
            f"{_WORDS[self.schedule.predicts]}, the image is clipped to "
            f"{self.low:g}..{self.high:g}"
        )


_WORDS = {"epsilon": "the noise", "sample": "the image", "v_prediction": "v"}
