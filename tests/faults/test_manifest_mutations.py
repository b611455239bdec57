"""Manifests of every kind of run, changed at random: whatever one says, a command that reads it
works or refuses it in one line, and the log is as it was."""

import copy
import json
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import smoothcert
from smoothcert.analysis.log import read_log
from smoothcert.analysis.report.page import write_report
from smoothcert.analysis.table import accuracy_table
from smoothcert.cli.diagnosis.log import diagnose_log
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import manifest_path
from smoothcert.engine.log.merge import merge_shards

Manifest = dict[str, Any]
LinearModel = Callable[..., Path]

_LONG = 60  # seconds: far more than any of these takes, and less than what never ends
_WRITTEN: dict[str, tuple[bytes, bytes]] = {}
_RUN: dict[str, Any] = {"seed": 3, "batch": 32, "backend": "onnxruntime"}
_FIXED: dict[str, Any] = {"sigma": 0.5, "n0": 20, "n": 300}
KINDS: dict[str, dict[str, Any]] = {
    "certify": _FIXED,
    "predict": {"sigma": 0.5, "n": 300},
    "table": {"sigma": 0.5, "n": 2000, "radii": (0.0, 0.25, 0.5)},
    "label-aware": {"sigma": 0.5, "n": 2000, "radii": (0.0, 0.5), "label_aware": True},
    "radius": {"sigma": 0.5, "n": 2000, "tolerance": 0.05},
    "priced": {"sigma": 0.5, "n": 2000, "samples_price": 0.1},
    "transfer": {**_FIXED, "transfer_to": "reference.onnx"},
    "sample": {**_FIXED, "sample": 9, "stratified": True, "sample_seed": 4},
    "indices": {**_FIXED, "indices": "indices.txt", "skip": 2},
    "only-correct": {**_FIXED, "sample": 11, "only_correct": True, "max": 3},
    "unlabelled": {**_FIXED, "unlabelled": True},
    "family-wise": {**_FIXED, "family_wise": 12},
}


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def folder(
    model: Path, source: Path, linear_model: LinearModel, shared_cache: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:  # fmt: skip
    """What a run needs, as the current folder; where its tables are kept is shared."""
    monkeypatch.setenv("SMOOTHCERT_CACHE", str(shared_cache))
    monkeypatch.chdir(tmp_path)
    weights = np.random.default_rng(0)
    linear_model(3 * weights.normal(size=(4, 108)), np.zeros(4), (3, 6, 6), name="reference.onnx")
    Path("indices.txt").write_text("\n".join(map(str, range(1, 11))))
    assert (model.name, source.name) == ("linear.onnx", "images.npz")
    return tmp_path


def run(kind: str, log: Path, shard: int) -> None:
    """Begin or resume one of two shards."""
    start = smoothcert.predict if kind == "predict" else smoothcert.certify
    options: dict[str, Any] = {**KINDS[kind], **_RUN}
    start("linear.onnx", "images.npz", out=log, shard=f"{shard}/2", **options).run()


def written(kind: str, shard: int) -> tuple[bytes, bytes]:
    """The log of a shard and its manifest."""
    name = f"{kind}{shard}.tsv"
    if name not in _WRITTEN:
        run(kind, Path(name), shard)
        _WRITTEN[name] = Path(name).read_bytes(), manifest_path(Path(name)).read_bytes()
    return _WRITTEN[name]


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where everything in a JSON value stands."""
    if at:
        yield at
    entries: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        entries = value.items()
    elif isinstance(value, list):
        entries = enumerate(value)
    for key, inner in entries:
        yield from places(inner, (*at, key))


_NUMBERS = (0, 1, -1, 2, 12, 100, 10**4, 10**6, 10**9, 2**32 - 1, 2**32, 2**63, 2**64 - 1, 2**64)
_TEXTS = (
    "", "x", "0-3", "0-4294967295", "0-9999999999", "0,1,2", "cpu", "cuda:0", "auto", "torch",
    "tensorrt", "int8", "\ud800", "a\n\x1b", "complete", "running", "partial", "transfer",
    "predict", "table", "radius", "/dev/zero", "x" * 5000,
)  # fmt: skip
_PLAIN: st.SearchStrategy[Any] = (
    st.sampled_from([None, True, False, [], {}, 10**30])
    | st.sampled_from(_NUMBERS)
    | st.sampled_from(_TEXTS)
    | st.floats()
    | st.sampled_from([0.0, 0.5, 1e-12, 1e-300, 1 - 1e-16, 1e6])
)
_OBJECTS: tuple[Any, ...] = (
    {"row_independence": {"batch": 1}}, {"options": {"mean": [1e300, 1, 1]}},
    {"options": {"std": [0, 0, 0]}}, {"options": {"resize": 10**12}}, {"unlabelled": True},
    {"arrays": ["a", "b"]}, {"labels": {"name": 7}}, [{"idx": 0, "reason": "x\n\x1b"}],
    [{"backend": {}}], [0.5] * 1000, list(range(1, 1001)),
)  # fmt: skip
_ANY = st.sampled_from(_OBJECTS) | st.recursive(
    _PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5
)
_FURTHER = (
    "chosen", "sample", "stratified", "only_correct", "indices", "n_zeta", "alpha_zeta", "n0",
    "transfer_to", "radii", "looks", "tolerance", "samples_price", "family_wise", "label_aware",
    "setting", "batch", "reference", "adapted", "read_as", "failed", "tuned", "reference_path",
)  # fmt: skip
_HOWS = ("another", "another", "another", "gone", "further", "deep", "endless", "larger", "real")


@st.composite
def mutated(draw: st.DrawFn, manifest: Manifest) -> str:
    """The text of a manifest of which some entries are others, gone, deep or endless."""
    found = copy.deepcopy(manifest)
    for _ in range(draw(st.integers(1, 3))):
        *parts, last = draw(st.sampled_from(list(places(found)) or [("run",)]))
        place: Any = found
        for part in parts:
            place = place[part]
        how = draw(st.sampled_from(_HOWS))
        old = place.get(last) if isinstance(place, dict) else place[last]
        if how == "gone":
            place.pop(last, None) if isinstance(place, dict) else place.pop(last)
        elif how == "further" and isinstance(place, dict):
            place[draw(st.sampled_from(_FURTHER))] = copy.deepcopy(draw(_ANY))
        elif how == "larger" and isinstance(old, int | float):
            place[last] = old * draw(st.sampled_from([-1, 2, 1000, 10**6])) + 1
        elif how == "real" and isinstance(old, int) and abs(old) < 2**64:
            place[last] = float(old)
        else:
            place[last] = {"deep": "@[@", "endless": "@9@"}.get(how) or copy.deepcopy(draw(_ANY))
    text = json.dumps(found).replace('"@[@"', "[" * 40 + "]" * 40)
    return text.replace('"@9@"', "9" * 5000)


def commands(kind: str, log: Path, other: Path) -> Iterator[Callable[[], object]]:
    """Everything that reads the manifest of a log."""
    options: dict[str, Any] = {"transfer_to": "reference.onnx"} if kind == "transfer" else {}
    images = "images.npz"

    def merge() -> None:
        for name in ("merged.tsv", "merged.tsv.json"):
            Path(name).unlink(missing_ok=True)
        merge_shards(Path("merged.tsv"), [log, other])

    def analyze() -> None:
        found = read_log(log)
        write_report(Path("page.html"), [found], accuracy_table([found], (0.0, 0.5)))

    yield lambda: smoothcert.audit(log, images, model="linear.onnx", rows=0, **options)
    yield lambda: smoothcert.audit(log, images, rows=1, seed=0, another_machine=True)
    yield merge
    yield analyze
    yield lambda: diagnose_log(str(log))
    yield lambda: run(kind, log, 0)


def check(work: Callable[[], object]) -> None:
    """Nothing but one printable line ends it."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeoutError("hangs")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(_LONG)
    try:
        work()
    except InputError as error:
        refusal = str(error)
    else:
        return
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert refusal.isprintable()
    assert len(refusal) < 3000


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_manifest_says_nothing_but_an_input_error_ends_a_command(
    kind: str, folder: Path
) -> None:
    content, manifest = written(kind, 0)
    log, other = Path("s0.tsv"), Path("s1.tsv")
    log.write_bytes(content)
    for path, there in zip((other, manifest_path(other)), written(kind, 1), strict=True):
        path.write_bytes(there)
    original = json.loads(manifest)

    @settings(
        max_examples=5,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(text=mutated(original), both=st.booleans())
    def each(text: str, both: bool) -> None:
        manifest_path(other).write_bytes(written(kind, 1)[1])
        if both and text.count('"shard": 0') == 1:  # then `merge` finds one run
            manifest_path(other).write_text(text.replace('"shard": 0', '"shard": 1'))
        for work in commands(kind, log, other):
            manifest_path(log).write_text(text)
            check(work)
            assert log.read_bytes() == content

    each()
