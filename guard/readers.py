"""Every reader of a file that anyone may have written, as a target of fuzzing: bytes in, one line
or an answer out.

A target's `read` writes the bytes where the reader looks and lets it read. It may refuse them by an
InputError (exit 2 of the command line, in one line), a FailedImage or a RunStoppedError (exit 1);
anything else is a finding: another error, several lines, a line that goes on for pages.
"""

import contextlib
import io
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from hostile_files import KINDS, fuzz_one, true_file
from scenarios import prepare
from true_files import (
    CONFIG,
    FOREIGN,
    INDEX,
    METADATA,
    PLAN,
    PROCESSOR,
    plan_record,
    write_samples,
)

_LONGEST_LINE = 4000
_ALLOWED = {0, 1, 2}
# What audit prints beside findings, and what it finds in the images alone, which merge never sees.
_NO_FINDING = re.compile(r"not recomputed: |forged rows |image \d+: (pixels|label) ")


class FindingError(AssertionError):
    """A reader did what none may do."""


@dataclass(frozen=True)
class Target:
    """read   what is done with the bytes; raises for a finding
    seeds  true files to begin with, by name
    """

    read: Callable[[bytes], None]
    seeds: Mapping[str, bytes] = field(default_factory=dict)


def command(*arguments: object) -> str:
    """Run the command line in this process; returns what it printed. Raises FindingError where it
    does not end as it should."""
    from smoothcert.cli.main import main

    said, printed = io.StringIO(), io.StringIO()
    code: object = 0
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(printed):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code
    if code not in _ALLOWED:
        raise FindingError(f"exit {code}: {said.getvalue()[-500:]}")
    if code == 2:
        check_line(said.getvalue())
    return printed.getvalue()


def check_line(text: str) -> None:
    """Raise FindingError unless a refusal is one short line that a terminal may get."""
    lines = text.splitlines()
    if len(lines) != 1 or len(text) > _LONGEST_LINE:
        raise FindingError(f"{len(lines)} lines, {len(text)} characters: {text[:500]!r}")
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in lines[0]):
        raise FindingError(f"control characters: {text[:500]!r}")


def refusing(work: Callable[[], object]) -> None:
    """Do it; a refusal is checked as the command line prints it, and is no error."""
    from smoothcert.engine.base.errors import InputError, RunStoppedError
    from smoothcert.engine.base.wording import printable_line

    try:
        work()
    except (InputError, RunStoppedError) as error:
        check_line(printable_line(error))


class Readers:
    """The targets, working in a folder of their own; `prepare` makes true files first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = folder / "made"
        self._made.mkdir(parents=True, exist_ok=True)
        if not (self._made / "part2.tsv").exists():
            with contextlib.chdir(self._made):
                prepare(self._made, _do)
                write_samples(self._made)
                _do(partial(self._within_budget, self._made))

    def targets(self) -> dict[str, Target]:
        """All of them, by name."""
        made = self._made
        shard = {"part": (made / "part0.tsv").read_bytes()}
        manifest = {"part": (made / "part0.tsv.json").read_bytes()}
        found = {
            "resume-log": Target(partial(self._resume, "part0.tsv"), shard),
            "resume-manifest": Target(partial(self._resume, "part0.tsv.json"), manifest),
            "merge-log": Target(partial(self._merge, "part0.tsv"), shard),
            "merge-manifest": Target(partial(self._merge, "part0.tsv.json"), manifest),
            "audit-log": Target(partial(self._audit, "part0.tsv"), shard),
            "audit-manifest": Target(partial(self._audit, "part0.tsv.json"), manifest),
            "analyze": Target(self._analyze, {**shard, **FOREIGN}),
            "analyze-manifest": Target(self._analyze_beside, manifest),
            "kept-votes": Target(self._kept_votes, self._of("budget.tsv.votes")),
            "plan-record": Target(self._plan_record, {"built": plan_record()}),
            "config": Target(partial(self._hf_folder, "config.json"), {"resnet": CONFIG}),
            "processor": Target(
                partial(self._hf_folder, "preprocessor_config.json"), {"vit": PROCESSOR}
            ),
            "weights-index": Target(
                partial(self._hf_folder, "model.safetensors.index.json"), {"two": INDEX}
            ),
            "onnx": Target(partial(self._model, "x.onnx"), self._of("model.onnx")),
            "metadata": Target(self._metadata, {"exported": METADATA}),
            "checkpoint": Target(self._checkpoint, self._of("model.pth", "small.pth")),
            "safetensors": Target(self._safetensors, self._of("small.safetensors")),
        }
        if (made / "ir.xml").exists():
            found["openvino"] = Target(self._openvino, self._of("ir.xml"))
        for kind in KINDS:
            name = f"file-{kind.replace(' ', '-')}"
            found[name] = Target(partial(self._file, kind), {"true": true_file(kind)})
        return found

    def _of(self, *names: str) -> dict[str, bytes]:
        return {name: (self._made / name).read_bytes() for name in names}

    def _copied(self, *names: str) -> Path:
        """A fresh folder with copies of some of the files made."""
        folder = self._folder / "now"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in names:
            shutil.copy(self._made / name, folder / name)
        return folder

    def _in_place_of(self, name: str, content: bytes) -> Path:
        names = [f"part{k}.tsv{suffix}" for k in range(3) for suffix in ("", ".json")]
        folder = self._copied(*names)
        (folder / name).write_bytes(content)
        return folder

    def _resume(self, name: str, content: bytes) -> None:
        folder = self._in_place_of(name, content)
        command(
            "certify", self._made / "model.onnx", self._made / "images.npz", folder / "part0.tsv",
            "--sigma", 0.25, "--seed", 0, "--n", 200, "--backend", "onnxruntime", "--batch", 64,
            "--shard", "0/3",
        )  # fmt: skip

    def _within_budget(self, folder: Path) -> str:
        return command(
            "certify", self._made / "model.onnx", self._made / "images.npz", folder / "budget.tsv",
            "--sigma", 0.25, "--seed", 0, "--n", 4000, "--backend", "onnxruntime", "--batch", 64,
            "--radii", "0,0.1,0.25", "--budget", 3000,
        )  # fmt: skip

    def _kept_votes(self, content: bytes) -> None:
        folder = self._copied("budget.tsv", "budget.tsv.json")
        (folder / "budget.tsv.votes").write_bytes(content)
        self._within_budget(folder)

    def _merge(self, name: str, content: bytes) -> None:
        folder = self._in_place_of(name, content)
        parts = [folder / f"part{k}.tsv" for k in range(3)]
        if "rows from" in command("merge", folder / "out.tsv", *parts):
            audited = command("audit", folder / "out.tsv", self._made / "images.npz", "--rows", 0,
                              "--model", self._made / "model.onnx")  # fmt: skip
            summary = f"{folder / 'out.tsv'}: "
            found = [line for line in audited.splitlines() if not _NO_FINDING.match(line)]
            if summary not in audited or [line for line in found if not line.startswith(summary)]:
                raise FindingError(f"merged, and audit finds: {audited[:500]}")

    def _audit(self, name: str, content: bytes) -> None:
        folder = self._in_place_of(name, content)
        command("audit", folder / "part0.tsv", self._made / "images.npz", "--rows", 0, "--model",
                self._made / "model.onnx")  # fmt: skip

    def _analyze(self, content: bytes) -> None:
        folder = self._copied()
        (folder / "log.tsv").write_bytes(content)
        command("analyze", folder / "log.tsv", "--html", folder / "log.html")

    def _analyze_beside(self, content: bytes) -> None:
        folder = self._in_place_of("part0.tsv.json", content)
        command("analyze", folder / "part0.tsv", "--html", folder / "log.html")

    def _plan_record(self, content: bytes) -> None:
        from smoothcert.engine.backends.tensorrt.trust import open_plan

        plan = self._copied() / "x.plan"
        plan.write_bytes(PLAN)
        plan.with_name("x.plan.json").write_bytes(content)
        refusing(lambda: open_plan(plan))

    def _hf_folder(self, name: str, content: bytes) -> None:
        from smoothcert.export.huggingface.model_folder import read_folder
        from smoothcert.export.huggingface.preprocessing import spec_of

        folder = self._copied()
        files = {"config.json": CONFIG, "preprocessor_config.json": PROCESSOR}
        if name.startswith("model"):
            files |= dict.fromkeys(("part1.safetensors", "part2.safetensors"), b"")
        else:
            shutil.copy(self._made / "small.safetensors", folder / "model.safetensors")
        for file, text in {**files, name: content}.items():
            (folder / file).write_bytes(text)
        refusing(lambda: spec_of(read_folder(folder), _wishes()))

    def _openvino(self, content: bytes) -> None:
        from smoothcert.export.opening import open_model

        folder = self._copied("ir.bin")
        (folder / "ir.xml").write_bytes(content)
        refusing(lambda: open_model(folder / "ir.xml"))

    def _file(self, kind: str, content: bytes) -> None:
        """Images of every kind, and lists of them."""
        fuzz_one(kind, content, self._copied())

    def _model(self, name: str, content: bytes) -> None:
        from smoothcert.engine.models.model import open_onnx

        path = self._copied() / name
        path.write_bytes(content)
        refusing(lambda: open_onnx(path))

    def _metadata(self, content: bytes) -> None:
        import onnx

        network = onnx.load(str(self._made / "model.onnx"))
        entry = network.metadata_props.add()
        entry.key = "smoothcert"
        try:
            entry.value = content.decode()
        except ValueError:
            return
        self._model("x.onnx", network.SerializeToString())

    def _checkpoint(self, content: bytes) -> None:
        from smoothcert.export.checkpoint_opening import opened

        path = self._copied() / "x.pth"
        path.write_bytes(content)
        refusing(lambda: opened(path, None, _wishes()))

    def _safetensors(self, content: bytes) -> None:
        from smoothcert.export.checkpoint_opening import opened

        path = self._copied() / "x.safetensors"
        path.write_bytes(content)
        refusing(lambda: opened(path, "small_cnn", _wishes()))


def _do(work: Callable[[], object]) -> None:
    said = io.StringIO()
    with (
        contextlib.redirect_stderr(said),
        contextlib.redirect_stdout(said),
        contextlib.suppress(SystemExit),
    ):
        work()


@cache
def _wishes() -> Any:
    from smoothcert.export.checkpoint_facts import Wishes

    return Wishes()
