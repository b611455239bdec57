"""What is kept in float32 is the least that passes, by few trials."""

import itertools
import math
from collections.abc import Callable

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.export.precision.fallback import Form, Found, least_float
from smoothcert.export.precision.trials import Verdict

HARM = {"a": 0.01, "b": 0.30, "c": 0.0, "d": 0.04, "e": 0.05, "f": 0.0, "g": 0.0, "h": 0.0}
LAYERS = list(HARM)
ROWS = 1000


class Votes:
    """A network whose harms add up: of its layers, and of what lies between them."""

    def __init__(self, tolerated: float, between: float = 0.0) -> None:
        self.tolerated, self.of_between = tolerated, between
        self.harmless = 0.0  # of the layers that are kept last
        self.tried: list[Form] = []
        self.rankings = 0

    def trial(self, form: Form) -> Verdict:
        self.tried.append(form)
        zeta = sum(harm for layer, harm in HARM.items() if layer not in form.kept)
        zeta += self.of_between * form.between + self.harmless * ("h" not in form.kept)
        return Verdict(zeta <= self.tolerated, round(zeta * ROWS), ROWS)

    def ranked(self) -> list[str]:
        self.rankings += 1
        return sorted(LAYERS, key=lambda layer: -HARM[layer])

    def found(self, may_go_on: Callable[[], bool] = lambda: True) -> Found:
        between = self.of_between > 0.0
        return least_float(LAYERS, between, self.trial, self.ranked, may_go_on, self.tolerated)


def test_nothing_is_kept_or_ranked_where_all_layers_can_go() -> None:
    votes = Votes(0.5)
    assert votes.found() == Found(Form())
    assert (votes.tried, votes.rankings) == ([Form()], 0)


@pytest.mark.parametrize(
    ("tolerated", "kept"),
    [(0.2, "b"), (0.055, "be"), (0.02, "bed"), (0.001, "beda")],
)
def test_the_fewest_of_the_most_harmful_are_kept(tolerated: float, kept: str) -> None:
    votes = Votes(tolerated)
    assert votes.found() == Found(Form(tuple(kept)))
    assert votes.rankings == 1


def test_of_every_monotone_network_the_least_number_is_found() -> None:
    """Of many layers: to within a twentieth of them."""
    for layers, least in itertools.product((*range(2, 40), 74, 150), range(1, 38)):
        if least > layers // 2:
            continue
        names = [str(number) for number in range(layers)]
        tried: list[int] = []

        def trial(form: Form, least: int = least, tried: list[int] = tried) -> Verdict:
            tried.append(len(form.kept))
            return Verdict(len(form.kept) >= least, 1, 2)

        found = least_float(names, False, trial, names.copy, lambda: True, 0.1)
        assert not found.cut_short
        kept = len(found.form.kept)
        assert found.form.kept == tuple(names[:kept])
        assert 0 <= kept - least < max(1, layers / 20)
        assert len(tried) <= 2 + math.ceil(math.log2(layers // 2))
        assert len(set(tried)) == len(tried)


def test_the_layers_alone_where_what_lies_between_them_is_to_blame() -> None:
    votes = Votes(0.5, between=0.6)
    assert votes.found() == Found(Form(between=False))
    assert votes.tried == [Form(), Form(tuple(LAYERS)), Form(between=False)]
    assert votes.rankings == 0
    votes = Votes(0.055, between=0.6)
    assert votes.found() == Found(Form(("b", "e"), between=False))
    assert votes.rankings == 1


def test_what_lies_between_stays_quantised_where_a_few_layers_are_to_blame() -> None:
    votes = Votes(0.15, between=0.01)
    assert votes.found() == Found(Form(("b",)))
    assert Form(between=False) not in votes.tried


def test_where_half_of_the_layers_will_not_do_what_lies_between_is_kept_too() -> None:
    """All layers in float32 would pass, so they are ranked; half of them leave .005 too much."""
    votes = Votes(0.05, between=0.045)
    votes.harmless = 0.01
    assert votes.found() == Found(Form(("b", "e", "d"), between=False))
    assert votes.tried[2:4] == [Form(tuple("beda")), Form(between=False)]
    assert votes.rankings == 1


def test_at_the_bound_the_best_so_far_is_taken() -> None:
    votes = Votes(0.2)
    assert votes.found(lambda: False) == Found(Form(tuple("beda")), cut_short=True)
    assert votes.tried == [Form(), Form(tuple("beda"))]
    answers = iter([True, False])
    assert Votes(0.2).found(lambda: next(answers)) == Found(Form(tuple("be")), cut_short=True)


@pytest.mark.parametrize("between", [False, True])
def test_more_than_half_is_refused(between: bool) -> None:
    def always(form: Form) -> Verdict:
        return Verdict(False, 3, 10)

    with pytest.raises(InputError, match=r"0.3 of 10 votes differ .* 4 most harmful") as caught:
        least_float(LAYERS, between, always, lambda: LAYERS, lambda: True, 0.1)
    assert "\n" not in str(caught.value)
    assert ("nothing between" in str(caught.value)) == between
