# Two commands for a newcomer: `make demo` and `make test`. Each sets itself up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest

.PHONY: help demo demo-swarm test test-fast test-local test-swarm lint format schema bench clean

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo:  ## the main job on plain processes, no cluster needed
	@PYTHON=$(PYTHON) sh docs/demo.sh local

demo-swarm: $(VENV)/.installed  ## the same on a real Docker Swarm started for it (needs root and dockerd)
	@PYTHON=$(PYTHON) sh docs/demo.sh swarm

test: forget-worlds lint test-fast test-local test-swarm  ## everything that this machine can run
	@$(BIN)/python tests/worlds_report.py

.PHONY: forget-worlds
forget-worlds:
	@rm -rf .pytest_cache/worlds

test-fast: $(VENV)/.installed  ## no servers, under a minute
	$(PYTEST) -q -n 2 -m "not world_local and not world_swarm"

test-local: $(VENV)/.installed  ## real processes under a real supervisor
	$(PYTEST) -q -n 4 -m world_local

test-swarm: $(VENV)/.installed  ## real dockerd: one node and three
	@$(BIN)/python -m tests.servers.packages
	$(PYTEST) -q -n 2 --dist loadgroup -m world_swarm

lint: $(VENV)/.installed  ## ruff, mypy --strict, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config pyproject.toml

format: $(VENV)/.installed  ## let ruff put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.installed  ## a table of ratios beside peers, measured now
	$(BIN)/python tests/bench/run.py

clean:  ## remove what make made in this folder
	rm -rf $(VENV) .demo dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "orchctl needs Python 3.11 or newer; set PYTHON=..." >&2; exit 1; }
	@echo "setting up $(VENV) (once; a minute or two)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@
