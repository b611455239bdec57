"""A wheel and an sdist, built in isolation and used in fresh environments of several Pythons.

    python guard/wheels.py [--pythons python3.11 python3.12 python3.13] [--export]   # make wheels

In each: without torch, `--version`, certify of an ONNX file and analyze work, and give the same
log; then the sdist is installed over the wheel. --export also takes the extras export and report,
for which pip fetches torch: with CUDA where its index has no other. All is in out/wheels.
"""

import argparse
import csv
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

from environments import ROOT, Environment, Results, StepError, call

OUT = ROOT / "out" / "wheels"
CHECKPOINT = ROOT / "data" / "fashion_mnist_sigma25.pth"
IMAGES = ROOT / "data" / "fashion_mnist_500.npz"


def contents(wheel: Path) -> dict[str, bytes]:
    """Every file of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def build() -> tuple[Path, Path]:
    """Build the sdist, a wheel of it and one of the tree, in isolation: sdist and wheel."""
    for folder, kinds in (("dist", []), ("of_tree", ["--wheel"])):
        call([sys.executable, "-m", "build", *kinds, "--outdir", str(OUT / folder), "."], ROOT)
    (sdist,), (wheel,) = (OUT / "dist").glob("*.tar.gz"), (OUT / "dist").glob("*.whl")
    (of_tree,) = (OUT / "of_tree").glob("*.whl")
    found, expected = contents(wheel), contents(of_tree)
    differing = {name for name in {*found, *expected} if found.get(name) != expected.get(name)}
    if differing:
        raise StepError(f"the sdist's wheel and the tree's differ: {sorted(differing)}")
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    for name in ("LICENSE", "README.md", "pyproject.toml", "setup.py"):
        if name not in inside:
            raise StepError(f"the sdist lacks {name}")
    return sdist, wheel


def rows(log: Path) -> list[dict[str, str]]:
    """A log without its times."""
    with log.open(encoding="utf-8", newline="") as lines:
        return [{**row, "time": ""} for row in csv.DictReader(lines, delimiter="\t")]


def use(environment: Environment, model: Path, work: Path) -> str:
    """Version, certify and analyze without torch; what --version says."""
    work.mkdir(parents=True)
    if "False" not in environment.python(
        "-c", "from importlib.util import find_spec as f; print(bool(f('torch')))", within=work
    ):
        raise StepError("the extra cpu brings torch")
    version = environment.smoothcert("--version", within=work).strip()
    options = ["--sigma", "0.25", "--n", "1000", "--max", "5", "--seed", "0"]
    environment.smoothcert("certify", str(model), str(IMAGES), "log.tsv", *options, within=work)
    if "certified accuracy" not in environment.smoothcert("analyze", "log.tsv", within=work):
        raise StepError("analyze printed no table")
    return version.removeprefix("smoothcert, ")


def export(environment: Environment, wheel: Path, work: Path) -> str:
    """Export of the demo's checkpoint, and the report."""
    environment.install(f"{wheel}[cpu,export,report]")
    environment.smoothcert("export", str(CHECKPOINT), "-o", "exported.onnx", within=work)
    report = ("analyze", "log.tsv", "--html", "report.html", "--source", str(IMAGES))
    environment.smoothcert(*report, within=work)
    return f"a report of {(work / 'report.html').stat().st_size} bytes"


def check(
    python: str, sdist: Path, wheel: Path, model: Path, with_export: bool, results: Results
) -> list[dict[str, str]] | None:
    """Use what was built in one Python; its log, None where that failed."""
    name = Path(python).name
    folder, work = OUT / name / "environment", OUT / name / "work"
    environment = Environment(folder)

    def from_sdist() -> str:
        environment.install("--no-deps", "--force-reinstall", str(sdist))
        return environment.smoothcert("--version", within=work).strip()

    usable = (
        results.step(f"{name}: environment", lambda: environment.make(python))
        and results.step(f"{name}: wheel[cpu]", lambda: environment.install(f"{wheel}[cpu]"))
        and results.step(f"{name}: certify, analyze", lambda: use(environment, model, work))
    )
    if not usable:
        return None
    results.step(f"{name}: sdist", from_sdist)
    if with_export:
        results.step(f"{name}: export, report", lambda: export(environment, wheel, work))
    return rows(work / "log.tsv")


def main() -> None:
    """Build, then use what was built in each Python."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pythons", nargs="+", default=["python3.11", "python3.12", "python3.13"])
    parser.add_argument("--export", action="store_true")
    options = parser.parse_args()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    results, built, model = Results(), list[Path](), OUT / "model.onnx"

    def prepare() -> None:
        built.extend(build())
        ours = Environment(Path(sys.prefix))
        ours.smoothcert("export", str(CHECKPOINT), "-o", str(model), within=OUT)

    if not results.step("sdist and wheel, built in isolation", prepare):
        results.exit()
    sdist, wheel = built
    logs = [check(each, sdist, wheel, model, options.export, results) for each in options.pythons]
    same = all(log == logs[0] for log in logs)
    print("the logs are equal" if same and logs[0] else "the logs are not equal")
    results.failed |= not same
    results.exit()


if __name__ == "__main__":
    main()
