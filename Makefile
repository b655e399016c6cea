# Everything happens in .venv; `make demo PYTHON=python3.12` chooses the Python that creates it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --cov

# Those that need no collection of music; the others say with --help what they take.
BENCHMARKS ?= startup training_step kill_resume hostile decoding demo

.PHONY: demo test test-all check bench clean
.DEFAULT_GOAL := test

demo: $(VENV)/.installed
	$(BIN)/aurl demo

test: check
	$(PYTEST) -m "not slow" $(wildcard tests/unit tests/integration)

test-all: check
	$(PYTEST) tests

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.benchmark
	set -e; for name in $(BENCHMARKS); do echo "$$name"; $(BIN)/python benchmarks/$$name.py; done

clean:
	rm -rf $(VENV) build dist htmlcov .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache \
		.pytest_cache .ruff_cache

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Aurl needs Python 3.11 or later: make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) torch
	$(PIP) -e .
	touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(PIP) -e '.[dev]'
	touch $@

$(VENV)/.benchmark: $(VENV)/.installed
	$(PIP) -e '.[benchmark]'
	touch $@
