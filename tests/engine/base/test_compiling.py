"""What numba compiled is kept where it can be, and a damaged entry is compiled again."""

from pathlib import Path
from typing import Any

import pytest

from smoothcert.engine.base.compiling import _Forgiving, _own_folder, compiled


@compiled(nogil=True)
def _twice(number: Any) -> Any:
    return 2 * number


def test_a_compiled_function_is_the_function() -> None:
    assert _twice(21) == 42
    assert isinstance(_twice._cache, _Forgiving)
    assert _twice._cache.cache_path


class _Cache:
    """Of numba's, damaged or on a full disk."""

    def __init__(self, error: Exception) -> None:
        self.error, self.flushed = error, False

    def load_overload(self, *arguments: Any) -> Any:
        raise self.error

    def save_overload(self, *arguments: Any) -> None:
        if not self.flushed:
            raise self.error

    def flush(self) -> None:
        self.flushed = True


@pytest.mark.parametrize("error", [OSError(28, "full"), EOFError(), ValueError("no pickle")])
def test_a_cache_that_fails_is_none(error: Exception) -> None:
    cache = _Cache(error)
    forgiving = _Forgiving(cache)
    assert forgiving.load_overload() is None
    forgiving.save_overload()
    assert cache.flushed is not isinstance(error, OSError)


@pytest.mark.parametrize(("mode", "taken"), [(0o700, True), (0o770, False), (0o702, False)])
def test_a_folder_that_others_write_to_is_not_loaded_from(
    mode: int, taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMOOTHCERT_CACHE", str(tmp_path))
    (tmp_path / "compiled").mkdir()
    (tmp_path / "compiled").chmod(mode)
    assert (_own_folder() is not None) is taken


def test_a_folder_that_cannot_be_made_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SMOOTHCERT_CACHE", str(tmp_path / "file"))
    assert _own_folder() is None
