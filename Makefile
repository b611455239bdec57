# make demo | test | lint | setup | bench; everything lives in .venv.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := cli cupy_kernels engine export analysis training
FOLDERS := $(shell find $(PACKAGES) -type d -not -name __pycache__)
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
EXTRAS := cpu,export,parquet,dev,kernel-tests

.PHONY: setup demo test lint bench clean

setup: $(VENV)/installed

$(VENV)/dependencies: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt -U setuptools
	$(PIP) install -c constraints.txt --no-build-isolation -e ".[$(EXTRAS)]" --config-settings editable_mode=strict
	touch $@

# A strict editable install links every file, so a new or removed file (a newer folder) links anew.
$(VENV)/installed: $(VENV)/dependencies $(FOLDERS)
	rm -rf build
	$(PIP) install --no-deps --no-build-isolation -e . --config-settings editable_mode=strict
	touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(addprefix -p smoothcert.,$(PACKAGES))
	$(BIN)/mypy tests benchmarks

test: setup
	$(BIN)/pytest

clean:
	rm -rf $(VENV) build *.egg-info out
