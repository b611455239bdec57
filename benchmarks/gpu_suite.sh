#!/usr/bin/env bash
# Checks and times everything on a machine with an NVIDIA GPU, in under nine minutes, without
# installing anything: benchmarks/gpu_suite.sh [FOLDER]
#
# Needs Python with numpy, scipy, numba, mpmath, pillow, platformdirs, onnx, onnxruntime, torch with
# CUDA, and CuPy; anything else that is missing is skipped, with its reason in FOLDER/gpu.json.
set -uo pipefail
cd "$(dirname "$0")/.."
OUT=${1:-out/gpu}
PYTHON=${PYTHON:-python3}
mkdir -p "$OUT"

if ! "$PYTHON" -c "import smoothcert.engine" 2>/dev/null; then
  # Not installed: the import root is a folder of links, to the files of api/ and to the packages.
  ROOT=$(mktemp -d)
  trap 'rm -rf "$ROOT"' EXIT
  mkdir "$ROOT/smoothcert"
  ln -s "$PWD"/api/*.py "$PWD"/{analysis,cli,cupy_kernels,engine,export,training} "$ROOT/smoothcert/"
  export PYTHONPATH="$ROOT${PYTHONPATH:+:$PYTHONPATH}"
fi

nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.mem,power.limit --format=csv >"$OUT/nvidia-smi.csv" 2>&1

# The checks once more, with every access to memory watched: slow, so they come with a limit.
SANITIZER=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)
if [ -n "$SANITIZER" ]; then
  for tool in memcheck racecheck; do
    timeout 45 "$SANITIZER" --tool "$tool" --error-exitcode 9 \
      "$PYTHON" benchmarks/gpu_kernels.py >"$OUT/$tool.txt" 2>&1
    echo "compute-sanitizer $tool: exit $? (0 clean, 9 errors, 124 out of time)" | tee "$OUT/$tool.status"
  done
else
  echo "compute-sanitizer is not installed: the kernels were not watched" | tee "$OUT/memcheck.status"
fi

timeout 530 "$PYTHON" benchmarks/gpu_suite.py "$OUT/gpu.json" --minutes "${MINUTES:-6.5}" 2>&1 | tee "$OUT/gpu.log"
