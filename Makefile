# Everything a fresh machine needs: `make demo` and `make test` set up by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
DATA ?= ../shared/data

.PHONY: demo test lint slim bench long gpu clean

demo: $(VENV)/.train
	$(BIN)/aetool demo

test: $(VENV)/.dev lint slim
	$(BIN)/python -m pytest -m "not gpu and not long"

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The runtime path in a venv of the base dependencies only: no torch, nothing of development.
slim: $(VENV)-slim/.base $(VENV)/.dev
	rm -rf build
	$(VENV)-slim/bin/python -m pip --disable-pip-version-check -q install --no-deps --force-reinstall .
	$(BIN)/python tests/make_slim_model.py $(VENV)-slim/deep.aem
	$(VENV)-slim/bin/python tests/slim.py $(VENV)-slim/deep.aem

bench: $(VENV)/.dev
	cd benchmarks && for b in startup planted kdd detect oneclass lossy; do \
		../$(BIN)/python $$b.py --data ../$(DATA) || exit 1; done

# Tens of thousands of mutants, hundreds of kills.
long: $(VENV)/.dev
	$(BIN)/python -m pytest -m long

# Fits, scores and compresses on a GPU; skips with a message where there is none.
gpu: $(VENV)/.dev
	$(BIN)/python -m pytest -m gpu -rs

$(VENV)/.train: pyproject.toml constraints.txt setup.py aetool/codec/_kernel.c
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt -e ".[train]"
	touch $@

$(VENV)/.dev: $(VENV)/.train
	$(PIP) install -c constraints.txt -e ".[train,dev]" "setuptools>=77" wheel
	touch $@

$(VENV)-slim/.base: pyproject.toml constraints.txt setup.py aetool/codec/_kernel.c
	$(PYTHON) -m venv $(VENV)-slim
	$(VENV)-slim/bin/python -m pip --disable-pip-version-check -q install -c constraints.txt .
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-slim build dist *.egg-info demo-output
