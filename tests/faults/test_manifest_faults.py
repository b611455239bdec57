"""Manifests that someone has damaged or forged, in every command that reads one: one line, exit 2,
and the log is as it was."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import smoothcert
from smoothcert.cli.main import main
from smoothcert.engine.log.manifest import manifest_path, read_manifest, write_manifest

_WRITTEN: dict[str, tuple[bytes, bytes]] = {}

Manifest = dict[str, Any]
Change = Callable[[Manifest], object]

RUN: dict[str, Any] = {
    "sigma": 0.5,
    "seed": 3,
    "n0": 20,
    "n": 300,
    "batch": 32,
    "backend": "onnxruntime",
}
OPTIONS = [f"--{name}={value}" for name, value in RUN.items()]


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def private_cache(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As everywhere, but one for all of these tests: they audit one model."""
    monkeypatch.setenv("SMOOTHCERT_CACHE", str(shared_cache))


@pytest.fixture
def shards(model: Path, source: Path, tmp_path: Path) -> list[Path]:
    """The complete logs of two shards, beside model and images, in the current folder."""
    found = [tmp_path / f"s{number}.tsv" for number in range(2)]
    for number, log in enumerate(found):
        if log.name not in _WRITTEN:
            smoothcert.certify(model, source, out=log, shard=f"{number}/2", **RUN).run()
            _WRITTEN[log.name] = log.read_bytes(), manifest_path(log).read_bytes()
        for path, content in zip((log, manifest_path(log)), _WRITTEN[log.name], strict=True):
            path.write_bytes(content)
    return found


def commands(shards: list[Path], model: Path, source: Path) -> dict[str, list[object]]:
    """Every command that reads the manifest of the first of two shards."""
    log, folder = shards[0], shards[0].parent
    return {
        "audit": ["audit", log, source, "--rows", 0, "--model", model],
        "merge": ["merge", folder / "merged.tsv", *shards],
        "resume": ["certify", model, source, log, "--shard", "0/2", *OPTIONS],
        "analyze": ["analyze", log],
        "html": ["analyze", log, "--html", folder / "page.html"],
    }


def refused(capfd: pytest.CaptureFixture[str], arguments: list[object]) -> str:
    """The one line of a command that does not work."""
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(list(map(str, arguments)))
    said = capfd.readouterr().err
    assert ended.value.code == 2, said
    assert said.count("\n") == 1
    assert said.rstrip("\n").isprintable()
    assert len(said) < 1000
    return said


def selection(**changes: Any) -> Change:
    return lambda manifest: manifest["run"]["selection"].update(changes)


def run(**changes: Any) -> Change:
    return lambda manifest: manifest["run"].update(changes)


def beside(**changes: Any) -> Change:
    return lambda manifest: manifest.update(changes)


ALL = ("audit", "merge", "resume", "analyze", "html")
TYPES: dict[str, tuple[Change, str]] = {
    "B3-sessions-7": (beside(sessions=7), "sessions 7"),
    "F3-sessions-true": (beside(sessions=True), "sessions True"),
    "F3-backend-of-a-session": (
        lambda manifest: manifest["sessions"][0].update(backend=7),
        "sessions[0].backend 7",
    ),
    "B4-seed-of-5000-digits": (run(seed="@9@"), "run.seed a whole number of 5000 digits"),
    "F2-selection-str": (run(selection="x"), "run.selection 'x'"),
    "F2-selection-null": (run(selection=None), "run.selection None"),
    "F2-shard-list": (selection(shard=[1]), "run.selection.shard [1]"),
    "F2-shard-object": (selection(shard={}), "run.selection.shard {}"),
    "F3-shard-str": (selection(shard="0"), "run.selection.shard '0'"),
    "F2-max-str": (selection(max="x"), "run.selection.max 'x'"),
    "F2-skip-float": (selection(skip=1.5), "run.selection.skip 1.5"),
    "M1-shards-10^9": (selection(shards=10**9), "run.selection.shards 1000000000"),
    "F2-images-float": (
        lambda manifest: manifest["run"]["source"].update(images=12.0),
        "run.source.images 12.0",
    ),
    "M1-images-10^11": (
        lambda manifest: manifest["run"]["source"].update(images=10**11),
        "run.source.images 100000000000",
    ),
    "F3-model-list": (run(model=[]), "run.model []"),
    "F3-sha256-number": (
        lambda manifest: manifest["run"]["model"].update(sha256=7),
        "run.model.sha256 7",
    ),
    "F3-total_variation-str": (run(total_variation="x"), "run.total_variation 'x'"),
    "A1-seed-str": (run(seed="7"), "run.seed '7'"),
    "A1-device-list": (run(device=["cpu"]), "run.device ['cpu']"),
    "A1-model_path-number": (
        lambda manifest: manifest["sessions"][0].update(model_path=7),
        "sessions[0].model_path 7",
    ),
    "A1-n-10^12": (run(n=10**12), "run.n 1000000000000"),
    "M2-failed-str": (beside(failed="x"), "failed 'x'"),
    "M2-failed-object": (beside(failed={"a": 1}), "failed {'a': 1}"),
    "O3-surrogate": (
        lambda manifest: manifest["run"]["model"].update(arch="\ud800"),
        "run.model.arch '\\ud800'",
    ),
    "infinite-sigma": (run(sigma=float("inf")), "run.sigma Infinity"),
    "endless-backend": (run(backend="x" * 10**6), "run.backend 'xxx"),
}
MISSING: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "M2-sessions": (("sessions",), ("audit", "merge", "resume")),
    "F2-selection": (("run", "selection"), ("audit", "merge", "resume")),
    "F2-source": (("run", "source"), ("audit", "merge", "resume")),
    "F2-images": (("run", "source", "images"), ("audit", "merge", "resume")),
    "F3-backend": (("run", "backend"), ("audit", "resume")),
    "F3-sha256": (("run", "model", "sha256"), ("audit", "resume")),
    "run": (("run",), ("audit", "merge", "resume")),
}


@pytest.mark.parametrize("command", ALL)
@pytest.mark.parametrize("fault", TYPES)
def test_another_type_is_named(
    fault: str, command: str, shards: list[Path], model: Path, source: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    change, words = TYPES[fault]
    manifest = json.loads(manifest_path(shards[0]).read_text())
    change(manifest)
    text = json.dumps(manifest).replace('"@9@"', "9" * 5000)
    manifest_path(shards[0]).write_text(text)
    before = shards[0].read_bytes()
    said = refused(capfd, commands(shards, model, source)[command])
    assert f"s0.tsv.json has {words}" in said
    assert (shards[0].read_bytes(), manifest_path(shards[0]).read_text()) == (before, text)
    assert not (shards[0].parent / "merged.tsv").exists()


@pytest.mark.parametrize(
    ("fault", "command"), [(fault, each) for fault, (_, of) in MISSING.items() for each in of]
)
def test_what_is_missing_is_named(
    fault: str, command: str, shards: list[Path], model: Path, source: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (*parts, last), _ = MISSING[fault]
    manifest = place = json.loads(manifest_path(shards[0]).read_text())
    for part in parts:
        place = place[part]
    del place[last]
    manifest_path(shards[0]).write_text(json.dumps(manifest))
    before = shards[0].read_bytes()
    said = refused(capfd, commands(shards, model, source)[command])
    assert last in said
    assert shards[0].read_bytes() == before


RAW = {
    "B2-deep": (b"[" * 200_000, "nested too deep"),
    "B2-deep-objects": (b'{"run":' * 100_000, "nested too deep"),
    "no-utf8": (b'{"run": {"noise": "\xff"}}', "no UTF-8"),
    "twice": (b'{"run": {}, "run": {}}', "'run' twice"),
    "empty": (b"", "cannot be read as a manifest"),
    "list": (b"[1]", "expected a JSON object"),
}


@pytest.mark.parametrize("command", ALL)
@pytest.mark.parametrize("fault", [*RAW, "folder", "pipe", "socket", "device"])
def test_what_is_no_file_of_json(
    fault: str, command: str, shards: list[Path], model: Path, source: Path,
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path = manifest_path(shards[0])
    path.unlink()
    words = f"{'a ' if fault != 'no-utf8' else ''}{fault}"
    if fault in RAW:
        content, words = RAW[fault]
        path.write_bytes(content)
    elif fault == "folder":
        path.mkdir()
    elif fault == "pipe":
        os.mkfifo(path)
    elif fault == "device":
        path.symlink_to("/dev/zero")
    else:
        monkeypatch.chdir(path.parent)  # a whole path may be too long for a socket's
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path.name)
    before = shards[0].read_bytes()
    said = refused(capfd, commands(shards, model, source)[command])
    assert path.name in said
    assert words in said
    assert shards[0].read_bytes() == before


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("backend", "os:abort"),
        ("backend", "builtins.input"),
        ("device", "cuda:0'"),
        ("device", "cpu; rm -rf ."),
        ("precision", "__import__('os').abort()"),
    ],
)
def test_texts_of_a_manifest_are_names_alone(
    entry: str, text: str, shards: list[Path], model: Path, source: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """What runs a model is looked up by name; nothing that stands there is imported or run."""
    manifest = read_manifest(shards[0])
    manifest["run"][entry] = text
    write_manifest(shards[0], manifest)
    for command in ("audit", "resume"):
        assert entry in refused(capfd, commands(shards, model, source)[command])


@pytest.mark.parametrize("path", ["os:abort", "http://x/m.onnx", "m\0.onnx", "/dev/zero", ".", "-"])
def test_a_model_path_of_a_manifest_is_a_file_alone(
    path: str, shards: list[Path], source: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    manifest = read_manifest(shards[0])
    manifest["sessions"][0]["model_path"] = path
    write_manifest(shards[0], manifest)
    refused(capfd, ["audit", shards[0], source, "--rows", 0])


def test_a1_an_audit_costs_by_the_rows_not_by_what_the_manifest_says(
    shards: list[Path], model: Path, source: Path
) -> None:
    manifest = read_manifest(shards[0])
    for n in (10**7, 10**9):
        manifest["run"]["n"] = n
        write_manifest(shards[0], manifest)
        report = smoothcert.audit(shards[0], source, model=model)
        assert report.repeated == 0
        assert f"n is 300: expected {n}" in report.findings[0]


TABLE = {"procedure": "table", "setting": "strict", "label_aware": False, "n0": 0}
DEAR: dict[str, tuple[Manifest, str]] = {
    "A1-looks": (
        {**TABLE, "n": 10**7, "looks": [10**7 - 999 + look for look in range(1000)]},
        "run.looks",
    ),
    "A1-radii": (
        {**TABLE, "n": 10**7, "looks": [10**7], "radii": [i / 1e6 for i in range(1000)]},
        "1000 radii of n 10000000 take too long to plan",
    ),
    "A1-table": ({**TABLE, "n": 10**9, "looks": [10**9], "radii": [0.0]}, "n 1000000000 is out"),
    "A1-pilot": (
        {"procedure": "radius", "n": 10**9, "n0": 10**9, "tolerance": 0.01, "label_aware": False},
        "pilot 1000000000 is out of range",
    ),
}


@pytest.mark.parametrize("command", ["audit", "merge"])
@pytest.mark.parametrize("fault", DEAR)
def test_what_takes_too_long_to_plan_is_refused_before_it_is_planned(
    fault: str, command: str, shards: list[Path], model: Path, source: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    entries, words = DEAR[fault]
    for log in shards:
        manifest = read_manifest(log)
        manifest["run"].update(entries)
        write_manifest(log, manifest)
    assert words in refused(capfd, commands(shards, model, source)[command])
