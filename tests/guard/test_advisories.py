"""Which known vulnerabilities stop a build: those that reach a user and that nobody excused."""

import json

import advisories

REPORT = {
    "dependencies": [
        {"name": "numpy", "version": "2.0", "vulns": [{"id": "V-1", "fix_versions": ["2.1"]}]},
        {"name": "Py_Test", "version": "1", "vulns": [{"id": "V-2", "fix_versions": []}]},
        {"name": "numba", "version": "1", "vulns": []},
        {"name": "tool", "skip_reason": "not found"},
    ]
}


def test_what_reaches_users_counts() -> None:
    known, found = advisories.advisories(REPORT)
    assert known == 3
    lines, bad = advisories.judged(found, {"numpy"}, {})
    assert bad
    assert lines[0].startswith("VULNERABLE: numpy 2.0: V-1 (mended in 2.1)")
    assert lines[1] == "of the tests and tools alone: Py_Test 1: V-2 (mended in no version)"
    lines, bad = advisories.judged(found, {"py-test"}, {"V-1": "never called", "V-2": "nor this"})
    assert not bad
    assert lines[0].endswith(": never called")


def test_an_exception_has_a_reason() -> None:
    known = json.loads(advisories.KNOWN.read_text())
    assert all(len(reason.split()) >= 3 for reason in known.values())


def test_packages_of_users_are_those_of_extras_for_users() -> None:
    found = advisories.of_users()
    assert {"numpy", "numba", "onnxruntime", "torch"} <= found
    assert {"onnxruntime-gpu", "cupy-cuda13x"} <= found  # whether they are installed here or not
    assert not {"smoothcert", "pytest", "mypy", "selenium", "pip-audit"} & found
