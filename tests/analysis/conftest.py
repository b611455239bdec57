"""The logs of the original paper, where they lie beside the repository."""

from collections.abc import Callable
from pathlib import Path

import pytest

_LOGS = Path(__file__).parents[3] / "shared" / "data" / "cohen2019"


@pytest.fixture
def published_log() -> Callable[[str], Path]:
    """The path of one of the original logs, by 'imagenet/sigma_0.25'."""

    def path(name: str) -> Path:
        if not _LOGS.exists():
            pytest.skip("the logs of the original paper are not beside this repository")
        return _LOGS / f"{name}.tsv"

    return path
