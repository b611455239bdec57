"""Files of columns, read through pyarrow: parquet, and the arrow streams of `save_to_disk`."""

import mmap
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from smoothcert.engine.base.errors import InputError, one_line, require
from smoothcert.engine.base.memory import check_fits
from smoothcert.engine.base.regular import open_regular
from smoothcert.engine.base.wording import printable

_BYTES = "bytes"
"""The field of a photograph's struct that holds it."""

_BYTES_A_ROW = 32  # of labels, as they are read and as indices


class Tables(ABC):
    """How files of one format are read. Errors are InputError, in one line."""

    form: str
    """What is expected of a file, completing "expected a whole ...\""""

    def __init__(self) -> None:
        self.arrow = require("pyarrow", "parquet", "a parquet source")

    def __getstate__(self) -> dict[str, Any]:
        return {}  # another process has modules of its own

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__()  # type: ignore[misc]

    @abstractmethod
    def schema(self, file: Path) -> Any:
        """The columns of a file with their types."""

    @abstractmethod
    def column(self, file: Path, name: str | None) -> tuple[Any, list[int]]:
        """A whole column (None for none), and the number of rows of each group of rows."""

    @abstractmethod
    def rows(self, file: Path, group: int, name: str) -> Any:
        """The photographs in a column of a group of rows, as bytes."""

    @contextmanager
    def opened(self, file: Path) -> Iterator[BinaryIO]:
        """A file that is open, as Python opens files: Arrow takes no name that is not Unicode.
        What is raised inside is told in one line."""
        with open_regular(file, f"a whole {self.form} file") as opened, self.reading(file):
            yield opened

    @contextmanager
    def reading(self, file: Path) -> Iterator[None]:
        """What is raised inside is told in one line."""
        try:
            yield
        except InputError:
            raise
        # Text that is no Unicode is a ValueError, and damage beyond that some other.
        except (self.arrow.ArrowException, OSError, ValueError, MemoryError) as error:
            raise InputError(
                f"{printable(file)}: cannot be read as {self.form} ({printable(one_line(error))}): "
                f"expected a whole {self.form} file; fetch it again"
            ) from None

    def _photographs(self, column: Any) -> Any:
        """Of a column of structs, the bytes: a struct's other fields are not looked at."""
        if not self.arrow.types.is_struct(column.type):
            return column
        compute = require("pyarrow.compute", "parquet", "a parquet source")
        return compute.struct_field(column, _BYTES)

    def _check_sizes(self, rows: list[int], file: Path) -> None:
        """Raise InputError where there are more rows than memory has room for their labels."""
        if min(rows, default=0) < 0:
            raise InputError(
                f"{printable(file)}: has {min(rows)} rows in a group: expected a whole "
                f"{self.form} file; fetch it again"
            )
        what = f"{printable(file)}: a column of {sum(rows):,} rows"
        check_fits(_BYTES_A_ROW * sum(rows), what, "fewer rows; give the file in parts")


def _readable(schema: Any) -> Any:
    """The schema, all of whose names are text, those of fields of structs included."""
    fields = list(schema)
    while fields:
        field = fields.pop()
        str(field), field.name  # which raise where they are none
        fields += [field.type.field(place) for place in range(field.type.num_fields)]
    return schema


class ParquetTables(Tables):
    """parquet files, whose groups of rows are read one by one."""

    form = "parquet"

    def __init__(self) -> None:
        super().__init__()
        self._parquet = require("pyarrow.parquet", "parquet", "a parquet source")

    def schema(self, file: Path) -> Any:
        """See Tables.schema."""
        with self.opened(file) as opened, self._parquet.ParquetFile(opened) as parquet:
            return _readable(parquet.schema_arrow)

    def column(self, file: Path, name: str | None) -> tuple[Any, list[int]]:
        """See Tables.column."""
        with self.opened(file) as opened, self._parquet.ParquetFile(opened) as parquet:
            groups = [parquet.metadata.row_group(g) for g in range(parquet.num_row_groups)]
            sizes = [group.num_rows for group in groups]
            self._check_sizes(sizes, file)
            if name is None:
                return None, sizes
            for number in range(len(groups)):
                self._check_group(parquet, file, number)
            found = parquet.read(columns=[name])[name]
            self._check_rows(found, sum(sizes))
            return found, sizes

    def rows(self, file: Path, group: int, name: str) -> Any:
        """See Tables.rows."""
        with self.opened(file) as opened, self._parquet.ParquetFile(opened) as parquet:
            self._check_group(parquet, file, group)
            found = parquet.read_row_group(group, columns=[name])[name]
            self._check_rows(found, parquet.metadata.row_group(group).num_rows)
            return self._photographs(found)

    def _check_rows(self, column: Any, rows: int) -> None:
        if len(column) != rows:
            raise ValueError(f"{len(column):,} rows of {rows:,}")

    def _check_group(self, parquet: Any, file: Path, group: int) -> None:
        """Raise InputError where a group of rows says that it has no room in memory.

        Of all its columns together: asked for one of them, pyarrow ends the process where the file
        is damaged there.
        """
        size = parquet.metadata.row_group(group).total_byte_size
        check_fits(size, f"{printable(file)}: row group {group}", "smaller groups of rows")


class ArrowTables(Tables):
    """Arrow streams, of which a file is one group of rows, mapped and not read."""

    form = "arrow"

    def schema(self, file: Path) -> Any:
        """See Tables.schema."""
        with self.opened(file) as opened, self._stream(opened) as stream:
            return _readable(stream.schema)

    def column(self, file: Path, name: str | None) -> tuple[Any, list[int]]:
        """See Tables.column."""
        with self.opened(file) as opened, self._stream(opened) as stream:
            table = stream.read_all()
            self._check_sizes([table.num_rows], file)
            return None if name is None else self._checked(table[name]), [table.num_rows]

    def rows(self, file: Path, group: int, name: str) -> Any:
        """See Tables.rows."""
        with self.opened(file) as opened, self._stream(opened) as stream:
            column = stream.read_all()[name]
            for chunk in column.chunks:
                chunk.validate()
            return self._checked(self._photographs(column))

    def _checked(self, column: Any) -> Any:
        """The column, once its values are known to lie in the file: Arrow takes a stream at its
        word, and would read whatever is in memory."""
        for chunk in column.chunks:
            chunk.validate(full=True)
        return column

    def _stream(self, opened: BinaryIO) -> Any:
        ipc = require("pyarrow.ipc", "parquet", "an arrow source")
        mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        return ipc.open_stream(self.arrow.BufferReader(self.arrow.py_buffer(mapped)))
