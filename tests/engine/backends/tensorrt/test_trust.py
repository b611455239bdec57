"""Plans are executable code: what the engine cache takes for the user's own, and what not."""

import os
import sys
from pathlib import Path

import pytest
from plan_files import CONTENT, record_of, write_plan

from smoothcert.engine.backends.tensorrt.plan import record_path
from smoothcert.engine.backends.tensorrt.trust import (
    engine_cache,
    read_cached_plan,
    read_named_plan,
    read_own_file,
    read_plan,
)
from smoothcert.engine.base.errors import InputError

NAME = f"resnet50-{'0123456789abcdef' * 2}.plan"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="owners and modes are POSIX")
as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away"
)


@pytest.fixture
def cached() -> Path:
    return write_plan(engine_cache() / NAME)


def test_the_users_own_plan_is_read(cached: Path) -> None:
    assert read_cached_plan(cached) == (CONTENT, record_of())
    assert read_plan(cached) == (CONTENT, record_of())


def test_the_cache_is_private_to_the_user() -> None:
    assert engine_cache().stat().st_mode & 0o777 == 0o700
    engine_cache().chmod(0o755)  # readable: closed without a word
    assert engine_cache().stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777, 0o1777])
def test_a_cache_that_others_could_write_is_refused(cached: Path, mode: int) -> None:
    cached.parent.chmod(mode)
    with pytest.raises(InputError, match=rf"writable by others \(mode {mode:o}\)"):
        read_cached_plan(cached)


def test_a_folder_above_that_others_control_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_folder = tmp_path / "open"
    open_folder.mkdir()
    open_folder.chmod(0o777)
    monkeypatch.setenv("SMOOTHCERT_CACHE", str(open_folder / "cache"))
    with pytest.raises(InputError, match="open above the engine cache is under others' control"):
        engine_cache()
    open_folder.chmod(0o1777)  # sticky, as /tmp: nobody can rename what is another's
    assert engine_cache().is_dir()


def test_what_the_system_refuses_is_one_line(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(1, os.strerror(1))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdopen", refuse)
        with pytest.raises(InputError, match=r"cannot be read \(Operation not permitted\)"):
            read_own_file(cached)
    engine_cache().chmod(0o755)
    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(
        InputError, match=r"closed to others \(Operation not permitted\): set SMOOTH"
    ):
        engine_cache()


def test_a_link_for_a_cache_is_refused(tmp_path: Path) -> None:
    folder = engine_cache()
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="is not a folder of yours"):
        engine_cache()


def test_a_link_for_a_plan_is_refused(cached: Path, tmp_path: Path) -> None:
    cached.rename(tmp_path / "target")
    cached.symlink_to(tmp_path / "target")
    with pytest.raises(InputError, match="expected a file of yours, no link"):
        read_cached_plan(cached)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_plan_that_others_could_write_is_refused(cached: Path, mode: int) -> None:
    cached.chmod(mode)
    with pytest.raises(InputError, match=rf"writable by others \(mode {mode:o}\)"):
        read_cached_plan(cached)


def test_what_is_no_regular_file_is_refused(cached: Path) -> None:
    cached.unlink()
    os.mkfifo(cached)  # opening one for reading waits for a writer, if it is not asked not to
    with pytest.raises(InputError, match="is no regular file"):
        read_cached_plan(cached)
    cached.unlink()
    cached.mkdir()
    with pytest.raises(InputError, match="is no regular file"):
        read_cached_plan(cached)


@pytest.mark.parametrize(
    "name", ["resnet50.plan", "resnet50-0123.plan", f"x-{'g' * 32}.plan", NAME + ".bak"]
)
def test_a_name_without_a_digest_is_refused(name: str) -> None:
    plan = write_plan(engine_cache() / name)
    with pytest.raises(InputError, match=r"is no engine of the cache .* NAME-DIGEST\.plan"):
        read_cached_plan(plan)


def test_a_plan_outside_is_not_the_caches(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no engine of the cache"):
        read_cached_plan(write_plan(tmp_path / NAME))


def test_a_changed_plan_is_refused_in_the_cache_too(cached: Path) -> None:
    cached.write_bytes(CONTENT[:-1] + b"!")
    with pytest.raises(InputError, match="is not the one its record speaks of"):
        read_cached_plan(cached)


@as_root
def test_another_users_plan_is_refused(cached: Path) -> None:
    os.chown(cached, 12345, -1)
    with pytest.raises(InputError, match="belongs to user 12345, not to you"):
        read_cached_plan(cached)


@as_root
def test_another_users_cache_is_refused(cached: Path) -> None:
    os.chown(cached.parent, 12345, -1)
    with pytest.raises(InputError, match="is not a folder of yours"):
        read_cached_plan(cached)


def test_another_user_is_whoever_is_not_the_process(
    cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same rule where giving files away is not possible: it is the process that is another."""
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(InputError, match=f"belongs to user {owner}, not to you"):
        read_own_file(cached)
    with pytest.raises(InputError, match="is not a folder of yours"):
        read_cached_plan(cached)


def test_a_plan_that_the_user_names_needs_its_record_only(tmp_path: Path) -> None:
    plan = write_plan(tmp_path / "any name.plan")
    plan.chmod(0o666)
    assert read_named_plan(plan) == read_plan(plan) == (CONTENT, record_of())
    plan.write_bytes(b"other")
    with pytest.raises(InputError, match="is not the one its record speaks of"):
        read_plan(plan)


def test_naming_a_cached_plan_does_not_lift_the_caches_rules(cached: Path) -> None:
    record_path(cached).write_text(record_of().to_json())
    cached.chmod(0o666)
    with pytest.raises(InputError, match="writable by others"):
        read_plan(cached)
