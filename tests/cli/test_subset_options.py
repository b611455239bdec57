"""Subsets on the command line: how --help orders them, and what a run and its audit print."""

from pathlib import Path

import pytest
from bright_images import write_halves
from click.testing import CliRunner

from smoothcert.cli.certify import command as certify
from smoothcert.cli.main import main
from smoothcert.cli.predict import command as predict


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as done:
        main(list(map(str, arguments)))
    printed = capsys.readouterr()
    return done.value.code, printed.out, printed.err


@pytest.mark.parametrize("command", [certify, predict])
def test_help_has_them_in_the_order_they_work_in(command: object) -> None:
    text = " ".join(CliRunner().invoke(command, ["--help"]).output.split())  # type: ignore[arg-type]
    order = ["Which images, in this order:", "--indices FILE", "--sample M",
             "--stratified", "--sample-seed INTEGER", "--skip", "--only-correct", "--max",
             "--shard", "Of a MODEL"]  # fmt: skip
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "(the original's --max is the index it stops at)" in text


def test_a_run_and_its_audit(
    model: Path, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, listed = tmp_path / "out.tsv", tmp_path / "list.txt"
    listed.write_text("2-9")
    code, _, _ = said(
        capsys, "certify", model, source, out, "--sigma", 0.5, "--n", 100, "--indices", listed,
        "--sample", 6, "--sample-seed", 3, "--max", 4,
    )  # fmt: skip
    assert code == 0
    assert out.read_text().count("\n") == 5
    code, text, _ = said(capsys, "audit", out, source)
    assert code == 0
    assert "not recomputed: what the file 'list.txt' lists is the manifest's word" in text
    code, text, _ = said(capsys, "audit", out, source, "--indices", listed)
    assert code == 0
    assert "not recomputed" not in text


def test_a_refusal_is_one_line_and_writes_nothing(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, out, listed = write_halves(tmp_path), tmp_path / "out.tsv", tmp_path / "list.txt"
    listed.write_text("0\n24\n")
    code, _, error = said(
        capsys, "certify", model, images, out, "--sigma", 0.5, "--indices", listed
    )
    assert code == 2
    assert error == (
        f"smoothcert: indices {listed} line 2 names image 24: expected 0..23, the source has 24 "
        "images; the first is 0\n"
    )
    assert not out.exists()
