"""Options choose the mode, and are refused where they do not go together."""

from typing import Any

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.options import CertifyOptions


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"radii": (0.5,), "tolerance": 0.1}, "exclude each other"),
        ({"radii": (0.5,), "n0": 10}, "no use in table mode"),
        ({"radii": ()}, "radii"),
        ({"radii": (-1.0,)}, "radius"),
        ({"radii": (9.0,)}, "can be certified"),
        ({"setting": "fast"}, "table mode only"),
        ({"label_aware": True}, "fixed n"),
        ({"tolerance": 0.1, "samples_price": 0.1}, "exactly one"),
        ({"tolerance": 2.0}, "tolerance"),
        ({"samples_price": 0.0}, "samples price"),
        ({"radii": (0.5,), "bound": "two-class"}, "bound 'two-class' is not of table mode"),
        ({"bound": "both"}, "bound 'both' is unknown"),
        ({"bound": "two-class", "n_zeta": 1000}, "two-class does not transfer"),
        ({"family_wise": 0}, "number of inputs 0 is out of range"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        CertifyOptions(0.5, **options).procedure(0.0)
    assert "\n" not in str(caught.value)
