#!/usr/bin/env bash
# Checks and times everything on a machine with an NVIDIA GPU, without installing anything:
#
#   benchmarks/gpu_suite.sh --stage checks|cli|smooth|sanitizer|rivals|networks|all ...
#       [--out FOLDER] [--rehearse]
#
# Stages, and how long they take at most: benchmarks/gpu_suite.py. Needs Python (PYTHON) with numpy,
# scipy, numba, mpmath, pillow, platformdirs, click, onnx, onnxscript, onnxruntime-gpu, torch with
# CUDA, and CuPy. --rehearse needs no GPU, but g++ and pytest.
set -uo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}

if ! "$PYTHON" -c "import smoothcert.engine" 2>/dev/null; then
  # Not installed: the import root is a folder of links, to the files of api/ and to the packages.
  ROOT=$(mktemp -d)
  trap 'rm -rf "$ROOT"' EXIT
  mkdir "$ROOT/smoothcert"
  ln -s "$PWD"/api/*.py "$PWD"/{analysis,cli,cupy_kernels,engine,export,training} "$ROOT/smoothcert/"
  export PYTHONPATH="$ROOT${PYTHONPATH:+:$PYTHONPATH}"
fi

"$PYTHON" benchmarks/gpu_suite.py "$@"
