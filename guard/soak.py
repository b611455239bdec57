"""Kills: a thousand commands ended by SIGKILL, given again, and compared with an undisturbed run.

    python guard/soak.py --kills 1000 --seed 0        # make soak KILLS=1000

Each trial is a scenario (scenarios.py) in a folder of its own, killed one to three times at random
moments (killing.py), then run to its end. It fails where that run fails, where a file differs from
the undisturbed run's, is missing or is one too many (a temporary one, say), where a cache cannot be
read, or where a process is left behind. What failed stays in out/soak.
"""

import argparse
import importlib.util
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from killing import Kill, Run, left_behind, run
from scenarios import SCENARIOS, Scenario, contents, prepare

OUT = Path(__file__).resolve().parents[1] / "out" / "soak"


class Soak:
    """Trials in a scratch folder; `failures` in words."""

    def __init__(self, scratch: Path, seed: int, only: list[str]) -> None:
        self._scratch = scratch
        self._random = random.Random(seed)
        self._scenarios = [
            each
            for each in SCENARIOS
            if (not only or each.name in only) and importlib.util.find_spec(each.needs)
        ]
        self._inputs = scratch / "inputs"
        self._inputs.mkdir()
        self._undisturbed: dict[str, tuple[Run, dict[str, Any]]] = {}
        self.kills: Counter[str] = Counter()
        self.trials: Counter[str] = Counter()
        self.failures: list[str] = []
        prepare(self._inputs, lambda work: self._must(work))
        shutil.rmtree(self._inputs / "cache", ignore_errors=True)

    def _must(self, work: Any) -> None:
        said = self._scratch / "prepared.txt"
        if run(work, self._inputs, said).code:
            raise SystemExit(f"the inputs could not be made: {said.read_text()}")

    def trial(self) -> None:
        """One scenario, killed and finished."""
        weights = [each.weight for each in self._scenarios]
        (scenario,) = self._random.choices(self._scenarios, weights)
        length, expected = self._reference(scenario)
        folder, said = self._new_folder(scenario, "trial")
        kills = [self._kill(length) for _ in range(self._random.randint(1, 3))]
        told = []
        for kill in kills:
            ended = run(scenario.work, folder, said, kill)
            told.append(f"{kill}: {ended.code}")
            self.kills[scenario.name] += ended.code == -9
            if left := left_behind(folder, scenario.patience):
                told.append(f"left behind: {left}")
            if ended.code != -9:
                break
        ended = run(scenario.work, folder, said)
        self.trials[scenario.name] += 1
        problems = [line for line in told if "left behind" in line]
        refused = scenario.repeated and scenario.repeated in said.read_text()
        if ended.code and not (ended.code == 2 and refused):
            problems.append(f"the last run ended with {ended.code}")
        if left := left_behind(folder, scenario.patience):
            problems.append(f"the last run left behind: {left}")
        try:
            problems += differences(contents(folder), expected)
        except ValueError as error:
            problems.append(f"a file cannot be read: {error}")
        if problems:
            kept = OUT / f"{scenario.name.replace(' ', '-')}-{sum(self.trials.values())}"
            shutil.copytree(folder, kept, dirs_exist_ok=True)
            shutil.copy(said, kept / "said.txt")
            self.failures.append(f"{scenario.name} ({'; '.join(told)}): {'; '.join(problems)}")
            print(f"FAILED {self.failures[-1]}\n    see {kept}", flush=True)
        shutil.rmtree(folder)
        said.unlink()

    def _reference(self, scenario: Scenario) -> tuple[Run, dict[str, Any]]:
        """How the scenario ends when nobody disturbs it."""
        if scenario.name not in self._undisturbed:
            folder, said = self._new_folder(scenario, "undisturbed")
            ended = run(scenario.work, folder, said)
            if ended.code:
                raise SystemExit(f"{scenario.name} fails undisturbed: {said.read_text()}")
            left_behind(folder, scenario.patience)
            self._undisturbed[scenario.name] = ended, contents(folder)
            shutil.rmtree(folder)
        return self._undisturbed[scenario.name]

    def _new_folder(self, scenario: Scenario, kind: str) -> tuple[Path, Path]:
        # The name is the same for all: where a source or model lies may be written down.
        folder, said = self._scratch / "trial", self._scratch / f"{kind}.txt"
        folder.mkdir()
        for name in scenario.inputs:
            target = "images.npz" if name == "demo.npz" else name
            shutil.copy(self._inputs / name, folder / target)
        return folder, said

    def _kill(self, length: Run) -> Kill:
        group = self._random.random() < 0.5
        if self._random.random() < 0.6:
            return Kill(step=self._random.randint(1, length.steps + 1), group=group)
        return Kill(seconds=self._random.uniform(0.0, length.seconds), group=group)


def differences(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """In words: files that are missing, too many, or other than they should be."""
    problems = [f"{name} is missing" for name in expected if name not in found]
    problems += [f"{name} is left over" for name in found if name not in expected]
    both = expected.keys() & found.keys()
    return problems + [f"{name} differs" for name in sorted(both) if found[name] != expected[name]]


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    names = [each.name for each in SCENARIOS]
    parser.add_argument("--only", nargs="*", choices=names, default=[])
    options = parser.parse_args()
    print(f"soak: {options.kills} kills, seed {options.seed}", flush=True)
    _warm_up()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak-") as scratch:
        soak = Soak(Path(scratch).resolve(), options.seed, options.only)
        while soak.kills.total() < options.kills:
            soak.trial()
    for name, trials in sorted(soak.trials.items()):
        print(f"{name:12s} {trials:5d} trials {soak.kills[name]:5d} kills")
    print(
        f"{soak.kills.total()} kills in {soak.trials.total()} trials, {len(soak.failures)} failed, "
        f"{time.monotonic() - began:.0f} s"
    )
    sys.exit(bool(soak.failures))


def _warm_up() -> None:
    """Import what forks would spend their time with."""
    import onnxruntime  # noqa: F401
    import scipy.special  # noqa: F401
    import torch  # noqa: F401

    import smoothcert.cli.main  # noqa: F401


if __name__ == "__main__":
    main()
