"""parquet files in Hugging Face's layout: a column `image` of encoded photographs, and `label`."""

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError, one_line, require
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources import digest
from smoothcert.engine.sources.encoded import EncodedSource
from smoothcert.engine.sources.labels import check_labels

_FORM = "expected the columns image (a struct with bytes) and label (an integer)"


class ParquetSource(EncodedSource):
    """The rows of parquet files in the order given: `image` struct<bytes, ...> and integer `label`.

    Opening reads labels and footers. Photographs are read a row group at a time, of which the last
    is kept, so reading in index order reads everything once. Needs pyarrow.

    Raises InputError where columns are missing or of another type, or a label is null or invalid.
    """

    kind = "parquet"

    def __init__(
        self, files: Sequence[Path], name: str, spec: InputSpec | None, num_classes: int | None
    ) -> None:
        super().__init__(name, spec)
        self._arrow = require("pyarrow", "parquet", "a parquet source")
        self._parquet = require("pyarrow.parquet", "parquet", "a parquet source")
        self._files = files
        # Row group g is number _groups[g][1] of its file; its first image has index _firsts[g].
        self._groups: list[tuple[Path, int]] = []
        self._firsts: list[int] = []
        self._kept: tuple[int, Any] | None = None
        parts: list[npt.NDArray[np.int64]] = []
        first = 0
        for file in files:
            labels, sizes = self._footer(file)
            check_labels(labels, num_classes, str(file))
            for number, size in enumerate(sizes):
                self._groups.append((file, number))
                self._firsts.append(first)
                first += size
            parts.append(labels.astype(np.int64))
        self._labels = np.concatenate(parts)

    def __getstate__(self) -> dict[str, Any]:
        # Another process has modules of its own, and reads the row groups that it needs.
        return {**self.__dict__, "_arrow": None, "_parquet": None, "_kept": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._arrow = require("pyarrow", "parquet", "a parquet source")
        self._parquet = require("pyarrow.parquet", "parquet", "a parquet source")

    def __len__(self) -> int:
        """The number of rows."""
        return len(self._labels)

    def label(self, index: int) -> int:
        """The class index in a row."""
        return int(self._labels[index])

    def encoded(self, index: int) -> tuple[bytes, str]:
        """See EncodedSource.encoded."""
        # An empty row group shares its first index with the next: take the last of them.
        group = bisect_right(self._firsts, index) - 1
        row = index - self._firsts[group]
        file, number = self._groups[group]
        data: bytes | None = self._images(group)[row]["bytes"].as_py()
        where = f"{file}: row {row} of row group {number}"
        if data is None:
            raise InputError(
                f"{where} holds no bytes: expected the encoded photograph inside the file; save "
                "the data set with its images embedded"
            )
        return data, where

    def digest(self) -> str:
        """Of the files."""
        return digest.of_files(self._files)

    def _footer(self, file: Path) -> tuple[npt.NDArray[Any], list[int]]:
        """The labels of a file, and the number of rows of each of its row groups."""
        try:
            with self._parquet.ParquetFile(file) as parquet:
                self._check_columns(parquet.schema_arrow, file)
                labels = parquet.read(columns=["label"])["label"]
                groups = range(parquet.num_row_groups)
                sizes = [parquet.metadata.row_group(number).num_rows for number in groups]
        except (self._arrow.ArrowException, OSError) as error:
            raise _unreadable(file, error) from None
        if labels.null_count:
            raise InputError(f"{file}: has {labels.null_count} rows without a label: {_FORM}")
        return labels.to_numpy(), sizes

    def _check_columns(self, schema: Any, file: Path) -> None:
        types = self._arrow.types
        columns = {field.name: field.type for field in schema}
        image, label = columns.get("image"), columns.get("label")
        found = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
        if image is None or label is None or not types.is_integer(label):
            raise InputError(f"{file}: has the columns {found}: {_FORM}")
        data = {field.name: field.type for field in image} if types.is_struct(image) else {}
        if "bytes" not in data or not (
            types.is_binary(data["bytes"]) or types.is_large_binary(data["bytes"])
        ):
            raise InputError(f"{file}: has the columns {found}: {_FORM}")

    def _images(self, group: int) -> Any:
        """The image column of a row group."""
        if self._kept is None or self._kept[0] != group:
            file, number = self._groups[group]
            self._kept = None  # two row groups of photographs need not fit in memory
            try:
                with self._parquet.ParquetFile(file) as parquet:
                    table = parquet.read_row_group(number, columns=["image"])
            except (self._arrow.ArrowException, OSError) as error:
                raise _unreadable(file, error) from None
            self._kept = (group, table["image"])
        return self._kept[1]


def _unreadable(file: Path, error: Exception) -> InputError:
    reason = one_line(error, None)
    return InputError(
        f"{file}: cannot be read as parquet ({reason}): expected a whole parquet file; fetch it "
        "again"
    )
