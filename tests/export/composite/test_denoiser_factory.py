"""Denoisers that a function of the user's makes: what it may return, and what is refused."""

from pathlib import Path
from typing import Any

import denoisers
import numpy as np
import pytest
import torch

from smoothcert.engine.base.errors import InputError
from smoothcert.export.composite.denoiser import Denoiser
from smoothcert.export.composite.opening import open_denoiser
from smoothcert.export.composite.options import DenoiserOptions, Level

SHAPE = (3, 8, 8)


def opened(name: str, **options: Any) -> Denoiser:
    asked = DenoiserOptions(f"denoisers:{name}", **{"sigma": 0.25, **options})
    return open_denoiser(asked, Level.of(asked), SHAPE)


def test_a_module_runs_with_the_weights_that_it_has() -> None:
    found = opened("residual")
    images = np.random.default_rng(0).random((4, *SHAPE), np.float32)
    with torch.inference_mode():
        wanted = denoisers.residual().eval()(torch.from_numpy(images)).numpy()
    assert np.array_equal(found.run(images), wanted)
    assert (found.shape, found.channels, found.batch, found.told) == (SHAPE, 3, None, None)


def test_the_digest_is_of_the_weights() -> None:
    """The same for the same weights, and another where one of them moves."""
    assert opened("residual").sha256 == opened("residual").sha256
    assert opened("residual").sha256 != opened("epsilon", diffusion="linear").sha256


def test_a_factory_is_given_sigma_if_it_takes_it() -> None:
    """The refusal says how far apart two runs are: about as far as the noise of that sigma."""
    with pytest.raises(InputError, match=r"\(RandomNormalLike\), .* up to (\d)") as near:
        opened("renoising", sigma=0.01)
    assert "up to 0.0" in str(near.value)
    with pytest.raises(InputError, match=r"up to [1-9]"):
        opened("renoising", sigma=1.0)


def test_the_first_of_several_results_is_the_image() -> None:
    images = np.ones((2, *SHAPE), np.float32)
    assert np.array_equal(opened("a_tuple").run(images), 0.5 * images)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing", "cannot be imported"),
        ("failing", "cannot be made .RuntimeError: no weights at all"),
        ("NO_FACTORY", "is a int: expected a factory"),
        ("no_module", "made a str: expected a torch.nn.Module"),
        ("a_word", "returns no tensor"),
        ("shrinking", r"returns \[2, 3, 7, 7\] for images \[2, 3, 8, 8\]"),
        ("grey_residual", "does not run on images .*--denoiser-shape"),
        ("infinite", "values that are not finite"),
        ("learned_variance", "takes 't' beside the images.*--diffusion"),
        ("guided", "takes t, y beside the images"),
    ],
)
def test_what_is_no_denoiser_is_refused(name: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        opened(name)
    assert "\n" not in str(caught.value)


def test_a_module_of_another_place_is_refused(tmp_path: Path) -> None:
    for name in ("nowhere:denoiser", "nowhere", str(tmp_path / "absent.onnx")):
        asked = DenoiserOptions(name, 0.25)
        with pytest.raises(InputError, match="expected"):
            open_denoiser(asked, Level.of(asked), SHAPE)
