import hashlib
import os
from pathlib import Path

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources import digest


def test_one_file_has_the_digest_of_its_bytes(tmp_path: Path) -> None:
    content = os.urandom(3 << 20)
    (tmp_path / "a").write_bytes(content)
    assert digest.of_files([tmp_path / "a"]) == hashlib.sha256(content).hexdigest()


def test_large_files_are_told_by_name_and_size(tmp_path: Path) -> None:
    digests = []
    for name, size in (("a", 10**9), ("a", 10**9 + 1), ("b", 10**9)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)  # sparse: no disk is used
        digests.append(digest.of_files([tmp_path / name]))
    assert len(set(digests)) == 3
    assert digest.of_files([tmp_path / "b"]) == digests[2]


def test_entries_do_not_run_into_each_other() -> None:
    assert digest.of_listing([("ab", "1")]) != digest.of_listing([("a", "b1")])
    assert digest.of_listing([("a", "1"), ("b", "2")]) != digest.of_listing([("a", "1", "b", "2")])
    assert digest.of_listing([("\udcff.jpg", "1")]) != digest.of_listing([("\udcfe.jpg", "1")])


def test_a_vanished_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gone: cannot be read"):
        digest.of_files([tmp_path / "gone"])
