"""Every file that strangers are known to bring gives what it must: see helpers/strangers."""

from pathlib import Path

import pytest
from strangers.cases import CASES


@pytest.mark.parametrize("name", list(CASES))
def test_case(name: str, tmp_path: Path) -> None:
    pytest.importorskip("torch" if name.startswith("checkpoint") else "onnxruntime")
    CASES[name](tmp_path)


def test_there_are_38_cases() -> None:
    assert len(CASES) == 38
