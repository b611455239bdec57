"""Image sources: folders, archives and arrays of labelled 8-bit images, recognised by content."""

import os
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.regular import check_regular
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources.base import ImageSource, PhotographSource
from smoothcert.engine.sources.objects import open_object
from smoothcert.engine.sources.options import NOTHING_SAID, SourceOptions
from smoothcert.engine.sources.patterns import expand
from smoothcert.engine.sources.source_kinds import open_files, open_folder

__all__ = ["ImageSource", "PhotographSource", "open_source"]


def open_source(
    data: Any,
    spec: InputSpec | None,
    num_classes: int | None,
    options: SourceOptions = NOTHING_SAID,
) -> ImageSource:
    """The labelled images of `data`, each delivered as uint8 [C, H, W] of `spec`'s shape.

    A `spec` of None stands for the source's own: arrays in the size they are stored in, photographs
    as the original's ImageNet models take them (3x224x224).

    `data` is a path of one of

    * a folder of class folders, as torchvision's ImageFolder: a class is its folder's place in
      sorted order, or its place in ILSVRC-2012's list of wnids where that is what all of fewer
      folders are called;
    * a folder of photographs, with a list of labels or without any (`options`);
    * `*.tar`, webdataset: `key.jpg` with `key.cls`, `key.label` or `key.json`;
    * `*.parquet`, or a folder of them, of one split or with a test split: columns `image` (struct
      with bytes), `label`, or others that are called like them;
    * `*.npz`: `images` uint8 [N, H, W, C] or [N, H, W], `labels` integers [N], or the arrays of a
      test split; a folder of `*.npy` likewise;
    * a folder of idx files (its test pair), or an images file of one;
    * an unpacked CIFAR-10 or CIFAR-100 archive, binary or python (its test split), or its batch
      files;

    where tar, parquet and CIFAR batch files may be given as one brace or glob pattern, such as
    `x-{000..009}.tar` or `cifar-10-batches-bin/data_batch_{1..5}.bin`, read in brace or sorted
    order; or an object of the program:

    * arrays `(images, labels)` of numpy or torch, or images alone (then without labels);
    * a data set that gives (image, label), or a dict with the two, by number, as torch's do;
    * a `datasets.Dataset` of Hugging Face.

    Labels are checked against `num_classes`, the model's (None: unknown). `options` say what
    the files do not: see SourceOptions. What is inferred, `said_of` tells and `describe` records.

    Raises InputError, in one line, where there is no such source or it does not fit the model.
    """
    if not isinstance(data, str | os.PathLike):
        return open_object(data, spec, num_classes, options)
    path = os.fspath(data)
    paths = expand(str(path))
    # abspath, not resolve: the name is the one the user knows, not that of a link's target.
    name = printable(os.path.basename(os.path.abspath(path)))  # noqa: PTH100, PTH119
    try:
        if len(paths) == 1 and paths[0].is_dir():
            return open_folder(paths[0], name, spec, num_classes, options)
        for file in paths:
            if not file.is_dir():
                check_regular(file, "a source of images")
        return open_files(paths, name, spec, num_classes, options)
    except MemoryError:
        raise InputError(
            f"{printable(path)}: does not fit in memory: expected a smaller source; give a part of "
            "it, or files that are read one by one (photographs, tar, parquet)"
        ) from None
    except OSError as error:
        raise InputError(
            f"{printable(error.filename or path)}: cannot be read ({error.strerror or error}): "
            "expected a readable image source; check the path and its permissions"
        ) from None
