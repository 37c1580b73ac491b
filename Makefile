# Everything a newcomer needs: `make demo` and `make test` do all their own set-up.
# Needs Python >= 3.11 and make; PYTHON chooses the interpreter.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Most tests are pure; two workers suit the smallest machine they must run on.
PYTEST_WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench fuzz kill interop clean

help:  ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.runtime: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Millstream needs Python 3.11 or later; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime pyproject.toml
	$(BIN)/pip install --quiet --group dev
	@touch $@

demo: $(VENV)/.runtime  ## a real download over loopback, verified
	$(BIN)/millstream demo

test: $(VENV)/.dev  ## run all tests
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadgroup $(TESTS)

check: $(VENV)/.dev  ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev  ## let ruff put the code in order
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev  ## Millstream and libtorrent in alternation; writes bench/results.md
	$(BIN)/python -m bench $(BENCH)

FUZZ ?= all --seconds 600

fuzz: $(VENV)/.dev  ## fuzz every parser for ten minutes (or FUZZ="bencode --seconds 60"), then the property tests at length
	$(BIN)/python -m fuzz $(FUZZ)
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --hypothesis-profile fuzz --timeout 3600 tests/property $(TESTS)

KILLS ?= 100

kill: $(VENV)/.dev  ## kill a downloading process a hundred times (or KILLS=500): it must claim no wrong piece
	MILLSTREAM_KILLS=$(KILLS) $(BIN)/python -m pytest -n $(PYTEST_WORKERS) tests/integration/test_kill.py $(TESTS)

interop: $(VENV)/.dev  ## real clients in network namespaces, as root; writes docs/interop.md
	MILLSTREAM_INTEROP_DOCUMENT=docs/interop.md \
		$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadgroup tests/interop/test_matrix.py $(TESTS)

clean:  ## remove what was set up
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
