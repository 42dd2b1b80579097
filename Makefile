# One word per action; CI calls the same words. Everything runs in .venv, made with plain venv and pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test check bench replay docs clean

demo: $(VENV)/demo.stamp
	$(BIN)/python -m embank.samples.demo demo

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest -q

check: $(VENV)/check.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/test.stamp
	$(BIN)/python bench/run.py

# make replay BASE=<commit> [FAST=1]: whether the working tree writes and answers what a commit does, bit for bit.
replay: $(VENV)/test.stamp
	$(BIN)/python bench/replay --base $(BASE) $(if $(FAST),--fast)

docs: $(VENV)/demo.stamp
	$(BIN)/python bench/results.py
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/marks.py

clean:
	rm -rf $(VENV) demo

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Embank needs Python 3.11 or newer; try: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

# torch comes first and alone: the constraints pin a build without CUDA where there is one.
$(VENV)/torch.stamp: constraints.txt | $(VENV)/bin/python
	$(INSTALL) torch
	touch $@

$(VENV)/demo.stamp: pyproject.toml $(VENV)/torch.stamp
	$(INSTALL) --editable '.[all]'
	touch $@

$(VENV)/test.stamp: $(VENV)/demo.stamp
	$(INSTALL) beartype hypothesis psutil pytest sentence-transformers
	touch $@

$(VENV)/check.stamp: $(VENV)/test.stamp
	$(INSTALL) ruff mypy import-linter scipy-stubs
	touch $@
