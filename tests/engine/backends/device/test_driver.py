"""What is asked of the CUDA driver: of none, and of a small library that answers as one."""

import json
from pathlib import Path

import pytest
from host_driver import CONTEXTS, run_with_driver

from smoothcert.engine.backends.device.driver import driver_version, gpus, require_gpu
from smoothcert.engine.base.errors import DeviceUnavailableError

ASK = """
import dataclasses, json
from smoothcert.engine.backends.device import driver
from smoothcert.engine.base.errors import DeviceUnavailableError
found = driver.gpus()
report = [dataclasses.asdict(gpu) for gpu in found]
refused = ""
try:
    driver.require_gpu(2, "this")
except DeviceUnavailableError as error:
    refused = str(error)
if found:
    driver.use(found[1])
print(json.dumps([report, refused, current(), driver.driver_version()]))
"""


def test_devices_are_described_and_used_as_the_driver_says(tmp_path: Path) -> None:
    found, refused, context, version = json.loads(run_with_driver(tmp_path, ASK, version=12040))
    assert found == [
        {"index": 0, "name": "First GPU", "capability": "sm90"},
        {"index": 1, "name": "Second GPU", "capability": "sm120"},
    ]
    assert refused == "device cuda:2 does not exist: expected cuda:0 .. cuda:1"
    assert context == CONTEXTS[1]
    assert version == [12, 4]


@pytest.mark.parametrize(
    ("init", "reason"),
    [
        (100, "finds no device; CUDA_VISIBLE_DEVICES may hide it"),
        (803, "of another version than its kernel module"),
        (804, "compatibility library does not support this GPU"),
        (999, "cuInit fails with 999"),
    ],
)
def test_a_driver_that_finds_no_device_says_why(tmp_path: Path, init: int, reason: str) -> None:
    found, refused, *_ = json.loads(run_with_driver(tmp_path, ASK, init=init))
    assert found == []
    assert refused.startswith(
        "this needs an NVIDIA GPU and its driver, and this machine shows none"
    )
    assert reason in refused


def test_without_a_gpu_the_purpose_is_named() -> None:
    if gpus():
        pytest.skip("this machine has a GPU")
    with pytest.raises(
        DeviceUnavailableError, match=r"running an engine needs an NVIDIA GPU.*doctor"
    ):
        require_gpu(0, "running an engine")


def test_without_a_driver_it_has_no_version() -> None:
    if gpus():
        pytest.skip("this machine has a GPU")
    assert driver_version() is None


NEST = """
import json
from smoothcert.engine.backends.device.driver import current as on, gpus, use
first, second = gpus()
seen = [current()]
with on(second):
    seen.append(current())
    with on(first):
        seen.append(current())
    seen.append(current())
    use(first)  # as a library may do inside
seen.append(current())
use(first)
try:
    with on(second):
        seen.append(current())
        raise KeyError
except KeyError:
    seen.append(current())
print(json.dumps(seen))
"""


def test_afterwards_what_was_current_is_so_again(tmp_path: Path) -> None:
    first, second = CONTEXTS
    seen = json.loads(run_with_driver(tmp_path, NEST))
    assert seen == [None, second, first, second, None, second, first]


OPEN = """
from smoothcert.engine.backends.device.driver import current as on, gpus
from smoothcert.engine.base.errors import InputError
try:
    with on(gpus()[1]):
        pass
except InputError as error:
    print(type(error).__name__, error, current())
"""


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (2, "DeviceMemoryError device cuda:1 has no memory left to be opened with: expected"),
        (46, "DeviceUnavailableError device cuda:1 cannot be opened, with status 46 of the CUDA "
             "driver (another process has it to itself): expected"),
        (214, "status 214 of the CUDA driver: expected"),
    ],
)  # fmt: skip
def test_a_gpu_that_cannot_be_opened_is_one_line(tmp_path: Path, status: int, words: str) -> None:
    told = run_with_driver(tmp_path, OPEN, retain=status)
    assert words in told
    assert told.endswith("None\n")
    assert told.count("\n") == 1
