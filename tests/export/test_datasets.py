"""Datasets by name: each describes an input, with the original code's normalisation."""

import pytest

from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.export.datasets import DATASETS


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_describes_an_input(name: str) -> None:
    found = DATASETS[name]
    spec = InputSpec(*found.shape, found.mean, found.std, found.resize)
    assert spec.shape == found.shape
    assert found.num_classes >= 10


def test_the_original_s_datasets_are_as_it_has_them() -> None:
    """code/datasets.py of the original: its means, deviations and sizes."""
    imagenet, cifar = DATASETS["imagenet"], DATASETS["cifar10"]
    assert (imagenet.mean, imagenet.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert (imagenet.shape, imagenet.resize, imagenet.num_classes) == ((3, 224, 224), 256, 1000)
    assert (cifar.mean, cifar.std) == ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
    assert (cifar.shape, cifar.resize, cifar.num_classes) == ((3, 32, 32), None, 10)
