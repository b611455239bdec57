"""Fuzzing of every reader (readers.py), guided by coverage: atheris finds what leads further.

    python guard/fuzz.py --minutes 60          # make fuzz MINUTES=60
    python guard/fuzz.py --only merge-log --minutes 5
    python guard/fuzz.py --again out/fuzz/merge-log/finding-0123abcd

Each target gets its share of the time in a process of its own, begins with true files and with what
earlier runs found, and goes on after a finding. Findings lie in out/fuzz/TARGET: the input, and
beside it the error. Time or memory without end is one too. Exit 1 if there are any. Without atheris
the inputs are random changes of the true files.
"""

import argparse
import contextlib
import hashlib
import importlib.util
import os
import random
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "out" / "fuzz"
sys.path.append(str(ROOT / "tests" / "helpers"))  # hostile_files.py
_LONGEST = 1 << 16
_SECONDS_EACH = 30
_MEGABYTES = 6144
_RESTARTS = 20
# What atheris adds to a function, numba cannot compile.
_COMPILED = ["smoothcert.engine.noise.sampler", "smoothcert.engine.statistics.sequential"]


class Guarded:
    """A target's read that keeps what it finds: one input for each place an error comes from."""

    def __init__(self, read: Callable[[bytes], None], folder: Path) -> None:
        self._read = read
        self._folder = folder
        self.runs = 0

    def __call__(self, data: bytes) -> None:
        """Read once."""
        self.runs += 1
        try:
            self._read(data)
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            place = f"{type(error).__name__} {frames[-1].filename}:{frames[-1].lineno}"
            name = self._folder / f"finding-{hashlib.sha256(place.encode()).hexdigest()[:8]}"
            if not name.exists():
                name.write_bytes(data)
                name.with_suffix(".txt").write_text(traceback.format_exc())
                print(f"FOUND {place}: {str(error)[:200]}\n    {name}", file=sys.stderr, flush=True)


def earlier(folder: Path) -> list[bytes]:
    """What earlier runs found, which is no finding any more unless it is found again: errors are
    returned; what ended a process goes into the corpus, which is run first."""
    found = []
    for path in sorted(folder.glob("finding-*")):
        if path.suffix != ".txt":
            found.append(path.read_bytes())
        path.unlink()
    for path in folder.glob("ended-*"):
        path.rename(folder / "corpus" / path.name)
    return found


def fuzz_one(name: str, seconds: float) -> None:
    """Fuzz a target in this process, which libFuzzer ends."""
    folder = OUT / name
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    guided = importlib.util.find_spec("atheris") is not None
    if guided:
        import atheris

        # Only what is imported here is instrumented, so: before anything imports smoothcert.
        with atheris.instrument_imports(include=["smoothcert"], exclude=_COMPILED):
            from readers import Readers

            import smoothcert.cli.main
            import smoothcert.engine.run.certification  # noqa: F401
    else:
        from readers import Readers

    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        os.environ["SMOOTHCERT_CACHE"] = str(Path(scratch) / "cache")
        if guided:
            with atheris.instrument_imports(include=["smoothcert"], exclude=_COMPILED):
                readers = Readers(Path(scratch))
                target = readers.targets()[name]
                for seed in target.seeds.values():  # imports what the reader imports
                    with contextlib.suppress(Exception):
                        target.read(seed)
        else:
            target = Readers(Path(scratch)).targets()[name]
        for seed_name, seed in target.seeds.items():
            if len(seed) <= _LONGEST:
                (corpus / f"seed-{seed_name.replace('/', '-')}").write_bytes(seed)
        guarded = Guarded(target.read, folder)
        for content in earlier(folder):
            guarded(content)
        if not guided:
            _random_changes(guarded, list(target.seeds.values()), seconds)
            return
        options = {
            "max_total_time": int(seconds), "timeout": _SECONDS_EACH, "rss_limit_mb": _MEGABYTES,
            "max_len": _LONGEST, "artifact_prefix": f"{folder}/ended-", "verbosity": 0,
            "print_final_stats": 1,
        }  # fmt: skip
        arguments = [f"-{key}={value}" for key, value in options.items()]
        atheris.Setup([sys.argv[0], *arguments, str(corpus)], guarded)
        atheris.Fuzz()


def _random_changes(read: Callable[[bytes], None], seeds: list[bytes], seconds: float) -> None:
    """The same without guidance."""
    rng = random.Random(0)
    limit = time.monotonic() + seconds
    runs = 0
    while time.monotonic() < limit:
        read(changed(rng, rng.choice(seeds)))
        runs += 1
    print(f"stat::number_of_executed_units: {runs}", file=sys.stderr)


def changed(rng: random.Random, data: bytes) -> bytes:
    """A file with a few bytes replaced, removed, doubled or cut off."""
    content = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(content))
        end = min(len(content), at + rng.choice((1, 1, 2, 4, 16, 200)))
        match rng.randrange(5):
            case 0:
                content[at:end] = rng.randbytes(end - at)
            case 1:
                del content[at:end]
            case 2:
                content[at:at] = content[at:end]
            case 3:
                content[at:at] = rng.choice((b"\0", b"-1", b"1e999", b"[" * 500, b"\t", b"\r\n"))
            case _:
                del content[at if rng.random() < 0.2 else end :]
    return bytes(content)


def fuzz_all(names: list[str], minutes: float) -> int:
    """Every target in turn; returns how many findings there are."""
    for name in names:
        limit = time.monotonic() + 60 * minutes / len(names)
        runs = 0
        for _ in range(_RESTARTS):
            left = limit - time.monotonic()
            if left < 1:
                break
            arguments = [sys.executable, __file__, "--target", name, "--seconds", f"{left:.0f}"]
            done = subprocess.run(
                arguments, capture_output=True, text=True, errors="replace", check=False
            )
            runs += _shown(name, done.stderr)
            if done.returncode == 0:
                break
            print(f"{name}: ended by {done.returncode}: {done.stderr.strip()[-300:]}", flush=True)
        print(f"{name:24s} {runs:8d} runs", flush=True)
    found = [path for name in names for path in sorted((OUT / name).glob("[fe]*-*"))]
    found = [path for path in found if path.suffix != ".txt"]
    print(f"{len(found)} findings")
    for path in found:
        print(f"    {path}")
    return len(found)


def _shown(name: str, said: str) -> int:
    """Print what matters of a target's output; how many inputs it ran."""
    runs = 0
    for line in said.splitlines():
        if line.startswith("stat::number_of_executed_units:"):
            runs = int(line.split()[-1])
        elif line.startswith(("FOUND", "    /")):
            print(f"{name}: {line.strip()}", flush=True)
    return runs


def again(path: Path) -> None:
    """Give a finding's input to its target once more, and let the error out."""
    from readers import Readers

    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        os.environ["SMOOTHCERT_CACHE"] = str(Path(scratch) / "cache")
        Readers(Path(scratch)).targets()[path.parent.name].read(path.read_bytes())
    print("nothing is found any more")


def target_names() -> list[str]:
    """All targets."""
    from readers import Readers

    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        os.environ["SMOOTHCERT_CACHE"] = str(Path(scratch) / "cache")
        return list(Readers(Path(scratch)).targets())


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--again", type=Path)
    parser.add_argument("--target", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.target:
        fuzz_one(options.target, options.seconds)
    elif options.again:
        again(options.again.resolve())
    else:
        if importlib.util.find_spec("atheris") is None:
            print("fuzz: atheris is not installed, so nothing guides it: pip install atheris")
        sys.exit(bool(fuzz_all(options.only or target_names(), options.minutes)))


if __name__ == "__main__":
    main()
