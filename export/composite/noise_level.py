"""A model that is made for one noise level is certified at no other."""

import math

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.model import Model


def check_sigma(model: Model, sigma: float) -> None:
    """Raise InputError where the model has a denoiser in front that is made for another sigma."""
    denoiser = model.metadata.get("denoiser")
    if not isinstance(denoiser, dict) or "sigma" not in denoiser:
        return
    own = float(denoiser["sigma"])
    if not math.isclose(own, sigma, rel_tol=1e-9):
        raise InputError(
            f"sigma {sigma:g} is not the one of model {model.given}, whose denoiser "
            f"{denoiser.get('name')} is made for {own:g}: expected --sigma {own:g}; for another, "
            "export it again with --denoiser and that --sigma"
        )
