"""Which layers to keep in float32: those whose quantisation turns most votes, measured."""

from collections.abc import Callable

from smoothcert.engine.base.errors import InputError


def layers_to_keep(
    layers: list[str],
    zeta_keeping: Callable[[list[str]], float],
    zeta_of_one: Callable[[str], float],
    tolerated: float,
) -> list[str]:
    """The fewest of the most harmful layers that have to stay in float32.

    layers        in the network's order
    zeta_keeping  the measured rate of differing votes with these layers kept in float32
    zeta_of_one   the same with a single layer quantised and all others in float32
    tolerated     the rate to reach

    None where the fully quantised network reaches it. Else every layer is measured alone, and the
    shortest head of the list from the most harmful one on is kept that reaches it (found by
    doubling, then halving the interval; equals go by the network's order). Raises InputError
    where even keeping half of the layers does not.
    """
    zeta = zeta_keeping([])
    if zeta <= tolerated:
        return []
    harm = {layer: zeta_of_one(layer) for layer in layers}
    order = sorted(layers, key=lambda layer: -harm[layer])
    most = max(1, len(layers) // 2)
    enough = 1
    while (best := zeta_keeping(order[:enough])) > tolerated:
        if enough == most:
            raise InputError(
                f"{zeta:.3g} of the votes differ from float32 when all {len(layers)} layers are "
                f"quantised, {best:.3g} with the {enough} most harmful kept: expected at most "
                f"{tolerated:g}; give a larger --max-zeta, or another --precision"
            )
        enough = min(2 * enough, most)
    too_few = enough // 2
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        if zeta_keeping(order[:middle]) <= tolerated:
            enough = middle
        else:
            too_few = middle
    return order[:enough]
