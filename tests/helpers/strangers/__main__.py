"""Runs every case and prints what held."""

import os
import sys
import tempfile
from pathlib import Path

from strangers.cases import CASES


def main() -> int:
    """Every case in a folder of its own; the number of those that failed."""
    failed = 0
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            os.environ["SMOOTHCERT_CACHE"] = f"{folder}/cache"
            try:
                case(Path(folder))
            except Exception as error:  # a case that fails by a traceback is one that fails
                failed += 1
                said = " ".join(str(error).split())[:400] or "failed"
                print(f"{name}: {type(error).__name__}: {said}", flush=True)
    print(f"{len(CASES) - failed} of {len(CASES)}")
    return failed


if __name__ == "__main__":
    sys.exit(bool(main()))
