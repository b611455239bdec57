"""The training and test images of a data set's folder, as its publishers lay it out."""

from pathlib import Path

from smoothcert.engine.sources.arrays import cifar, idx

_TRAIN, _TESTS = "train", ("val", "test")
_BATCHES = "data_batch_{1..5}"


def splits(source: str) -> tuple[str, str | None]:
    """The sources of the training images and of the test images (None: not known) in `source`.

    open_source takes such a folder for its test images, which must not be trained on. Known are
    CIFAR archives, folders of idx files, and folders of `train` with `val` or `test` (ImageNet);
    anything else is one source of training images.
    """
    folder = Path(source)
    try:
        entries = {entry.name for entry in folder.iterdir()}
    except OSError:
        # A file, a pattern, or what open_source will explain.
        return source, None
    train = _cifar_train(entries) or _idx_train(entries)
    if train:
        return str(folder / train), source
    test = next((name for name in _TESTS if name in entries), None)
    if _TRAIN in entries and test and all((folder / name).is_dir() for name in (_TRAIN, test)):
        return str(folder / _TRAIN), str(folder / test)
    return source, None


def _cifar_train(entries: set[str]) -> str | None:
    """The training batches beside the test batch, of the same version as it."""
    test = cifar.test_file_in(sorted(entries))
    if test is None:
        return None
    suffix = Path(test).suffix
    names = (f"data_batch_1{suffix}", f"{_TRAIN}{suffix}")
    found = next((name for name in names if name in entries), None)
    return f"{_BATCHES}{suffix}" if found == names[0] else found


def _idx_train(entries: set[str]) -> str | None:
    """The only images file whose name says that it is for training."""
    found = [name for name in entries if idx.is_images_file(name) and name.startswith(_TRAIN)]
    return min(found, default=None)
