"""Files of columns, read through pyarrow: parquet, and the arrow streams of `save_to_disk`."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError, one_line, require
from smoothcert.engine.sources.given_files import check_regular, printable


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
        """A column of a group of rows."""

    @contextmanager
    def reading(self, file: Path) -> Iterator[None]:
        """What is raised inside is told in one line."""
        check_regular(file)
        try:
            yield
        except (self.arrow.ArrowException, OSError) as error:
            raise InputError(
                f"{printable(file)}: cannot be read as {self.form} ({one_line(error, None)}): "
                f"expected a whole {self.form} file; fetch it again"
            ) from None


class ParquetTables(Tables):
    """parquet files, whose groups of rows are read one by one."""

    form = "parquet"

    def __init__(self) -> None:
        super().__init__()
        self._parquet = require("pyarrow.parquet", "parquet", "a parquet source")

    def schema(self, file: Path) -> Any:
        """See Tables.schema."""
        with self.reading(file), self._parquet.ParquetFile(file) as parquet:
            return parquet.schema_arrow

    def column(self, file: Path, name: str | None) -> tuple[Any, list[int]]:
        """See Tables.column."""
        with self.reading(file), self._parquet.ParquetFile(file) as parquet:
            groups = range(parquet.num_row_groups)
            sizes = [parquet.metadata.row_group(number).num_rows for number in groups]
            return None if name is None else parquet.read(columns=[name])[name], sizes

    def rows(self, file: Path, group: int, name: str) -> Any:
        """See Tables.rows."""
        with self.reading(file), self._parquet.ParquetFile(file) as parquet:
            return parquet.read_row_group(group, columns=[name])[name]


class ArrowTables(Tables):
    """Arrow streams, of which a file is one group of rows, mapped and not read."""

    form = "arrow"

    def schema(self, file: Path) -> Any:
        """See Tables.schema."""
        with self.reading(file), self._stream(file) as stream:
            return stream.schema

    def column(self, file: Path, name: str | None) -> tuple[Any, list[int]]:
        """See Tables.column."""
        with self.reading(file), self._stream(file) as stream:
            table = stream.read_all()
            return None if name is None else table[name], [table.num_rows]

    def rows(self, file: Path, group: int, name: str) -> Any:
        """See Tables.rows."""
        with self.reading(file), self._stream(file) as stream:
            return stream.read_all()[name]

    def _stream(self, file: Path) -> Any:
        ipc = require("pyarrow.ipc", "parquet", "an arrow source")
        return ipc.open_stream(self.arrow.memory_map(str(file)))
