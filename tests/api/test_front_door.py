"""`import smoothcert`: light, complete, and the same as the commands."""

import dataclasses
import inspect
import subprocess
import sys
from collections.abc import Callable
from inspect import Parameter
from typing import Any, get_type_hints

import click
import pytest

import smoothcert
from smoothcert import engine, keywords, ready
from smoothcert.cli.audit import command as audit_command
from smoothcert.cli.certify import command as certify_command
from smoothcert.cli.export import command as export_command
from smoothcert.cli.predict import command as predict_command
from smoothcert.engine.sources.options import SourceOptions
from smoothcert.export.foreign.options import ModelOptions

HEAVY = {"torch", "onnx", "onnxruntime", "openvino", "numba", "scipy", "numpy", "ray"}
SHAPE = (3, 6, 6)


def test_importing_it_imports_nothing_heavy() -> None:
    code = "import sys, smoothcert; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(eval(done.stdout))


def test_every_name_is_there_and_no_other() -> None:
    for name in smoothcert.__all__:
        assert name in dir(smoothcert)
        assert getattr(smoothcert, name).__doc__
    assert engine.Smooth is smoothcert.Smooth
    with pytest.raises(AttributeError, match="no attribute 'certificate'"):
        smoothcert.certificate  # noqa: B018


@pytest.mark.parametrize(
    ("command", "arguments", "function"),
    [
        (certify_command, ["model", "source", "log", "--sigma=1"], smoothcert.certify),
        (predict_command, ["model", "source", "log", "--sigma=1"], smoothcert.predict),
        (audit_command, ["log", "source"], smoothcert.audit),
        (export_command, ["model", "--output=out"], smoothcert.export),
    ],
)
def test_options_have_the_same_names_and_defaults(
    command: click.Command, arguments: list[str], function: Callable[..., Any]
) -> None:
    parameters = dict(inspect.signature(function).parameters)
    if "options" in parameters:
        del parameters["options"]
        rest = inspect.signature(ready.ready).parameters
        parameters |= {
            field.name: Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default)
            for kind in (ModelOptions, SourceOptions)
            for field in dataclasses.fields(kind)
        }
        asked = get_type_hints(keywords.RunOptions).keys() - parameters.keys()
        parameters |= {name: rest[name] for name in asked}
        for name in ("progress", "num_classes"):  # a program's, not a command's
            del parameters[name]
    parameters.pop("watcher", None)
    given = command.make_context("command", arguments).params
    assert set(given) - {"log_json", "metrics_port", "metrics_host"} == set(parameters)
    for name, parameter in parameters.items():
        if name != "out" and parameter.default is not inspect.Parameter.empty:
            assert given[name] == parameter.default, name
