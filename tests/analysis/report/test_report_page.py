"""The page as text: one file that asks for nothing, inert names, what it says without scripts."""

import base64
import hashlib
import html
import json
import re
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from report_logs import IMAGES, real_labels, run, write_log, write_page

from smoothcert.analysis.log import read_log
from smoothcert.analysis.report.payload import script_json
from smoothcert.analysis.report.sections import duration, rounded_down
from smoothcert.engine.base.errors import InputError


def text_of(page: Path) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page.read_text())))


def test_only_its_own_style_and_script_may_run(tmp_path: Path) -> None:
    page = write_page(tmp_path / "a.html", [write_log(tmp_path / "a.tsv", real_labels(9))])
    text = page.read_text()
    policy = html.unescape(re.findall(r'Content-Security-Policy" content="([^"]+)"', text)[0])
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not re.findall(r"<[^>]+ (?:style|on\w+)=", text)
    sources = re.findall(r'(?:src|href|action)="([^"]*)"', text.partition("<script")[0])
    assert all(source.startswith(("#", "data:")) for source in sources)


def test_what_was_certified(tmp_path: Path) -> None:
    page = write_page(tmp_path / "a.html", [write_log(tmp_path / "a.tsv", real_labels(9))])
    text = text_of(page)
    for fact in ("model.onnx", "small_cnn", "ab" * 32, "CERTIFY (fixed n)", "onnxruntime 1.32.0",
                 "fp32", "cpu", "A Processor", "numpy 2.4.6"):  # fmt: skip
        assert fact in text
    facts = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]*)</dd>", page.read_text()))
    assert {k: facts[k] for k in ("sigma", "alpha", "n0", "n", "seed")} == {
        "sigma": "0.25", "alpha": "0.001", "n0": "100", "n": "1000", "seed": "7",
    }  # fmt: skip
    assert "/secret/" not in page.read_text()
    assert "with probability at least 0.999 (1 - alpha) over the noise" in text


@pytest.mark.parametrize("verdicts", [{"model.onnx": "proven", "fast.onnx": "probed"}, None])
def test_how_rows_are_known_to_be_independent(
    tmp_path: Path, verdicts: dict[str, str] | None
) -> None:
    log = write_log(tmp_path / "a.tsv", real_labels(9))
    log = replace(log, manifest={**(log.manifest or {}), "row_independence": verdicts})
    page = write_page(tmp_path / "a.html", [log])
    facts = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]*)</dd>", page.read_text()))
    expected = "model.onnx proven, fast.onnx probed" if verdicts else "not recorded"
    assert facts["row independence"] == expected
    words = "Probed for fast.onnx: that each row" if verdicts else "alone is not recorded"
    assert words in text_of(page)


def test_a_transfer_names_its_reference(tmp_path: Path) -> None:
    reference = {"name": "fp32.onnx", "sha256": "cd" * 32}
    changes = run(procedure="transfer", transfer_to=reference, n_zeta=500, alpha_zeta=0.002)
    log = write_log(tmp_path / "a.tsv", real_labels(9))
    log = replace(log, manifest={**(log.manifest or {}), "run": changes})
    page = write_page(tmp_path / "a.html", [log])
    facts = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]*)</dd>", page.read_text()))
    assert facts["reference model"] == "fp32.onnx"
    assert facts["reference digest (SHA-256)"] == "cd" * 32
    assert (facts["alpha zeta"], facts["n zeta"]) == ("0.002", "500")
    assert "the smoothed classifier of the reference model" in text_of(page)


def test_a_log_of_the_original_code_records_nothing(tmp_path: Path) -> None:
    log = write_log(tmp_path / "sigma_0.25", real_labels(9), original=True)
    text = text_of(write_page(tmp_path / "a.html", [log]))
    assert "backend, precision and versions: not recorded" in text
    assert "its alpha, are not recorded" in text
    assert "No lower bound for sigma_0.25: alpha is not recorded" in text


def test_a_growing_log_says_so(tmp_path: Path) -> None:
    rows = real_labels(20)
    page = write_page(tmp_path / "a.html", [write_log(tmp_path / "a.tsv", rows, finish=False)])
    assert "a is still being written: 20 of 500 images have a row so far" in text_of(page)
    page = write_page(tmp_path / "b.html", [write_log(tmp_path / "b.tsv", rows)])
    assert "still being written" not in text_of(page)


def test_a_growing_log_of_table_mode_has_no_lower_bound(tmp_path: Path) -> None:
    manifest = run(procedure="table", radii=[0.0, 0.5])
    rows = [(1, 1, 0.5), (1, 1, 0.0)]
    growing = write_log(tmp_path / "a.tsv", rows, manifest=manifest, finish=False)
    text = text_of(write_page(tmp_path / "a.html", [growing]))
    assert "No lower bound for a:" in text
    assert "Table mode decides the radii 0, 0.5 alone" in text
    finished = write_log(tmp_path / "b.tsv", rows, manifest=manifest)
    assert "No lower bound" not in text_of(write_page(tmp_path / "b.html", [finished]))


@pytest.mark.parametrize("value", [None, [], {}, "x" * 10_000, {"a": [1, {"b": None}]}, 2**63])
def test_odd_manifests_make_a_page(tmp_path: Path, value: object) -> None:
    """Whatever is in entries that have no type of their own, and where all others are missing."""
    path = tmp_path / "a.tsv"
    write_log(path, real_labels(5))
    sessions = [{"cores": value, "backend": {"batch": value}, "packages": {"numpy": value}}]
    odd = {"model": {"arch": value}, "source": {}, "selection": {}, "another": value}
    manifest = {"status": "complete", "sessions": sessions, "run": odd}
    path.with_name("a.tsv.json").write_text(json.dumps(manifest))
    assert write_page(tmp_path / "a.html", [read_log(path)]).stat().st_size < 150_000


def test_json_cannot_end_its_element() -> None:
    hostile = {"a": "</script><!--<script>&\u2028'\""}
    text = script_json(hostile)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == hostile


def test_only_pages_are_written(tmp_path: Path) -> None:
    log = write_log(tmp_path / "a.tsv", real_labels(5))
    before = log.path.read_bytes()
    with pytest.raises(InputError, match=r"a\.tsv is no name for a report"):
        write_page(log.path, [log])
    assert log.path.read_bytes() == before
    with pytest.raises(InputError, match="cannot be written"):
        write_page(tmp_path / "absent" / "a.html", [log])
    with pytest.raises(InputError, match=r"is not what .* certified"):
        write_page(tmp_path / "a.html", [write_log(tmp_path / "b.tsv", [(1, 1, 0.1)] * 600)],
                   source=str(IMAGES))  # fmt: skip
    assert not (tmp_path / "a.html").exists()


def test_numbers_as_text() -> None:
    assert [duration(s) for s in (0.1234, 41, 59.6, 185, 3599, 43_440)] == [
        "0.123 s", "41 s", "1 min 00 s", "3 min 05 s", "1 h 00 min", "12 h 04 min",
    ]  # fmt: skip
    assert [rounded_down(b) for b in (0.927, 0.9279999, 0.3, 0.0, 1.0)] == [
        "0.927", "0.927", "0.300", "0.000", "1.000",
    ]  # fmt: skip


def test_text_and_lines_can_be_told_from_the_ground() -> None:
    style = (resources.files("smoothcert.analysis.report") / "assets/page.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    for scheme in (light, dark):
        colour = dict(re.findall(r"--([\w-]+): (#\w{6})", scheme))
        for ink in ("ink", "muted", "accent"):
            for ground in ("ground", "surface", *(["notice"] if ink == "ink" else [])):
                assert contrast(colour[ink], colour[ground]) >= 4.5, (ink, ground)
        # The first five logs; those after them have line styles that the first ones have not.
        for series in range(5):
            assert contrast(colour[f"c{series}"], colour["surface"]) >= 3.0, series


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    levels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in levels]
    return sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
