"""Shell completion, as bash asks for it: commands, options, choices and paths, at no cost."""

import subprocess
import sys
from pathlib import Path

import pytest

from smoothcert.cli.shell.completion import SHELLS

PROGRAM = Path(sys.executable).with_name("smoothcert")

# compopt works only where bash itself completes; here it says what it was asked for.
ASK = """
set -u
compopt() { local IFS=" "; echo "compopt $*"; }
eval "$("$1" completion bash)"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMPREPLY=()
_smoothcert_completion "$1" "${!#}" "${@:$#-1:1}"
printf '%s\\n' "${COMPREPLY[@]}"
"""

IMPORTED = """
import os, sys
os.environ |= {"_SMOOTHCERT_COMPLETE": "bash_complete", "COMP_WORDS": sys.argv[1],
               "COMP_CWORD": sys.argv[2]}
from smoothcert.cli.main import main
try:
    main([])
except SystemExit as done:
    assert done.code == 0
heavy = {"numpy", "scipy", "numba", "torch", "onnx", "onnxruntime", "rich", "mpmath"}
print(sorted(heavy & set(sys.modules)))
"""


def completed(*words: str) -> list[str]:
    """What bash offers for the last word."""
    done = subprocess.run(
        ["bash", "--norc", "-c", ASK, "bash", str(PROGRAM), *words],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ce"], ["certify"]),
        (["--ver"], ["--version"]),
        (["certify", "--sig"], ["--sigma"]),
        (["certify", "m.onnx", "val", "out.tsv", "--setting", ""], ["strict", "fast"]),
        (["completion", "f"], ["fish"]),
    ],
)
def test_bash_completes_commands_options_and_choices(words: list[str], offered: list[str]) -> None:
    assert completed(*words) == offered


@pytest.mark.parametrize(
    "words",
    [
        ["certify", "m"],
        ["certify", "m.onnx", "va"],
        ["certify", "m.onnx", "val", "out.tsv", "--labels", "l"],
        ["doctor", "m.onnx", "va"],
        ["analyze", "out.tsv", "--source", "va"],
    ],
)
def test_bash_completes_paths_itself(words: list[str]) -> None:
    assert "compopt -o default" in completed(*words)


@pytest.mark.parametrize(
    ("words", "place", "offered"),
    [("smoothcert c", "1", "plain,certify"), ("smoothcert certify --", "2", "plain,--sigma")],
)
def test_completing_imports_nothing_heavy(words: str, place: str, offered: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, words, place], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert offered in done.stdout.splitlines()


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_a_script_that_asks_the_program(shell: str) -> None:
    done = subprocess.run(
        [PROGRAM, "completion", shell], capture_output=True, text=True, check=True
    )
    assert f"_SMOOTHCERT_COMPLETE={shell}_complete" in done.stdout
    assert "smoothcert" in done.stdout
