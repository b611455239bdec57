"""`Smooth`: the original interface, exact radii on linear classifiers, and sound floating point."""

import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from smoothcert.engine import Smooth
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.statistics.bounds import certified_radius


class Linear(torch.nn.Module):
    """Two classes divided by a hyperplane: the smoothed radius is the distance to it, exactly."""

    weight: torch.Tensor

    def __init__(self, weight: torch.Tensor, bias: float) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.bias = bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        score = x.flatten(1).double() @ self.weight + self.bias
        return torch.stack([score, -score], dim=1)


def grid_image(shape: tuple[int, int, int], seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=generator).float() / 255


@pytest.mark.slow
def test_linear_radii_are_never_exceeded_and_nearly_reached() -> None:
    """200 images at n = 5,000: below the true radius, and above what a 1e-6 quantile of the
    true binomial would give."""
    sigma, n, alpha, shape = 0.5, 5000, 0.001, (1, 7, 7)
    generator = torch.Generator().manual_seed(0)
    certified = 0
    for i in range(200):
        weight = torch.randn(49, generator=generator, dtype=torch.float64)
        x = grid_image(shape, i)
        target = sigma * 2.5 * i / 200 * float(weight.norm())
        bias = target - float(x.flatten().double() @ weight)
        true_radius = target / float(weight.norm())
        smooth = Smooth(Linear(weight, bias), 2, sigma, seed=5)
        predict, radius = smooth.certify(x, n0=100, n=n, alpha=alpha, batch_size=1000)
        if predict != Smooth.ABSTAIN:
            certified += 1
            assert predict == 0 or true_radius < 0.1
            assert radius <= true_radius
        p = float(stats.norm.cdf(true_radius / sigma))
        worst = int(stats.binom.ppf(1e-6, n, p))
        if predict == 0 or true_radius > 0.5:
            # 1e-4 covers the grid: rounding adds 1/12 step^2 to the noise's variance.
            assert radius >= certified_radius(worst, n, alpha, sigma) - 1e-4
    assert certified > 180


class LowBits(torch.nn.Module):
    """Class 1 if some |z| < 2^-5 is not a multiple of 2^-28: it recognises rounding patterns."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = x.flatten(1).double()
        odd = (z.abs() < 2**-5) & (z * 2**28 != torch.round(z * 2**28))
        seen = odd.any(dim=1).double()
        return torch.stack([1 - seen, seen], dim=1)


def test_float_noise_certifies_a_false_radius_and_ours_does_not() -> None:
    """statistics.md section 4: x + sigma * randn in float32 depends on x in its low bits."""
    sigma, n, alpha = 0.5, 100_000, 0.001
    black, grey = torch.zeros(1, 16, 16), torch.full((1, 16, 16), 16 / 255)
    distance = float((grey.double() - black.double()).norm())
    base = LowBits()

    def usual_votes(x: torch.Tensor) -> int:
        generator = torch.Generator().manual_seed(0)
        votes = 0
        for _ in range(n // 10_000):
            noisy = x + sigma * torch.randn((10_000, 1, 16, 16), generator=generator)
            votes += int(base(noisy).argmax(1).sum())
        return votes

    radius = certified_radius(usual_votes(black), n, alpha, sigma)
    assert radius > 1.6 > 1.01 > distance
    assert usual_votes(grey) == 0  # inside the "certified" ball the class has no vote at all

    smooth = Smooth(base, 2, sigma, seed=5)
    predict, sound = smooth.certify(black, 100, n, alpha, 10_000)
    assert predict == 1
    assert sound > distance
    # Here the certificate is true: everywhere inside the ball the same class wins.
    assert smooth.certify(grey, 100, n, alpha, 10_000)[0] == 1


def test_same_image_same_answer_and_batch_size_does_not_matter() -> None:
    weight = torch.randn(49, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x = grid_image((1, 7, 7), 3)
    smooth = Smooth(Linear(weight, 1.0), 2, 0.25, seed=5)
    first = smooth.certify(x, 50, 1000, 0.001, 64)
    assert smooth.certify(x, 50, 1000, 0.001, 64) == first
    assert smooth.certify(x, 50, 1000, 0.001, 7) == first
    assert smooth.certify(x.numpy(), 50, 1000, 0.001, 1000) == first
    assert isinstance(first[0], int)
    assert isinstance(first[1], float)
    assert smooth.predict(x, 1000, 0.001, 100) == first[0]


def test_seed_changes_the_samples() -> None:
    x = grid_image((1, 7, 7), 3)
    weight = torch.randn(49, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    bias = 0.2 * float(weight.norm()) - float(x.flatten().double() @ weight)
    answers = {
        Smooth(Linear(weight, bias), 2, 0.5, seed=s).certify(x, 10, 1000, 0.001, 500)[1]
        for s in range(5)
    }
    assert len(answers) > 1


def test_a_seed_is_drawn_and_told() -> None:
    module = Linear(torch.ones(4, dtype=torch.float64), 0.0)
    assert Smooth(module, 2, 0.25, seed=7).seed == 7
    drawn = {Smooth(module, 2, 0.25).seed for _ in range(64)}
    assert len(drawn) == 64
    assert all(0 <= seed < 2**64 for seed in drawn)
    assert max(drawn) >= 2**60
    with pytest.raises(InputError, match="seed -1 is out of range"):
        Smooth(module, 2, 0.25, seed=-1)


def test_a_drawn_seed_repeats_its_certificates() -> None:
    x = grid_image((1, 7, 7), 3)
    weight = torch.randn(49, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    bias = 0.2 * float(weight.norm()) - float(x.flatten().double() @ weight)
    drawn = Smooth(Linear(weight, bias), 2, 0.5)
    again = Smooth(Linear(weight, bias), 2, 0.5, seed=drawn.seed)
    found = drawn.certify(x, 10, 1000, 0.001, 500)
    assert again.certify(x, 10, 1000, 0.001, 500) == found


def test_modules_run_in_eval_mode_and_stay_in_the_mode_they_were_in() -> None:
    """Also a module that is set to training again between two calls."""
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.9), torch.nn.Linear(4, 2))
    smooth, x = Smooth(module, 2, 0.25), torch.zeros(1, 2, 2)
    expected = Smooth(module.eval(), 2, 0.25, seed=smooth.seed).certify(x, 20, 500, 0.001, 10)
    for _ in range(2):
        module.train()
        assert smooth.certify(x, 20, 500, 0.001, 10) == expected
        assert all(part.training for part in module.modules())


def test_weights_that_change_between_calls_are_seen() -> None:
    module: Any = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    smooth, x = Smooth(module, 2, 0.25), torch.full((1, 2, 2), 128 / 255)
    with torch.no_grad():
        module[1].weight.zero_()
        for label in (0, 1):
            module[1].bias.copy_(torch.tensor([1.0 - label, float(label)]))
            assert smooth.predict(x, 50, 0.001, 10) == label


def test_nan_logits_never_certify() -> None:
    class Broken(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits = torch.zeros(len(x), 3)
            logits[:, 1] = float("nan")
            return logits

    smooth = Smooth(Broken(), 3, 0.25)
    assert smooth.certify(torch.zeros(1, 2, 2), 10, 100, 0.001, 10) == (Smooth.ABSTAIN, 0.0)
    assert smooth.predict(torch.zeros(1, 2, 2), 100, 0.001, 10) == Smooth.ABSTAIN


def test_off_grid_images_need_snap_and_lose_the_distance() -> None:
    weight = torch.ones(49, dtype=torch.float64)
    x = grid_image((1, 7, 7), 3)
    moved = x.double() + 0.3 / 255
    bias = 3.0 - float(x.flatten().double() @ weight)
    with pytest.raises(InputError, match="snap=True"):
        Smooth(Linear(weight, bias), 2, 0.5).certify(moved, 10, 1000, 0.001, 100)
    on_grid = Smooth(Linear(weight, bias), 2, 0.5, seed=5).certify(x, 10, 1000, 0.001, 100)
    snapping = Smooth(Linear(weight, bias), 2, 0.5, seed=5, snap=True)
    snapped = snapping.certify(moved, 10, 1000, 0.001, 100)
    assert snapped[0] == on_grid[0]
    distance = 0.3 / 255 * 7
    assert on_grid[1] - distance - 2e-6 <= snapped[1] <= on_grid[1] - distance + 1e-6
    # A ball that does not reach x certifies nothing there.
    bias = 0.0012 * 7 - float(x.flatten().double() @ weight)
    far = Smooth(Linear(weight, bias), 2, 0.5, seed=5, snap=True).certify(
        x.double() + 0.49 / 255, 10, 1000, 0.001, 100
    )
    assert far == (Smooth.ABSTAIN, 0.0)


@pytest.mark.parametrize(
    ("of", "snap"),
    [
        (lambda u: u.float() / 255, False),  # ToTensor
        (lambda u: torch.nextafter(u.float() / 255, torch.tensor(2.0)), False),
        (lambda u: torch.nextafter(u.float() / 255, torch.tensor(-1.0)).clamp(min=0), False),
        (lambda u: (u.float() / 255).double(), False),
        (lambda u: u.double() / 255, False),
        (lambda u: (u.double() / 255).numpy(), False),
        (lambda u: (u.float() / 255).half(), True),
        (lambda u: (u.float() / 255).bfloat16(), True),
    ],
    ids=["float32", "ulp above", "ulp below", "float32 in float64", "float64", "numpy", "float16",
         "bfloat16"],
)  # fmt: skip
def test_rounding_to_floats_comes_off_the_radius(
    of: Callable[[torch.Tensor], Any], snap: bool
) -> None:
    """Exactly: the ball about x, as its floats are, lies in the one about the 8-bit image."""
    n, sigma, alpha = 200, 0.5, 0.001
    u = torch.arange(256).reshape(1, 16, 16)
    x = of(u)
    always = Linear(torch.zeros(256, dtype=torch.float64), 1.0)
    if snap:
        with pytest.raises(InputError, match="snap=True"):
            Smooth(always, 2, sigma).certify(x, 1, n, alpha, 100)
    predict, radius = Smooth(always, 2, sigma, snap=snap).certify(x, 1, n, alpha, 100)
    assert predict == 0
    tau = LatticeGaussian(sigma).total_variation(256)
    about_u = certified_radius(n, n, alpha, sigma, total_variation=tau)
    values = x.double().flatten().tolist() if isinstance(x, torch.Tensor) else x.flatten().tolist()
    squared = sum((Fraction(value) - Fraction(i, 255)) ** 2 for i, value in enumerate(values))
    assert squared > 0
    taken = Fraction(about_u) - Fraction(radius)
    assert taken > 0
    assert taken**2 >= squared
    assert float(taken) <= float(squared) ** 0.5 + 1.001e-6


def test_a_black_and_white_image_loses_nothing() -> None:
    x = torch.tensor([0.0, 1.0, 1.0, 0.0]).reshape(1, 2, 2)
    always = Linear(torch.zeros(4, dtype=torch.float64), 1.0)
    expected = certified_radius(
        200, 200, 0.001, 0.5, total_variation=LatticeGaussian(0.5).total_variation(4)
    )
    assert Smooth(always, 2, 0.5).certify(x, 1, 200, 0.001, 100) == (0, expected)
    # Not a spot of it may be off.
    x[0, 0, 0] = 2.0**-40
    assert Smooth(always, 2, 0.5).certify(x, 1, 200, 0.001, 100)[1] < expected


def test_model_path(linear_model: Callable[..., Path]) -> None:
    rng = np.random.default_rng(4)
    path = linear_model(rng.normal(size=(3, 49)), np.array([50.0, 0.0, 0.0]), (1, 7, 7))
    x = grid_image((1, 7, 7), 3)
    predict, radius = Smooth(str(path), 3, 0.25, seed=5).certify(x, 20, 500, 0.001, 64)
    assert predict in (0, 1, 2)
    assert radius > 0
    with pytest.raises(InputError, match="expected them to agree"):
        Smooth(path, 4, 0.25).certify(x, 20, 500, 0.001, 64)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.zeros(2, 2), "shape"),
        (torch.full((1, 2, 2), 1.5), r"\[0, 1\]"),
        (torch.full((1, 2, 2), -0.1), r"\[0, 1\]"),
        (torch.full((1, 2, 2), float("nan")), r"\[0, 1\]"),
        (torch.full((1, 2, 2), 0.5), "255"),
    ],
)
def test_bad_images_are_refused(x: torch.Tensor, words: str) -> None:
    smooth = Smooth(Linear(torch.ones(4, dtype=torch.float64), 0.0), 2, 0.25)
    with pytest.raises(InputError, match=words):
        smooth.certify(x, 10, 100, 0.001, 10)


def test_bad_settings_are_refused() -> None:
    module = Linear(torch.ones(4, dtype=torch.float64), 0.0)
    x = torch.zeros(1, 2, 2)
    with pytest.raises(InputError, match="sigma"):
        Smooth(module, 2, 0.0)
    with pytest.raises(InputError, match="too small ever to certify"):
        Smooth(module, 2, 0.25).certify(x, 10, 5, 0.001, 10)
    with pytest.raises(InputError, match="batch_size"):
        Smooth(module, 2, 0.25).certify(x, 10, 100, 0.001, 0)
    with pytest.raises(InputError, match="check num_classes"):
        Smooth(module, 3, 0.25).certify(x, 10, 100, 0.001, 10)
    for alone in (1, 0):  # of one class every radius would be the ceiling
        with pytest.raises(InputError, match=f"num_classes {alone} is "):
            Smooth(module, alone, 0.25)
    with pytest.raises(InputError, match="alpha 1e-13 is out of range"):
        Smooth(module, 2, 0.25).certify(x, 10, 1000, 1e-13, 10)
    with pytest.raises(InputError, match="alpha 1e-13 is out of range"):
        Smooth(module, 2, 0.25).predict(x, 1000, 1e-13, 10)


class Prototypes(torch.nn.Module):
    """The nearest of K points: the other votes are spread over the K - 1 others."""

    points: torch.Tensor

    def __init__(self, points: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("points", points)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return -torch.cdist(x.flatten(1), self.points)


def test_two_class_radii_are_larger_and_still_true() -> None:
    """Of points that are all as far from each other, g's class is the nearest one's: its radius is
    half of the distance between two hyperplanes' sides, which is the distance to the next one."""
    points = torch.zeros(8, 16)
    points[torch.arange(8), torch.arange(8)] = 0.8
    x = points[2].round(decimals=0).reshape(1, 4, 4)  # black but for one white pixel
    one = Smooth(Prototypes(points), 8, 0.75, seed=3)
    two = Smooth(Prototypes(points), 8, 0.75, seed=3, bound="two-class")
    for n in (2000, 20_000):
        (first, alone), (second, both) = (each.certify(x, 50, n, 0.001, 500) for each in (one, two))
        assert first in (2, Smooth.ABSTAIN)
        assert second == 2
        # The bisector between two of the points.
        assert alone < both < 1 / math.sqrt(2)
    with pytest.raises(InputError, match="bound 'all' is unknown"):
        Smooth(Prototypes(points), 8, 0.5, bound="all")
