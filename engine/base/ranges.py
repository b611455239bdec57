"""The range of every number that a user, a file or a script may say, and why it ends where it does.

One place for all: options, the Python functions, what a checkpoint says of itself and what a
manifest records are held against these. docs/limits.md is their table, and a test compares them.
"""

import math
import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.wording import shown

_WHOLE = re.compile(r"[+-]?[0-9]+")
_REAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_LONGEST = 400
"""Characters of a number that is read; no number in a range needs as many."""


@dataclass(frozen=True)
class Range:
    """A number's range: whole numbers where `low` is one.

    name   as messages call it, and as the option is spelled
    what   what it is, in a few words
    why    why its bounds are where they are
    above  low itself is outside
    below  high itself is outside
    other  a value that is allowed too, and means something of its own
    """

    name: str
    low: int | float
    high: int | float
    what: str
    why: str
    above: bool = False
    below: bool = False
    other: int | float | None = None

    @property
    def whole(self) -> bool:
        """Whether it is of whole numbers."""
        return isinstance(self.low, int)

    def expected(self, name: str | None = None) -> str:
        """The range as a formula, such as 0 < sigma <= 4."""
        left, right = "<" if self.above else "<=", "<" if self.below else "<="
        formula = f"{_bound(self.low)} {left} {name or self.name} {right} {_bound(self.high)}"
        return formula if self.other is None else f"{formula}, or {_bound(self.other)}"

    def holds(self, value: object) -> bool:
        """Whether a value is a number of this range; numpy's numbers are, and True is not."""
        number = self._number(value)
        return number is not None and self._inside(number)

    def check(self, value: object, name: str | None = None) -> int | float:
        """The number, as an int or a float. Raises InputError for one outside the range, and for
        what is no such number; `name` is what the message calls it."""
        called = name or self.name
        number = self._number(value)
        if number is None:
            kind = "whole number" if self.whole else "number"
            raise InputError(
                f"{called} {shown(value)} is no {kind}: expected {self.expected(called)}, "
                f"{self.what}"
            )
        if not self._inside(number):
            raise InputError(
                f"{called} {_short(number)} is out of range: expected {self.expected(called)}, "
                f"{self.what}"
            )
        return number

    def whole_number(self, value: object, name: str | None = None) -> int:
        """`check`, of a range of whole numbers."""
        return int(self.check(value, name))

    def check_all(self, values: Sequence[object], name: str | None = None) -> None:
        """Raise InputError for the first of these that `check` refuses."""
        for value in values:
            self.check(value, name)

    def spells(self, text: str) -> bool:
        """Whether a text is a number of this kind, in the range or not, in the digits 0 to 9."""
        return (_WHOLE if self.whole else _REAL).fullmatch(text) is not None

    def read(self, text: str, name: str | None = None) -> int | float:
        """The number that a text says in the digits 0 to 9; raises InputError for a text that says
        none, or one outside the range."""
        called = name or self.name
        if not self.spells(text):
            return self.check(text, name)
        if len(text) > _LONGEST:
            raise InputError(
                f"{called} has {len(text)} characters: expected {self.expected(called)}, "
                f"{self.what}"
            )
        return self.check(int(text) if self.whole else float(text), name)

    def _number(self, value: object) -> int | float | None:
        if isinstance(value, bool | str | bytes | bytearray):
            return None
        try:
            return operator.index(value) if self.whole else float(value)  # type: ignore[arg-type]
        except OverflowError:  # an integer beyond every float
            return math.inf
        except Exception:  # of anyone's class: what it raises is up to it
            return None

    def _inside(self, number: int | float) -> bool:
        if self.other is not None and number == self.other:
            return True
        low = self.low < number if self.above else self.low <= number
        return low and (number < self.high if self.below else number <= self.high)


def _bound(value: int | float) -> str:
    if isinstance(value, int):
        for power in (32, 63, 64):
            if value == 2**power:
                return f"2^{power}"
        return str(value)
    return f"{value:g}"


def _short(number: int | float) -> str:
    return shown(number) if isinstance(number, int) else repr(number)


_ONE_LOG_EACH = "a log and a manifest each, all of which `merge` opens"
_ADDRESS = "an image's number is 32 bits of the address of its noise"

SIGMA = Range(
    "sigma",
    0.0002,
    4.0,
    "the noise level of [0,1] pixels",
    "above, noisy pixels do not fit 16 bits; at the lower end noise that is rounded to the 8-bit"
    " grid moves a pixel once in 2^64 draws, and below never",
)
SIGMAS = Range(
    "sigmas", 1, 100, "how many sigmas are asked for", "each has a run and a log of its own"
)
PICTURED_SIGMA = Range(
    "sigma",
    SIGMA.low,
    SIGMA.high,
    "the noise level of [0,1] pixels; 0 is no noise",
    "as for certificates; training and pictures can do without noise",
    other=0.0,
)
RADIUS_SIGMA = Range(
    "sigma",
    0.0,
    1e6,
    "the noise level, in the unit of the radius",
    "of `certified_radius` alone, in any unit: radii in steps of 1e-6 stay exact",
    above=True,
)
ALPHA = Range(
    "alpha",
    1e-12,
    1.0,
    "the probability of a wrong certificate",
    "the functions that bounds rest on are exact enough from there on",
    below=True,
)
ALPHA_ZETA = Range("alpha-zeta", ALPHA.low, ALPHA.high, ALPHA.what, "as alpha", below=True)
RHO = Range("rho", ALPHA.low, ALPHA.high, "the failure probability of a table's lower bounds",
            "as alpha", below=True)  # fmt: skip
SAMPLES = Range(
    "n", 1, 10**9, "samples of an image", "bounds are checked against exact arithmetic up to there"
)
TOTAL_VARIATION = Range(
    "total_variation",
    0.0,
    1.0,
    "the sampler's distance from the ideal noise",
    "it is one of probabilities; a negative one would add to what it is taken off",
)
TABLE_SAMPLES = Range(
    "n",
    1,
    10**7,
    "samples of an image in table mode",
    "rounding is covered up to there; planning then takes half a minute, once",
)
SELECTION_SAMPLES = Range("n0", 1, 10**9, "selection samples of an image", "as n")
PILOT_SAMPLES = Range("n0", 1, 10**6, "pilot samples of an image in radius mode",
                      "each of its counts is planned for, half a minute in all")  # fmt: skip
PAIRED_SAMPLES = Range("n-zeta", 1, 10**9, "paired samples of an image", "as n")
RADIUS = Range(
    "radius", 0.0, 1e6, "an L2 radius of [0,1] pixels", "radii in steps of 1e-6 stay exact"
)
RADII = Range(
    "radii",
    1,
    1000,
    "how many radii are asked for",
    "each is planned and checked; n times their number is at most 10^9, a minute or two",
)
TOLERANCE = Range(
    "tolerance",
    0.0,
    1.0,
    "the part of the radius that may be given up, such as 0.01",
    "a part of one",
    above=True,
    below=True,
)
BUDGET_SAMPLES = Range(
    "budget", 1, 10**15, "samples such as 5e7, or a time such as 30m", "years of any device"
)
BUDGET_SECONDS = Range(
    "budget", 0.0, 1e8, "a time such as 90s, 30m, 2h or 1d, or samples", "three years", above=True
)
SAMPLES_PRICE = Range(
    "samples price",
    0.0,
    1e6,
    "a radius / sigma per 100,000 samples, such as 0.1",
    "above, nothing is worth a sample",
    above=True,
)
FAMILY_WISE = Range("family-wise", 1, 2**32, "images that share alpha", _ADDRESS)
SEED = Range("seed", 0, 2**64, "the key of the noise", "64 bits of the generator's key", below=True)
INDEX = Range("image", 0, 2**32, "the number of an image", _ADDRESS, below=True)
SAMPLE_INDEX = Range(
    "sample index",
    0,
    2**32,
    "the number of a sample",
    "32 bits of the address of noise",
    below=True,
)
PURPOSE = Range("purpose", 0, 127, "what a sample is drawn for",
                "7 bits of the address of noise; the eighth is its refinement's")  # fmt: skip
DRAWN = Range("samples", 0, 2**32, "samples that are drawn at once", "as sample index")
GRID = Range("levels", 1, 255, "steps of the pixel grid per unit", "pixels have 8 bits")
SKIP = Range("skip", 1, 2**32, "every so-many-th image", _ADDRESS)
MAX_IMAGES = Range("max", 1, 2**32, "images that are certified; -1 is all of them", _ADDRESS,
                   other=-1)  # fmt: skip
SAMPLE = Range("sample", 1, 2**32, "images that are drawn", _ADDRESS)
SHARDS = Range("shards", 1, 10**6, "parts of a run", _ONE_LOG_EACH)
ROWS = Range("rows", 0, 2**32, "rows that an audit certifies again", _ADDRESS)

BATCH = Range(
    "batch", 1, 2**20, "rows of a batch", "more make nothing faster; memory ends far earlier"
)
THREADS = Range(
    "threads",
    1,
    1024,
    "cores to use, of which a run takes no more than it may run on",
    "no machine of today has more; threads beyond the cores wait for each other",
)
WORKERS = Range("workers", 1, 4096, "processes of a cluster", "each is an actor of its own")
DECODERS = Range("workers", 0, 256, "processes that decode photographs", "each is a process")
PORT = Range("metrics port", 0, 65535, "a TCP port; 0 is any free one", "16 bits")
GPU = Range("device", 0, 1023, "the number of a GPU", "no machine has more")

SIDE = Range("input-shape", 1, 65535, "a side of a network's input", "no image codec has more")
PIXELS = Range(
    "pixels", 1, 2**28, "numbers of a network's input", "one row of them is a GiB already"
)
CLASSES = Range("num-classes", 1, 10**6, "classes of a network", "a row of logits is 4 MB already")
MEAN = Range("mean", -1e6, 1e6, "of [0,1] pixels", "the float32 arithmetic stays finite")
STD = Range("std", 1e-6, 1e6, "of [0,1] pixels", "the float32 arithmetic stays finite")
INPUT_END = Range("input-range", -1e6, 1e6, "what the pixels 0 and 255 become", "as mean")
RESIZE = Range("resize", 1, 65535, "the shorter side of a photograph", "as input-shape")
THRESHOLD = Range("threshold", -1e30, 1e30, "a value of an output", "float32 holds it")

TRAINING_EPOCHS = Range("epochs", 1, 10**6, "passes over the images", "each is a line of the log")
TRAINING_BATCH = Range("batch", 2, 2**20, "images of a training step",
                       "batch normalisation needs two; above as batch")  # fmt: skip
LR = Range("lr", 0.0, 1e6, "a learning rate", "float32 weights stay finite")
LR_STEP = Range("lr-step", 1, 10**6, "epochs between steps down", "as epochs")
GAMMA = Range("gamma", 0.0, 1.0, "the factor of a step down", "rates do not rise")
MOMENTUM = Range("momentum", 0.0, 1.0, "of SGD", "above 1 it diverges")
WEIGHT_DECAY = Range("weight-decay", 0.0, 1e6, "of SGD", "as lr")
CONSISTENCY = Range("consistency", 0.0, 1e6, "the weight of the regulariser", "as lr")
NOISES = Range("consistency-noises", 2, 1024, "noisy copies of an image", "of two on they differ")
ETA = Range("eta", 0.0, 1e6, "the weight of its entropy term", "as lr")
CALIBRATION_IMAGES = Range("images", 1, 10**6, "images that calibrate", "all are held in memory")
MAX_ZETA = Range("max-zeta", 0.0, 1.0, "a part of the votes", "a part of one", below=True)
ROUNDS = Range("rounds", 1, 10**5, "rounds of a measurement", "the times of all are kept")
SECONDS = Range("seconds", 0.0, 3600.0, "of a loop in a round", "an hour each", above=True)
BENCH_BUDGET = Range("budget", 0.0, 1e6, "seconds of a measurement", "eleven days", above=True)

OPTIMIZATION_LEVEL = Range("optimization-level", 0, 5, "how long a build searches", "TensorRT's")
WORKSPACE = Range("workspace", 1, 2**20, "MiB of scratch memory", "a TiB")
AUX_STREAMS = Range("aux-streams", 0, 64, "streams for branches", "more than TensorRT uses")

SECTIONS: dict[str, tuple[Range, ...]] = {
    "Certificates": (
        SIGMA, SIGMAS, RADIUS_SIGMA, ALPHA, ALPHA_ZETA, RHO, SAMPLES, TABLE_SAMPLES,
        SELECTION_SAMPLES, PILOT_SAMPLES, PAIRED_SAMPLES, RADIUS, RADII, TOLERANCE, SAMPLES_PRICE,
        FAMILY_WISE, SEED, BUDGET_SAMPLES, BUDGET_SECONDS,
    ),
    "Noise from Python": (SAMPLE_INDEX, PURPOSE, DRAWN, GRID, TOTAL_VARIATION),
    "Images and rows": (INDEX, SKIP, MAX_IMAGES, SAMPLE, SHARDS, ROWS),
    "Models": (SIDE, PIXELS, CLASSES, MEAN, STD, INPUT_END, RESIZE, THRESHOLD),
    "Machines": (BATCH, THREADS, WORKERS, DECODERS, PORT, GPU),
    "Training, export, pictures and benchmarks": (
        PICTURED_SIGMA, TRAINING_EPOCHS, TRAINING_BATCH, LR, LR_STEP, GAMMA, MOMENTUM, WEIGHT_DECAY,
        CONSISTENCY, NOISES, ETA, CALIBRATION_IMAGES, MAX_ZETA, ROUNDS, SECONDS,
        BENCH_BUDGET,
    ),
    "Engines": (OPTIMIZATION_LEVEL, WORKSPACE, AUX_STREAMS),
}  # fmt: skip
"""Every range, as docs/limits.md lists them."""
