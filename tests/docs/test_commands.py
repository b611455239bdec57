"""What the documents tell to type is run, section by section, among files of these names.

A block after `<!-- needs: gpu -->` (or another of NEEDS) is not run: its commands are parsed.
"""

import glob
import re
import shlex
import shutil
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from _pytest.mark import ParameterSet

import smoothcert as package
from smoothcert.cli.main import main
from smoothcert.cli.shell.commands import smoothcert
from smoothcert.export.architectures import architecture
from smoothcert.export.architectures.resnet import BLOCKS as RESNETS

ROOT = Path(__file__).parents[2]
_DOCS = sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md"))
PAGES = ["README.md", "CONTRIBUTING.md", *_DOCS]

NEEDS = {"gpu": 6, "network": 8, "cluster": 3, "minutes": 5}
"""What a block may need that a test has not, and how many blocks of all documents at most."""

SLOW = (
    "--arch resnet50",
    "--arch small_cnn",
    "--arch cifar_resnet110",
    "--precision int8",
    "--ray local",
)
"""Of sections that take seconds: they are run where slow tests are."""

_NETWORK = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 10))
GIVEN = {
    "__name__": "page",
    "smoothcert": package,
    "network": _NETWORK,
    "base_classifier": _NETWORK,
    "test_set": (np.full((2, 8, 8, 3), 128, np.uint8), np.array([0, 1])),
    "x": torch.zeros(3, 8, 8),
}
"""What Python in the documents takes as given."""


@dataclass(frozen=True)
class Block:
    """A piece of a page that is code."""

    page: str
    line: int
    section: int
    language: str
    needs: str
    text: str

    @property
    def commands(self) -> list[str]:
        """Its lines as typed, continued ones joined, without comments."""
        joined = re.sub(r"\\\n\s*", " ", self.text)
        lines = (re.sub(r"\s+#\s.*", "", line).strip() for line in joined.splitlines())
        return [line for line in lines if line]

    @property
    def is_program(self) -> bool:
        """Whether it is Python to run: a part of a file of ours is indented."""
        return self.language == "python" and not self.text.startswith(" ")

    @property
    def ours(self) -> list[str]:
        """Commands of smoothcert in it, also within loops."""
        if self.language != "shell":
            return []
        found = (re.search(r"(?:^|\s)smoothcert (\S.*)", line) for line in self.commands)
        return [each[1].rstrip("& ") for each in found if each]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: str) -> Iterator[Block]:
    """The blocks of code of a page: fenced ones, and lines that are indented after a blank one."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    section = place = 0
    needs = ""
    while place < len(lines):
        line = lines[place]
        start = place
        if line.startswith("#"):
            section += 1
        if found := re.fullmatch(r"<!-- needs: (\w+) -->", line):
            needs = found[1]
        elif line.startswith("```"):
            place = lines.index("```", place + 1)
            language = line.strip("`") or "output"
            yield Block(
                page, start + 1, section, language, needs, "\n".join(lines[start + 1 : place])
            )
            needs = ""
        elif line.startswith("    ") and (start == 0 or not lines[start - 1].strip()):
            while place + 1 < len(lines) and re.match(r"    |$", lines[place + 1]):
                place += 1
            text = "\n".join(each[4:] for each in lines[start : place + 1])
            yield Block(page, start + 1, section, "shell", needs, text)
            needs = ""
        place += 1


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
INLINE = [
    (page, command)
    for page in PAGES
    for command in re.findall(
        r"`smoothcert ([^`]+)`",
        re.sub(r"\s*\n\s*", " ", (ROOT / page).read_text(encoding="utf-8")),
    )
]


def expanded(command: str) -> list[str]:
    """The words of a command, as a shell would have them: patterns that match, and variables."""
    words = []
    for word in shlex.split(re.sub(r"\$\([^)]*\)|\$\{?\w+\}?", "0", command)):
        found = sorted(glob.glob(word)) if re.search(r"[*?]", word) else []  # noqa: PTH207
        words += found or [word]
    return words


def parse(command: str) -> None:
    """Parse a command line; where it has an ellipsis, see that its options exist."""
    name, *words = expanded(command)
    known = smoothcert.get_command(click.Context(smoothcert), name)
    assert known is not None, f"no command {name}"
    if "..." in command:
        options = {each for parameter in known.params for each in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options
        return
    context = known.make_context(name, words, resilient_parsing=False)
    context.close()


def delete(output: str) -> None:
    """So that an output is new, with all that lies beside it."""
    for file in Path().glob(f"{output}*"):
        file.unlink()


def run(command: str, files: Path) -> None:
    """Run a command in this folder. A log that it writes is new, of two images where it does not
    say how many, and a model that it exports is then a small one again."""
    name, *words = expanded(command)
    if name in ("certify", "predict", "merge"):
        delete(next(word for word in words if word.endswith(".tsv")))
    if "-o" in words:
        delete(words[words.index("-o") + 1])
    if name in ("certify", "predict") and "--max" not in words:
        words += ["--max", "2"]
    with pytest.raises(SystemExit) as done:
        main([name, *words])
    assert done.value.code == 0, f"smoothcert {command}"
    if name == "export":
        for model in files.glob("*.onnx"):
            shutil.copy(model, model.name)


def section_blocks() -> Iterator[list[Block]]:
    """The blocks that can be run, by page and section."""
    can = [each for each in BLOCKS if not each.needs and (each.ours or each.is_program)]
    for _, section in groupby(can, key=lambda block: (block.page, block.section)):
        yield list(section)


def parameters() -> Iterator[ParameterSet]:
    for blocks in section_blocks():
        slow = any(part in block.text for block in blocks for part in SLOW)
        yield pytest.param(blocks, id=str(blocks[0]), marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize("blocks", parameters())
def test_what_a_section_tells_to_type_works(
    blocks: list[Block],
    documented_files: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "section"
    shutil.copytree(documented_files, folder, symlinks=True)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    if any("--arch resnet50" in block.text for block in blocks):
        # A real one takes minutes to export; of its kinds of layers one each are left.
        monkeypatch.setitem(RESNETS, "resnet50", (False, (1, 1, 1, 1)))
        network = architecture("resnet50", 1000, (3, 224, 224))
        torch.save({"state_dict": network.state_dict()}, "checkpoint.pth.tar")
        for name in ("checkpoint.pth", "classifier.pth"):
            Path(name).hardlink_to("checkpoint.pth.tar")
    for block in blocks:
        if block.is_program:
            for written in re.findall(r'out="(.*?)"', block.text):
                delete(written)
            exec(compile(block.text, str(block), "exec"), dict(GIVEN))
        for command in block.ours:
            if "..." not in command:
                run(command, documented_files)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.ours], ids=str)
def test_every_command_of_a_block_parses(block: Block) -> None:
    for command in block.ours:
        parse(command)


def test_every_command_in_a_sentence_names_options_that_there_are() -> None:
    assert len(INLINE) > 12
    for _, command in INLINE:
        parse(f"{command} ...")


def test_what_is_not_run_is_little_and_said() -> None:
    asked = Counter(block.needs for block in BLOCKS if block.needs)
    assert set(asked) <= set(NEEDS)
    assert all(asked[need] <= most for need, most in NEEDS.items()), asked


def test_other_commands_name_what_there_is() -> None:
    """Targets of make, extras of pip, scripts, tests."""
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = set(tomllib.load(file)["project"]["optional-dependencies"])
    text = "\n".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
    made = set(re.findall(r"(?:`|^    )make ([a-z][\w-]*)", text, re.M))
    assert len(made) > 8
    assert made <= targets
    asked = {
        each
        for found in re.findall(r"(?:'\.|smoothcert)\[([\w,-]+)\]'", text)
        for each in found.split(",")
    }
    assert len(asked) > 4
    assert asked <= extras
    files = re.findall(
        r"(?:python|pytest|^   ) ((?:benchmarks|tests|guard|data)/[\w/.]+)", text, re.M
    )
    assert len(files) > 8
    assert [file for file in files if not (ROOT / file).is_file()] == []
