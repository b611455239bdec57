"""`Smooth`: the original code's class, with exact noise, bounds that hold, and any model."""

import contextlib
import hashlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.backends.base import Backend, Compute
from smoothcert.engine.backends.live_module import LiveModule
from smoothcert.engine.backends.opening import open_backend
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import LEVELS, InputSpec
from smoothcert.engine.base.ranges import BATCH, CLASSES, SIGMA
from smoothcert.engine.base.wording import shown
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.streams import check_seed, fresh_seed
from smoothcert.engine.run.repeats import Repeats
from smoothcert.engine.run.scheduler import Scheduler
from smoothcert.engine.sources.base import LabelledImage
from smoothcert.engine.statistics.bounds import ABSTAIN, RADIUS_STEPS
from smoothcert.engine.statistics.class_bounds import check_bound
from smoothcert.engine.statistics.procedures import Decision, FixedCertify, Predict, Procedure
from smoothcert.export.composite.noise_level import check_sigma
from smoothcert.export.opening import open_model

if TYPE_CHECKING:
    import torch

# In grid steps: so close to the grid an image needs no `snap`. float32 images are, from ToTensor or
# an ulp away. However little it is off, the distance comes off the radius.
_ON_GRID = 255 * 2.0**-22
# 255 x in float64 is off by at most this.
_PRODUCT_ERROR = 2.0**-45


class Smooth:
    """The smoothed classifier g of Cohen, Rosenfeld, Kolter 2019.

    base_classifier  a torch module from [N, C, H, W] images in [0, 1] to logits [N, num_classes],
                     or the path of a model (ONNX, or a checkpoint that `export` understands). A
                     module is run in eval mode where it is, with the weights it has at each call;
                     afterwards it is in the mode it was in.
    num_classes      of the base classifier, at least 2
    sigma            noise level in [0, 1]-pixel units, in [0.0002, 4]
    seed             64-bit seed of the noise: the same seed and image give the same samples; None:
                     fresh bits of the operating system's randomness
    bound            "two-class": certify bounds the runner-up's probability too, and so certifies
                     larger radii where the other votes are spread over many classes
    snap             accept images off the 8-bit grid: they are moved to it, and the radius shrinks
                     by the distance moved

    What g smooths is the base classifier composed with rounding to the 8-bit grid: g(x) is the
    class that this one gives most often at round(255 (x + sigma z)) / 255, z standard normal. x is
    the image as the base classifier gets it, after resize and crop. Neither x nor the weights may
    depend on the seed: a model made for a known one can win every vote and be certified falsely.
    """

    ABSTAIN = ABSTAIN

    def __init__(
        self,
        base_classifier: "torch.nn.Module | str | Path",
        num_classes: int,
        sigma: float,
        *,
        seed: int | None = None,
        snap: bool = False,
        bound: str = "one-sided",
    ) -> None:
        CLASSES.check(num_classes, "num_classes")
        if num_classes < 2:
            raise InputError(
                f"num_classes {num_classes} is too small: expected at least 2, since one class "
                "alone always wins; a single sigmoid needs a second logit"
            )
        self.base_classifier = base_classifier
        self.num_classes = num_classes
        self.sigma = float(SIGMA.check(sigma))
        self._law = LatticeGaussian(self.sigma)
        self._seed = fresh_seed() if seed is None else check_seed(seed)
        self._snap = snap
        self._bound = check_bound(bound)
        self._opened: dict[tuple[tuple[int, int, int], int], LiveModule | Backend] = {}
        self._watched: Backend | None = None  # what _repeats counts for

    @property
    def seed(self) -> int:
        """The seed of the noise, given or drawn: with it, another Smooth repeats the samples."""
        return self._seed

    def certify(self, x: Any, n0: int, n: int, alpha: float, batch_size: int) -> tuple[int, float]:
        """Certify the prediction at x: (class, radius), or (ABSTAIN, 0.0).

        With probability at least 1 - alpha over the noise, a returned class is what g predicts
        for every real input within the returned L2 radius of x, whose values count as they are:
        the samples are of the 8-bit image u / 255 next to x, and the distance to it is off the
        radius already, rounding to float32 included. x is a [C, H, W] tensor or array in [0, 1].
        Raises InputError for settings or an x outside their ranges.
        """
        image, moved = self._on_grid(x)
        tau = self._law.total_variation(image.size)
        procedure = FixedCertify(self.sigma, n0, n, alpha, tau, self._bound)
        decision = self._decide(procedure, image, batch_size)
        radius = decision.radius
        if moved > 0.0:
            steps = round(radius * RADIUS_STEPS) - math.ceil(moved * RADIUS_STEPS)
            if steps < 0:  # the ball around the grid point does not reach x
                return ABSTAIN, 0.0
            radius = steps / RADIUS_STEPS
        return decision.predict, radius

    def predict(self, x: Any, n: int, alpha: float, batch_size: int) -> int:
        """The class g predicts at x, or ABSTAIN.

        With probability at least 1 - alpha over the noise, a returned class is what g predicts at
        the 8-bit image next to x. x as in certify.
        """
        image, _ = self._on_grid(x)
        procedure = Predict(n, alpha, self._law.total_variation(image.size))
        return self._decide(procedure, image, batch_size).predict

    def _decide(
        self, procedure: Procedure, image: npt.NDArray[np.uint8], batch_size: int
    ) -> Decision:
        # A content hash, so that an image keeps its noise whatever order it comes in.
        digest = hashlib.blake2b(image.tobytes(), digest_size=4).digest()
        index = int.from_bytes(digest, "little")
        with self._ready(_sides(image), batch_size) as backend:
            if backend is not self._watched:
                self._watched, self._repeats = backend, Repeats([backend.describe()])
            scheduler = Scheduler(backend, procedure, last_batch=False)
            (certificate,) = scheduler.run([LabelledImage(index, -1, image)])
        self._repeats.take(certificate)
        return certificate.decision

    def _ready(
        self, shape: tuple[int, int, int], batch_size: int
    ) -> contextlib.AbstractContextManager[Backend]:
        BATCH.check(batch_size, "batch_size")
        key = (shape, batch_size)
        if key not in self._opened:
            self._opened[key] = self._open(shape, batch_size)
        opened = self._opened[key]
        return opened.ready() if isinstance(opened, LiveModule) else contextlib.nullcontext(opened)

    def _open(self, shape: tuple[int, int, int], batch_size: int) -> LiveModule | Backend:
        if not isinstance(self.base_classifier, str | Path):
            return LiveModule(
                self.base_classifier, InputSpec(*shape), self.num_classes, self._law, self._seed,
                batch_size,
            )  # fmt: skip
        model = open_model(Path(self.base_classifier))
        check_sigma(model, self.sigma)
        if model.spec.shape != shape or model.num_classes != self.num_classes:
            raise InputError(
                f"model {model.given} maps {model.spec.shape} to {model.num_classes} classes, got "
                f"x of shape {shape} and num_classes {self.num_classes}: expected them to agree"
            )
        return open_backend(model, self._law, self._seed, Compute(batch=batch_size))

    def _on_grid(self, x: Any) -> tuple[npt.NDArray[np.uint8], float]:
        """x as 8-bit pixels, and an upper bound on how far that moved it (0.0 only where it did
        not at all)."""
        if hasattr(x, "detach"):
            x = x.detach().cpu().double().numpy()
        try:
            values = np.asarray(x, dtype=np.float64)
        except (TypeError, ValueError):
            raise InputError(f"x {shown(x)} is no array of numbers: expected [C, H, W]") from None
        if values.ndim != 3 or not values.size:
            raise InputError(f"x has shape {values.shape}: expected one image [C, H, W]")
        scaled = values * LEVELS
        pixels = np.rint(scaled)
        if not np.all((pixels >= 0) & (pixels <= LEVELS)):
            raise InputError(
                f"x ranges from {values.min():g} to {values.max():g}: expected values in [0, 1]"
            )
        # Of the grid's points floats have 0 and 1 alone.
        exact = (values == 0.0) | (values == 1.0)
        off = np.where(exact, 0.0, np.abs(scaled - pixels) + _PRODUCT_ERROR)
        if off.max(initial=0.0) > _ON_GRID and not self._snap:
            raise InputError(
                f"x has values up to {off.max() / LEVELS:g} away from multiples of 1/255: expected "
                "an 8-bit image (u / 255); Smooth(..., snap=True) moves it to the grid and takes "
                "the distance off the radius"
            )
        moved = float(np.sqrt((off**2).sum())) / LEVELS * (1 + 1e-9)  # sums are rounded too
        return pixels.astype(np.uint8), moved


def _sides(image: npt.NDArray[np.uint8]) -> tuple[int, int, int]:
    channels, height, width = image.shape
    return channels, height, width
