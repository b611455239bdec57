"""Runs in a Jupyter kernel: shown, interrupted in a cell, and gone on with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from linear_runs import linear_images, linear_network
from untimed_logs import untimed

import smoothcert

RUN: dict[str, Any] = {"sigma": 0.5, "n0": 10, "n": 300, "seed": 3, "batch": 64}
IMAGES = 9

_CERTIFY = """\
import os, signal, smoothcert
run = smoothcert.certify({model!r}, {source!r}, out={log!r}, **{options!r})
run"""
_INTERRUPTED = """\
for number, row in enumerate(run):
    if number == 3:
        os.kill(os.getpid(), signal.SIGINT)"""
_RESUMED = "run.run()"


@pytest.mark.slow
def test_a_cell_that_is_interrupted_is_gone_on_with(
    linear_model: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    for folder in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(folder, str(tmp_path / folder))
    model, source = linear_network(linear_model), linear_images(tmp_path, IMAGES)
    log, whole = tmp_path / "out.tsv", tmp_path / "whole.tsv"
    smoothcert.certify(model, source, out=whole, **RUN).run()
    first = _CERTIFY.format(model=str(model), source=str(source), log=str(log), options=RUN)
    cells = [nbformat.v4.new_code_cell(text) for text in (first, _INTERRUPTED, _RESUMED)]
    cells[1].metadata["tags"] = ["raises-exception"]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    ready, interrupted, resumed = (cell.outputs for cell in notebook.cells)
    assert "A run of 9 images is ready" in ready[0]["data"]["text/html"]
    assert any(output.get("ename") == "KeyboardInterrupt" for output in interrupted)
    assert [output["output_type"] for output in resumed] == ["display_data", "execute_result"]
    assert not resumed[0]["data"]["text/plain"]  # the progress bar is gone
    assert resumed[1]["data"]["text/html"] == smoothcert.read_log(log)._repr_html_()
    assert untimed(log) == untimed(whole)
