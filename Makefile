# Two commands for a newcomer: `make demo` and `make test`. Each sets itself up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest

.PHONY: help demo demo-swarm demo-marathon demo-kubernetes test test-fast test-local test-marathon test-consul test-swarm test-kubernetes lint format bench docs clean

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo:  ## the main job on plain processes, no cluster needed
	@PYTHON=$(PYTHON) sh docs/demo.sh local

demo-swarm: $(VENV)/.installed  ## the same on a real Docker Swarm started for it (needs root and dockerd)
	@PYTHON=$(PYTHON) sh docs/demo.sh swarm

demo-marathon: $(VENV)/.installed  ## the same on a Marathon with simulated agents (needs root on Linux)
	@PYTHON=$(PYTHON) sh docs/demo.sh marathon

demo-kubernetes: $(VENV)/.installed  ## the same on a real Kubernetes started for it (needs root and Go; builds once)
	@PYTHON=$(PYTHON) sh docs/demo.sh kubernetes

test: forget-worlds lint test-fast test-local test-marathon test-consul test-swarm test-kubernetes  ## everything that this machine can run
	@$(BIN)/python tests/worlds_report.py

.PHONY: forget-worlds
forget-worlds:
	@rm -rf .pytest_cache/worlds

test-fast: $(VENV)/.installed  ## no servers, under a minute
	$(PYTEST) -q -n 2 -m "not world_local and not world_marathon and not world_consul and not world_swarm and not world_kubernetes"

test-local: $(VENV)/.installed  ## real processes under a real supervisor
	$(PYTEST) -q -n 4 -m world_local

test-marathon: $(VENV)/.installed  ## real processes on a simulated Mesos, below a Marathon like the recorded one
	@$(BIN)/python -m tests.servers.consul.build
	$(PYTEST) -q -n 4 --dist loadgroup -m world_marathon

test-consul: $(VENV)/.installed  ## real Consul; the first time builds it from source
	@$(BIN)/python -m tests.servers.consul.build
	$(PYTEST) -q -n 6 --maxschedchunk 1 -m world_consul tests/contract tests/servers

test-swarm: $(VENV)/.installed  ## real dockerd: one node and three
	@$(BIN)/python -m tests.servers.packages
	$(PYTEST) -q -n 2 --dist loadgroup -m world_swarm

test-kubernetes: $(VENV)/.installed  ## real Kubernetes; the first time builds it from source
	@$(BIN)/python -m tests.servers.kubernetes.build
	$(PYTEST) -q -n 3 --dist loadgroup -m world_kubernetes

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

docs: $(VENV)/.installed  ## all pages as a site, in dist/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "open dist/docs/index.html"

clean:  ## remove what make made in this folder
	rm -rf $(VENV) .demo dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "orchctl needs Python 3.11 or newer; set PYTHON=..." >&2; exit 1; }
	@echo "setting up $(VENV) (once; a minute or two)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@
