"""What to keep in float32: as little as the votes allow, by trials of few models."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from smoothcert.engine.base.errors import InputError
from smoothcert.export.precision.trials import Verdict

_PARTS = 20
"""Two trials more, of a network of 74 layers, to keep two layers fewer of them is not worth it."""


@dataclass(frozen=True)
class Form:
    """Which parts of a network are quantised.

    kept     layers in float32
    between  whether what lies between the layers is quantised too: sums, products, softmax, ...
    """

    kept: tuple[str, ...] = ()
    between: bool = True


@dataclass(frozen=True)
class Found:
    """The form that was found; `cut_short`: the search ended at its bound, before it was known that
    no fewer layers will do."""

    form: Form
    cut_short: bool = False


def least_float(
    layers: Sequence[str],
    between: bool,
    trial: Callable[[Form], Verdict],
    ranked: Callable[[], list[str]],
    may_go_on: Callable[[], bool],
    tolerated: float,
) -> Found:
    """The form with the least in float32 that passes its trial.

    layers     in the network's order
    between    whether there is anything between them that would be quantised
    trial      whether the votes of a form differ by no more than is tolerated
    ranked     the layers, the most harmful first; asked at most once, and only where it is needed
    may_go_on  False once the bound of the search is reached

    In this order: all in 8 bits; all but the fewest of the most harmful layers, at most half of
    them (halving the interval, to within a twentieth of the layers); the layers alone, with all
    between them in float32; those but the fewest. The second is passed over where not even all
    layers in float32 would help. Past the bound the best so far is taken. Raises InputError where
    no form passes.
    """
    whole = trial(Form())
    if whole.passes:
        return Found(Form())
    said = f"{whole} differ from float32 with all {len(layers)} layers quantised"
    order: list[str] = []
    most = max(1, len(layers) // 2)
    for around in (True, False) if between else (True,):
        if not around:
            alone = trial(Form(between=False))
            if alone.passes:
                return Found(Form(between=False))
            said += f", {alone} with nothing between them"
        elif between and not trial(Form(tuple(layers))).passes:
            continue
        order = order or ranked()
        half = trial(Form(tuple(order[:most]), around))
        if half.passes:
            finest = max(1, len(layers) // _PARTS)
            return _fewest(order[:most], around, trial, may_go_on, finest)
        said += f", {half} with the {most} most harmful kept"
    raise InputError(
        f"{said}: expected at most {tolerated:g}; give a larger --max-zeta, or another --precision"
    )


def _fewest(
    enough: Sequence[str],
    between: bool,
    trial: Callable[[Form], Verdict],
    may_go_on: Callable[[], bool],
    finest: int,
) -> Found:
    """The shortest head of `enough`, which passes, that passes too, to within `finest` layers; that
    none of them passes is known."""
    too_few, kept = 0, len(enough)
    while kept - too_few > finest:
        if not may_go_on():
            return Found(Form(tuple(enough[:kept]), between), cut_short=True)
        middle = (kept + too_few) // 2
        if trial(Form(tuple(enough[:middle]), between)).passes:
            kept = middle
        else:
            too_few = middle
    return Found(Form(tuple(enough[:kept]), between))
