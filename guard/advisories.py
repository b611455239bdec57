"""Known vulnerabilities of the pinned packages (constraints.txt), as pip-audit tells them.

    python guard/advisories.py          # make audit-dependencies

Exit 1 for an advisory on a package that a user's installation brings, unless advisories.json names
it with the reason why it does no harm here: pin a newer version, or add that reason. One on a
package of the tests and tools alone is printed and passes: it reaches no user, and must not stop
other work. Where pip-audit or its service does not answer, one line says that nothing was audited.
"""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
KNOWN = Path(__file__).parent / "advisories.json"
_OURS_ALONE = {"demo-imagenet", "dev", "guard", "kernel-tests"}
"""Extras of this project that no user's installation needs."""


@dataclass(frozen=True)
class Advisory:
    """One known vulnerability of one pinned package."""

    package: str
    version: str
    name: str
    fixed: tuple[str, ...]

    def __str__(self) -> str:
        mended = ", ".join(self.fixed) or "no version"
        return f"{self.package} {self.version}: {self.name} (mended in {mended})"


def of_users(root: str = "smoothcert") -> set[str]:
    """The packages that `root` needs with any extra that is for users, by name: what one that is
    not installed here needs in its turn is not known."""
    found: set[str] = set()
    extras = set(metadata.metadata(root).get_all("Provides-Extra") or ()) - _OURS_ALONE
    waiting: list[tuple[str, frozenset[str]]] = [(root, frozenset(extras))]
    seen = set()
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        found.add(canonicalize_name(name))
        try:
            lines = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for line in lines:
            need = Requirement(line)
            if need.marker is None or any(
                need.marker.evaluate({"extra": extra}) for extra in wanted | {""}
            ):
                waiting.append((need.name, frozenset(need.extras)))
    return found - {canonicalize_name(root)}


def advisories(report: Mapping[str, Any]) -> tuple[int, list[Advisory]]:
    """Of pip-audit's JSON: how many packages it knew, and what it knows of them."""
    known = [each for each in report["dependencies"] if "skip_reason" not in each]
    return len(known), [
        Advisory(each["name"], each["version"], one["id"], tuple(one["fix_versions"]))
        for each in known
        for one in each["vulns"]
    ]


def judged(
    found: Iterable[Advisory], users: set[str], known: Mapping[str, str]
) -> tuple[list[str], bool]:
    """Lines to print, and whether one of them is to be acted on."""
    lines, bad = [], False
    for advisory in found:
        if reason := known.get(advisory.name):
            lines.append(f"known: {advisory}: {reason}")
        elif canonicalize_name(advisory.package) in users:
            bad = True
            lines.append(f"VULNERABLE: {advisory}: pin a newer version, or say in {KNOWN.name} why")
        else:
            lines.append(f"of the tests and tools alone: {advisory}")
    return lines, bad


def main() -> None:
    """See the module's text."""
    nothing = "no dependency was audited:"
    if importlib.util.find_spec("pip_audit") is None:
        print(f"{nothing} pip-audit is not installed")
        return
    arguments = [sys.executable, "-m", "pip_audit", "-r", str(ROOT / "constraints.txt")]
    arguments += ["--no-deps", "--disable-pip", "--format=json", "--progress-spinner=off"]
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)
        count, found = advisories(json.loads(done.stdout))
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        count, found = 0, []
    if count == 0:
        print(f"{nothing} the service of known vulnerabilities does not answer here")
        return
    lines, bad = judged(found, of_users(), json.loads(KNOWN.read_text()))
    for line in lines:
        print(line)
    print(f"{count} pinned packages audited: {len(found)} advisories")
    sys.exit(bad)


if __name__ == "__main__":
    main()
