from collections.abc import Callable
from pathlib import Path

import pytest
from linear_runs import linear_images, linear_network

IMAGES = 14


@pytest.fixture
def model(linear_model: Callable[..., Path]) -> Path:
    return linear_network(linear_model)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return linear_images(tmp_path, IMAGES)
