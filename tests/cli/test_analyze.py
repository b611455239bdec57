"""analyze, merge and doctor as a user runs them."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from command_line import smoothcert
from PIL import Image

from smoothcert.cli.analyze import command
from smoothcert.engine.base.errors import InputError

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.tsv"
    path.write_text(HEADER + "0\t1\t1\t0.5\t1\t1.0\n1\t1\t-1\t0.0\t0\t1.0\n")
    return path


def test_a_table(log: Path) -> None:
    done = smoothcert("analyze", log, "--radii", "0,0.5,1", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["logs"][0]["certified_accuracy"] == [0.5, 0.5, 0.0]
    assert "r=0.25" in smoothcert("analyze", log).stdout


@pytest.mark.parametrize(
    "options",
    [
        ["--radii", "a"],
        ["--radii", ""],
        ["--radii", "-1"],
        ["--format", "pdf"],
        ["--alpha", "2"],
        ["--alpha", "0.1", "--rho", "0"],
        ["--rho", "0.001"],
        ["--rho", "7"],
        ["--alpha", "0.1", "--rho", "1e-13"],
        ["--alpha", "1e-13"],
        ["absent.tsv"],
    ],
)
def test_bad_usage_is_one_line(log: Path, options: list[str]) -> None:
    done = smoothcert("analyze", log, *options)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize("procedure", ["table", "radius", "certify"])
@pytest.mark.parametrize("options", [["--rho", "0.001"], ["--alpha", "0.001"]])
def test_an_unfinished_log_whose_rows_follow_their_results_has_no_bound(
    log: Path, tmp_path: Path, procedure: str, options: list[str]
) -> None:
    """In no form of output; without a bound it is shown in all."""
    run = {"procedure": procedure, "alpha": 0.001, "radii": [0.0], "n_zeta": 500}
    log.with_name("log.tsv.json").write_text(json.dumps({"run": run, "status": "running"}))
    page = tmp_path / "a.html"
    shown = ["--radii", "0", "--html", str(page)]
    for asked in ([*options, "--radii", "0"], [*options, *shown]):
        done = CliRunner().invoke(command, [str(log), *asked])
        assert isinstance(done.exception, InputError)
        assert "is an unfinished run whose rows come in the order of their results" in str(
            done.exception
        )
    assert not page.exists()
    assert CliRunner().invoke(command, [str(log), *shown]).exit_code == 0
    assert "No lower bound for log" in page.read_text()


def test_an_unfinished_transfer_has_no_bound(log: Path) -> None:
    lines = log.read_text().splitlines()
    names = "predict_transfer\tradius_transfer\tcovers_transfer\tlosses\tn_zeta\tzeta_upper"
    rows = [f"{line}\t-1\t0.0\t0\t0\t0\t1.0" for line in lines[1:]]
    log.write_text("\n".join([f"{lines[0]}\t{names}", *rows]) + "\n")
    run = {"procedure": "certify", "alpha": 0.001, "alpha_zeta": 0.001, "n_zeta": 500}
    for status, refused in (("running", True), ("complete", False)):
        log.with_name("log.tsv.json").write_text(json.dumps({"run": run, "status": status}))
        done = CliRunner().invoke(command, [str(log), "--transferred", "--rho", "0.001"])
        assert isinstance(done.exception, InputError) == refused, done.output


@pytest.mark.parametrize("form", ["text", "markdown", "latex", "csv", "json"])
def test_bounds_appear_in_every_format_when_asked_for(log: Path, form: str) -> None:
    without = CliRunner().invoke(command, [str(log), "--radii", "0.5", "--format", form])
    asked = CliRunner().invoke(command, [str(log), "--radii", "0.5", "--format", form,
                                         "--alpha", "0.001", "--rho", "0.2"])  # fmt: skip
    assert without.exit_code == asked.exit_code == 0, asked.output
    # No certificate of two is wrong with probability .998: the bound is the accuracy itself.
    assert asked.output.count("0.5") > without.output.count("0.5")


def test_a_damaged_manifest_is_one_line(log: Path) -> None:
    log.with_name("log.tsv.json").write_text('{"run": {"sigma": "abc"}}')
    done = smoothcert("analyze", log)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("smoothcert: ")
    assert "log.tsv.json has run.sigma 'abc'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_running_log_says_so_and_how_many_rows(log: Path) -> None:
    log.with_name("log.tsv.json").write_text('{"run": {"sigma": 0.25}, "status": "running"}')
    with log.open("a") as file:
        file.write("2\t1\t1\t0.")
    lines = CliRunner().invoke(command, [str(log), "--radii", "0"]).output.splitlines()
    assert lines[1].split() == ["log", "(running)", "0.25", "0.500", "2", "0.500", "0.250"]


def test_a_plot_beside_the_table(log: Path, tmp_path: Path) -> None:
    done = smoothcert("analyze", log, "--radii", "0", "--format", "csv", "--plot",
                      tmp_path / "plot.png")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == smoothcert("analyze", log, "--radii", "0", "--format", "csv").stdout
    with Image.open(tmp_path / "plot.png") as picture:
        assert picture.format == "PNG"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["absent.tsv", "--plot", "plot.jpg"], "suffix '.jpg': expected one of .png, .pdf, .svg"),
        (["absent.tsv", "--plot", "absent/plot.png"], "absent is no folder"),
        (["absent.tsv", "--plot", "plot.png"], "absent.tsv does not exist"),
        (["log.tsv", "--plot", "plot.png", "--rho", "0.1"], "expected --alpha"),
    ],
)
def test_a_plot_that_cannot_be_made_is_one_line(
    log: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(log.parent)
    done = smoothcert("analyze", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert {path.name for path in log.parent.iterdir()} == {"log.tsv"}


def test_a_plot_without_matplotlib_names_the_extra(log: Path) -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None; from smoothcert.cli.main import main;"
        f"main(['analyze', {str(log)!r}, '--plot', 'plot.png'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'smoothcert[report]'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("form", ["text", "markdown", "latex", "csv", "json"])
def test_predictions_judged_by_a_reference(log: Path, form: str) -> None:
    reference = log.with_name("large.tsv")
    reference.write_text(HEADER + "0\t1\t1\t0.0\t1\t1.0\n1\t1\t2\t0.0\t0\t1.0\n")
    done = smoothcert("analyze", log, "--reference", reference, "--format", form)
    assert (done.returncode, done.stderr) == (0, "")
    assert "large" in done.stdout
    assert "accurate" in done.stdout
    assert "abstained" in done.stdout
    if form == "text":  # of two images: one correct and accurate, one abstention
        line = done.stdout.splitlines()[1]
        assert line.split() == ["log", "0.500", "0.000", "0.000", "0.000", "0.500", "2"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--radii", "0"], "--reference and --radii do not go together"),
        (["--alpha", "0.1"], "--reference and --alpha do not go together"),
        (["--rho", "0.1"], "--reference and --rho do not go together"),
        (["--plot", "a.png"], "--reference and --plot do not go together"),
        (["--reference", "absent.tsv"], "absent.tsv does not exist"),
    ],
)
def test_a_reference_that_cannot_be_used_is_one_line(
    log: Path, options: list[str], words: str
) -> None:
    done = smoothcert("analyze", log, "--reference", log, *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_originals_predictions_are_judged(tmp_path: Path) -> None:
    header = "idx\tlabel\tpredict\tcorrect\ttime\n"
    for name, second in (("N_100", "-1"), ("N_1000", "2")):
        rows = f"0\t7\t7\t1\t0:00:01.7\n100\t3\t{second}\t0\t0:00:00.2\n"
        (tmp_path / name).write_text(header + rows)
    done = smoothcert("analyze", tmp_path / "N_100", "--reference", tmp_path / "N_1000",
                      "--format", "json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["logs"]
    assert (row["log"], row["images"]) == ("N_100", 2)
    assert (row["correct_accurate"], row["abstained"]) == (1, 1)


def test_a_growing_log_is_plotted_with_the_images_so_far(log: Path) -> None:
    log.with_name("log.tsv.json").write_text('{"run": {"sigma": 0.25}, "status": "running"}')
    with log.open("a") as file:
        file.write("2\t1\t1\t0.")
    plot = log.with_name("plot.svg")
    done = smoothcert("analyze", log, "--plot", plot, "--radii", "0")
    assert done.returncode == 0, done.stderr
    assert "log (running)" in done.stdout
    before = plot.read_bytes()
    with log.open("a") as file:
        file.write("75\t1\t1.0\n")
    done = smoothcert("analyze", log, "--plot", plot, "--radii", "0")
    assert done.stdout.splitlines()[1].split()[-3] == "3"
    assert plot.read_bytes() != before


def test_an_absurd_radius_is_tabulated_at_once(log: Path) -> None:
    log.write_text(HEADER + "0\t1\t1\t1e300\t1\t1.0\n")
    assert CliRunner().invoke(command, [str(log)]).exit_code == 0


def test_neither_numba_nor_torch_nor_scipy_is_loaded_for_a_table(log: Path) -> None:
    code = (
        "import sys; from smoothcert.cli.analyze import command;"
        f"command([{str(log)!r}], standalone_mode=False);"
        "print({'numba', 'torch', 'scipy', 'pandas', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_a_closed_pipe_is_no_error(log: Path) -> None:
    command = f"{sys.executable} -m smoothcert.cli.main analyze {log} --format csv | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_a_report_beside_the_table(log: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    done = smoothcert("analyze", log, "--radii", "0,0.5", "--format", "json", "--html", page)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["logs"][0]["certified_accuracy"] == [0.5, 0.5]
    assert done.stderr.startswith(f"{page}: a report")
    assert page.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--source", "images.npz"], "expected --html too"),
        (["--html", "report.pdf"], "expected FILE.html"),
        (["--html", "absent/report.html"], "cannot be written"),
        (["--html", "report.html", "--source", "absent.npz"], "absent.npz"),
    ],
)
def test_a_report_that_cannot_be_made_is_one_line(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    done = smoothcert("analyze", log, *options)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert words in done.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_published_logs_make_a_report(published_log: Callable[[str], Path], tmp_path: Path) -> None:
    logs = [published_log(f"imagenet/sigma_{sigma}") for sigma in ("0.25", "0.50", "1.00")]
    page = tmp_path / "report.html"
    done = smoothcert("analyze", *logs, "--alpha", "0.001", "--html", page)
    assert done.returncode == 0, done.stderr
    assert "1,427 certificates in 3 logs" in page.read_text()


def test_merge_without_manifests_is_one_line(log: Path, tmp_path: Path) -> None:
    done = smoothcert("merge", tmp_path / "out.tsv", log)
    assert done.returncode == 2
    assert "manifest" in done.stderr
    assert done.stderr.count("\n") == 1


def test_doctor() -> None:
    done = smoothcert("doctor", "--json")
    assert done.returncode == 0, done.stderr
    report = {entry["part"]: entry for entry in json.loads(done.stdout)}
    assert report["onnxruntime"]["state"][0].isdigit()
    assert report["processor"]["note"].split()[1] == "cores,"
    assert "onnxruntime" in smoothcert("doctor").stdout


def test_an_envelope_of_logs_of_the_same_images(log: Path, tmp_path: Path) -> None:
    far = tmp_path / "far.tsv"
    far.write_text(HEADER + "0\t1\t2\t0.5\t0\t1.0\n1\t1\t1\t0.9\t1\t1.0\n")
    options = ("--envelope", "--radii", "0,0.5,0.75", "--format", "json")
    plot, page = tmp_path / "plot.svg", tmp_path / "page.html"
    done = smoothcert("analyze", log, far, *options, "--plot", plot, "--html", page)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["upper_envelope"]
    assert found["certified_accuracy"] == [0.5, 0.5, 0.5]
    assert found["log"] == ["log", "log", "far"]
    assert done.stderr.splitlines()[-1] == found["note"]
    assert "upper envelope (no one classifier)" in page.read_text()
    assert plot.exists()
    plot.unlink()
    far.write_text(HEADER + "0\t1\t2\t0.5\t0\t1.0\n")
    for arguments, words in (
        ([far, "--plot", plot], f"{log} has 2 images and {far} 1: expected logs of the same"),
        ([], f"there is but {log}: expected at least two"),
        ([far, "--reference", log], "--reference and --envelope do not go together"),
    ):
        refused = CliRunner().invoke(command, list(map(str, [log, "--envelope", *arguments])))
        assert isinstance(refused.exception, InputError)
        assert words in str(refused.exception)
        assert refused.stdout == ""
    assert not plot.exists()
