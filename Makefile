# `make repro` and `make test` are all that a fresh machine needs; the rest is plain dvc (`. .venv/bin/activate` first).
PYTHON ?= python3
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
LOCK := requirements.lock

export PATH := $(BIN):$(PATH)
export OMP_NUM_THREADS ?= 2
FOLDS ?= 3
JOBS ?= 1

.PHONY: help setup repro final folds test clean

help:
	@echo 'make repro   run what changed of the pipeline, print the scores'
	@echo 'make final   learn from validation animals too and open the test animals: metrics/test.json, metrics/test_looks.csv'
	@echo 'make folds   every labelled animal but the test animals held out once: FOLDS=3 experiments, JOBS=1 at a time'
	@echo 'make test    run all tests (ARGS="-k clock" for some)'
	@echo 'make setup   build .venv from $(LOCK) if it is stale'
	@echo 'make clean   remove checkpoints, reports and caches of Python; keeps .venv and the DVC cache'

# The lock is copied into .venv when all of it is installed: an interrupted installation is stale.
setup:
	@cmp -s $(LOCK) $(VENV)/$(LOCK) && $(BIN)/python -c '' 2>/dev/null || { set -e; \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "rbc needs Python 3.11 or newer: make PYTHON=python3.11 …")'; \
	  echo 'Installing $(LOCK) into .venv (minutes, once)'; \
	  $(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV); \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(LOCK); \
	  cp $(LOCK) $(VENV)/$(LOCK); }

repro: setup
	$(BIN)/dvc repro
	$(BIN)/python -m rbc.report

final: setup
	@mkdir -p .scratch && cp params.yaml .scratch/  # -S writes it anew, without its comments
	trap 'cp .scratch/params.yaml params.yaml' EXIT INT TERM; \
	  $(BIN)/dvc exp run -S evaluate.final=true -S 'split.validation=[]'
	$(BIN)/dvc repro  # back from the cache
	$(BIN)/python -m rbc.report

folds: setup
	$(BIN)/dvc repro align_data
	$(BIN)/python -m rbc.folds queue --folds $(FOLDS)
	$(BIN)/dvc exp run --run-all --jobs $(JOBS)
	$(BIN)/python -m rbc.folds collect --folds $(FOLDS)

test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=2 $(ARGS)

clean:
	rm -rf .scratch report .pytest_cache .hypothesis
	find rbc stages benchmarks tests -name __pycache__ -type d -prune -exec rm -rf {} +
