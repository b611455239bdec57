"""Functions of the user's that make a network: found, called, or refused in one line."""

import sys
from pathlib import Path

import pytest
from torch import nn

from smoothcert.engine.base.errors import InputError
from smoothcert.export.architectures.factories import check_module, factory_at, made, parameters_of

CODE = """
from torch import nn
class Made:
    @staticmethod
    def net(sigma=1): return nn.Flatten()
def ends(): raise SystemExit(0)
NONE = 3
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "made_by_hand.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "made_by_hand", raising=False)
    return "made_by_hand"


def test_a_factory_in_a_class_is_found_and_called(module: str) -> None:
    factory = factory_at(f"{module}:Made.net", "thing")
    assert list(parameters_of(factory)) == ["sigma"]
    assert isinstance(made(factory, "net", "thing", "mend it", sigma=2), nn.Flatten)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("absent", "thing 'made_by_hand:absent' cannot be imported"),
        ("NONE", "thing 'made_by_hand:NONE' is a int: expected a factory"),
    ],
)
def test_what_is_no_factory_is_refused(module: str, entry: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        factory_at(f"{module}:{entry}", "thing", ", or another")


def test_what_it_raises_and_what_is_no_module_is_one_line(module: str) -> None:
    factory = factory_at(f"{module}:ends", "thing")
    with pytest.raises(InputError, match=r"thing 'e' cannot be made \(SystemExit: .*\): mend it"):
        made(factory, "e", "thing", "mend it")
    with pytest.raises(InputError, match=r"thing 'e' made a int: expected a torch\.nn\.Module"):
        check_module(3, "e", "thing")
    assert not parameters_of(3)
