"""What a denoiser is told beside the image: its noise level or a timestep, which are constants."""

from dataclasses import dataclass
from typing import Literal

from smoothcert.engine.base.errors import InputError
from smoothcert.export.composite.options import Level

_SIGMAS = (
    "sigma", "sigmas", "noise_level", "noise_levels", "noise_std", "noise_sigma", "noise_map",
    "noise_level_map", "std",
)  # fmt: skip
_TIMES = ("t", "ts", "time", "times", "timestep", "timesteps", "time_step")

_Kind = Literal["sigma", "timestep"]


@dataclass(frozen=True)
class Told:
    """A second input of a denoiser: its name, and the number that it is bound to.

    A sigma is in the denoiser's own pixel units, a timestep that of its diffusion.
    """

    name: str
    kind: _Kind
    value: float


def is_told(name: str) -> bool:
    """Whether an input of this name is a noise level or a timestep."""
    return _bare(name) in (*_SIGMAS, *_TIMES)


def told(denoiser: str, name: str, level: Level) -> Told:
    """What the input `name` of a denoiser is bound to.

    Raises InputError where nothing says what it wants to know.
    """
    bare = _bare(name)
    if level.step is not None and bare not in _SIGMAS:
        return Told(name, "timestep", level.step.timestep)
    if level.step is None and bare in _SIGMAS:
        return Told(name, "sigma", level.own)
    if level.step is None:
        raise InputError(
            f"denoiser {denoiser} takes {name!r} beside the images: expected the images alone, or "
            "their noise level as `sigma`; of a diffusion model's timestep give --diffusion linear "
            "(cosine, or a file of its alphas_cumprod)"
        )
    raise InputError(
        f"denoiser {denoiser} takes {name!r} beside the images, a noise level: expected the "
        "timestep of --diffusion; leave --diffusion out"
    )


def _bare(name: str) -> str:
    """Without what TensorFlow adds: `serving_default/t:0` is t."""
    return name.partition(":")[0].rpartition("/")[2].lower()
