"""Tables as Hugging Face has them: a column of encoded photographs, and one of labels."""

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources import digest
from smoothcert.engine.sources.archives.parquet_columns import FORM, find_columns, is_text
from smoothcert.engine.sources.archives.tables import ArrowTables, ParquetTables, Tables
from smoothcert.engine.sources.encoded import EncodedSource
from smoothcert.engine.sources.labelling.classes import classes_of
from smoothcert.engine.sources.labelling.labels import check_labels, is_index, no_labels
from smoothcert.engine.sources.options import NOTHING_SAID, SourceOptions


class ParquetSource(EncodedSource):
    """The rows of parquet files in the order given: `image` struct<bytes, ...> and integer `label`,
    or the columns that find_columns finds in the first of them.

    Labels are class indices; or names, see classes_of, as indices are too whose names the file has
    and whose number is not the model's. Opening reads labels and footers. Photographs are read a
    row group at a time, of which the last is kept, so reading in index order reads everything once.
    Needs pyarrow.

    Raises InputError where columns are missing or of another type, or a label is null or invalid.
    """

    kind = "parquet"
    tables: ClassVar[type[Tables]] = ParquetTables

    def __init__(
        self,
        files: Sequence[Path],
        name: str,
        spec: InputSpec | None,
        num_classes: int | None,
        options: SourceOptions = NOTHING_SAID,
    ) -> None:
        super().__init__(name, spec)
        options.refuse_unused(name, "of parquet files", "columns", "classes")
        self._tables = self.tables()
        self._files = files
        # Row group g is number _groups[g][1] of its file; its first image has index _firsts[g].
        self._groups: list[tuple[Path, int]] = []
        self._firsts: list[int] = []
        self._kept: tuple[int, Any] | None = None
        schema, shown = self._tables.schema(files[0]), printable(files[0])
        self._columns = find_columns(schema, options, num_classes, shown)
        self._same_names = True  # of classes, in all files
        parts: list[Any] = []
        first = 0
        for file in files:
            self._check_columns(self._tables.schema(file), file)
            column, sizes = self._tables.column(file, self._columns.label)
            for number, size in enumerate(sizes):
                self._groups.append((file, number))
                self._firsts.append(first)
                first += size
            parts.append(self._labels_of(column, file))
        if not self._columns.is_default:
            self.read_as["columns"] = list(self._columns.names)
        self.said = self._columns.said
        self._labels = self._indices(parts, first, num_classes, options)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}  # another process reads the rows that it needs

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
        images = self._images(group)
        where = f"{printable(file)}: row {row} of row group {number}"
        with self._tables.reading(file):
            data: bytes | None = images[row].as_py()
        if data is None:
            raise InputError(
                f"{where} holds no bytes: expected the encoded photograph inside the file; save "
                "the data set with its images embedded"
            )
        return data, where

    def digest(self) -> str:
        """Of the files."""
        return digest.of_files(self._files)

    def _labels_of(self, column: Any, file: Path) -> Any:
        """The labels of a file: an array of integers or a list of names (None: unlabelled)."""
        if column is None:
            return None
        if column.null_count:
            raise InputError(
                f"{printable(file)}: has {column.null_count} rows without a label: {FORM}"
            )
        arrow = self._tables.arrow
        with self._tables.reading(file):
            if not is_text(column.type, arrow.types):
                return column.cast("int64").to_numpy()
            # As bytes: files say that a text is UTF-8, and it need not be.
            texts = column.cast(arrow.string()).cast(arrow.binary()).to_pylist()
            return [text.decode("utf-8", "surrogateescape") for text in texts]

    def _check_columns(self, schema: Any, file: Path) -> None:
        """Raise InputError unless a file has the columns of the first one, in its types."""
        found = find_columns(
            schema, SourceOptions(columns=self._columns.names, unlabelled=self._unlabelled), None,
            printable(file),
        )  # fmt: skip
        names, first = found.class_names, self._columns.class_names
        self._same_names &= names == first
        if names is not None and first is not None and names != first:
            raise InputError(
                f"{printable(file)}: has other classes, or in another order, than "
                f"{printable(self._files[0])}: expected files of one data set; give them one by one"
            )
        same = (found.in_struct, found.in_text) == (self._columns.in_struct, self._columns.in_text)
        if not same:
            raise InputError(
                f"{printable(file)}: has other types of columns than {printable(self._files[0])}: "
                "expected files of one data set; give them one by one"
            )

    @property
    def _unlabelled(self) -> bool:
        return self._columns.label is None

    def _indices(
        self, parts: list[Any], rows: int, num_classes: int | None, options: SourceOptions
    ) -> npt.NDArray[np.int64]:
        """The class index of every row, of the files' labels."""
        if self._unlabelled:
            self.read_as["unlabelled"] = True
            return no_labels(rows, printable(self._files[0]))
        names = self._columns.class_names
        if any(isinstance(part, list) for part in parts):
            texts = [str(name) for part in parts for name in part]
            if options.classes is None and all(map(is_index, texts)) and texts:
                parts = [np.array(list(map(int, part)), dtype=np.int64) for part in parts]
            else:
                return self._of_names(texts, num_classes, options)
        by_name = options.classes is not None or num_classes not in (None, len(names or ()))
        if names is not None and self._same_names and by_name:
            for file, part in zip(self._files, parts, strict=True):
                check_labels(part, len(names), printable(file))
            labels = np.concatenate(parts)
            return self._of_names([names[label] for label in labels], num_classes, options)
        if options.classes is not None:
            raise InputError(
                f"--classes is for names: the labels of {printable(self._files[0])} are class "
                "indices already; leave it out"
            )
        for file, part in zip(self._files, parts, strict=True):
            check_labels(part, num_classes, printable(file))
        return np.concatenate(parts).astype(np.int64)

    def _of_names(
        self, labels: Sequence[str], num_classes: int | None, options: SourceOptions
    ) -> npt.NDArray[np.int64]:
        if not labels:
            raise InputError(f"{printable(self._files[0])}: holds no images: expected at least one")
        of_file = self._columns.class_names
        # All that the file has, where they may be told by their order.
        distinct = set(labels) if options.classes or of_file is None else set(of_file)
        named = classes_of(
            distinct, num_classes, options.classes, printable(self._files[0]), "names of classes"
        )
        self.num_classes = named.classes
        self.read_as.update(dict(named.read_as) or {"classes": "sorted names"})
        self.said += named.said or (f"classes by the {named.classes} sorted names",)
        return np.array([named.index[label] for label in labels], dtype=np.int64)

    def _images(self, group: int) -> Any:
        """The image column of a row group."""
        if self._kept is None or self._kept[0] != group:
            file, number = self._groups[group]
            self._kept = None  # two row groups of photographs need not fit in memory
            self._kept = (group, self._tables.rows(file, number, self._columns.image))
        return self._kept[1]


class ArrowSource(ParquetSource):
    """The rows of arrow streams in the order given, as `save_to_disk` of Hugging Face's `datasets`
    writes them; otherwise as ParquetSource."""

    kind = "arrow"
    tables = ArrowTables
