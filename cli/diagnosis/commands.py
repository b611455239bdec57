"""The commands that a diagnosis ends with, as they are typed."""

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from smoothcert.cli.diagnosis.entry import TO_TYPE, Entry

Options = Mapping[str, Any]
"""Options by their Python names, with their values: `input_shape`: (3, 8, 8)."""

MODEL, SOURCE = "MODEL", "SOURCE"
"""What stands for a file that the user has to name."""

CLASS_LIST = "class_numbers.txt"
"""The file that a command to type writes a list of classes to."""


def certify(model: str = MODEL, source: str = SOURCE, options: Options | None = None) -> Entry:
    """A first certification: at the usual level of noise, where the options say no other."""
    return _next("certify", model, source, "out.tsv", options={"sigma": 0.25, **(options or {})})


def export(model: str, options: Options | None = None) -> Entry:
    """The export of a checkpoint, or of an ONNX file with what its user says of it."""
    target = "certifiable.onnx" if Path(model).name == "model.onnx" else "model.onnx"
    return _next("export", model, options=options, output=target)


def export_alone(options: Options) -> Entry:
    """The export of what needs no file: an architecture that brings its weights."""
    return Entry("next", TO_TYPE, f"smoothcert export {typed(options)} -o model.onnx")


def analyze(*logs: str, options: Options | None = None) -> Entry:
    """The table of logs."""
    return _next("analyze", *logs, options=options)


def audit(log: str, source: str = SOURCE, options: Options | None = None) -> Entry:
    """The check of a log."""
    return _next("audit", log, source, options=options)


def doctor(*paths: str, options: Options | None = None) -> Entry:
    """A further diagnosis."""
    return _next("doctor", *paths, options=options)


def class_list(names: Sequence[str]) -> Entry:
    """What writes a list of classes (CLASS_LIST) with a name in each line."""
    wanted = " ".join(map(shlex.quote, names))
    written = f"printf '%s\\n' {wanted}"
    if list(names) == [str(number) for number in range(len(names))]:
        written = f"seq 0 {len(names) - 1}"
    return Entry("next", TO_TYPE, f"{written} > {CLASS_LIST}")


def _next(
    command: str, *paths: str, options: Options | None = None, output: str | None = None
) -> Entry:
    words = ["smoothcert", command, *map(word, paths), *(("-o", output) if output else ())]
    return Entry("next", TO_TYPE, " ".join([*words, typed(options or {})]).rstrip())


def word(path: str) -> str:
    """A path as a word for a shell, which is taken for no option."""
    return _quoted(f"./{path}" if path.startswith("-") else path)


def _quoted(word: str) -> str:
    """A word for a shell: in octal where its name is no text, or would break a line."""
    if word.isprintable():
        return shlex.quote(word)
    kept = set(range(0x20, 0x7F)) - set(b"\\'")
    octal = (chr(byte) if byte in kept else f"\\{byte:03o}" for byte in os.fsencode(word))
    return f"$'{''.join(octal)}'"


def typed(options: Options) -> str:
    """Options as they are typed, in their order; those that are not given are left out."""
    words: list[str] = []
    for name, value in options.items():
        if value is None or value is False:
            continue
        words.append("--" + name.replace("_", "-"))
        if value is not True:
            values = value if isinstance(value, tuple | list) else (value,)
            words.append(_quoted(",".join(map(_text, values))))
    return " ".join(words)


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
