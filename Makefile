# Two commands for a newcomer: `make demo` and `make test`. Each sets itself up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest

STEPS := fast local marathon consul swarm kubernetes
WORLDS ?=

.PHONY: help demo demo-swarm demo-marathon demo-kubernetes test $(STEPS:%=test-%) test-versions soak lint format lock bench docs clean

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

test: $(VENV)/.installed  ## everything that this machine can run, in its short form: the gate
	@$(BIN)/python -m tests.gate

$(STEPS:%=test-%): test-%: $(VENV)/.installed  # one step of it, as in `make test-swarm`
	@$(BIN)/python -m tests.gate $*

soak: $(VENV)/.installed  ## the same with long rounds: make soak WORLDS="swarm local"
	@ORCHCTL_TEST_PROFILE=soak $(BIN)/python -m tests.gate $(WORLDS)

test-versions: $(VENV)/.installed  ## fast tests on the lowest and the newest versions allowed, on each Python that is here
	@$(BIN)/python -m tests.gate.versions

lint: $(VENV)/.installed  ## ruff, mypy --strict, import rules
	@$(BIN)/python -m tests.gate lint

lock:  ## refresh requirements/*.txt: exact versions of all that tests and tools use
	$(PYTHON) -m venv .lock
	.lock/bin/python -m pip install --quiet --require-hashes -r requirements/lock.txt
	echo uv | .lock/bin/uv pip compile $(LOCKED) -o requirements/lock.txt -
	.lock/bin/uv pip compile $(LOCKED) --extra dev -o requirements/dev.txt pyproject.toml
	rm -rf .lock

LOCKED := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url --custom-compile-command "make lock"

format: $(VENV)/.installed  ## let ruff put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.installed  ## a table of ratios beside peers, measured now
	$(BIN)/python tests/bench/run.py

docs: $(VENV)/.installed  ## all pages as a site, in dist/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "open dist/docs/index.html"

clean:  ## remove what make made in this folder
	rm -rf $(VENV) .demo .gate .lock dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.installed: pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "orchctl needs Python 3.11 or newer; set PYTHON=..." >&2; exit 1; }
	@echo "setting up $(VENV) (once; a minute or two)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
