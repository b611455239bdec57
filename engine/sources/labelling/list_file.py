"""Small lists that users write or download: their text, and what tells one list from another."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.regular import read_regular
from smoothcert.engine.base.wording import printable

_MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class ListFile:
    """A list as it was read: its text, and what the manifest keeps of it.

    Bytes that are no UTF-8 are kept as Python keeps them in file names.
    """

    path: Path
    text: str
    sha256: str

    @classmethod
    def read(cls, path: Path, what: str) -> "ListFile":
        """The list `what` (such as "a list of labels") in the file; raises InputError where it is
        no text."""
        content = read_regular(path, what, most=_MOST_BYTES)
        if b"\0" in content:
            raise InputError(
                f"{printable(path)}: is no text in UTF-8: expected {what}; save it as such"
            )
        text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
        return cls(path, text, hashlib.sha256(content).hexdigest())

    def recorded(self) -> dict[str, Any]:
        """What the manifest says of the list."""
        return {"name": printable(self.path.name), "sha256": self.sha256}
