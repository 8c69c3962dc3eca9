# Needs python3 (3.11 or newer) with venv, git and, for test-real, Node. Everything else is
# installed into .venv and tests/real/node_modules of this checkout.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
AGENT ?= script
NPM := npm --prefix tests/real --cache tests/real/node_modules/.npm-cache --logs-max=0 --no-update-notifier
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-cache-dir --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test test-real lint format bench bench-hub lock clean

help:  ## say what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort

$(VENV)/ready: requirements/dev.txt pyproject.toml src/mittelo/VERSION
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mittelo needs Python 3.11 or newer; name one with: make PYTHON=python3.12")'
	@echo "installing into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(BIN)/bwrap: $(VENV)/ready
	@sh scripts/get-bubblewrap $@

tests/real/node_modules/ready: tests/real/package-lock.json
	@command -v npm >/dev/null || { echo "test-real needs Node with npm: install it, then run make test-real again" >&2; exit 1; }
	@echo "installing the pinned agent CLIs into tests/real/node_modules ..."
	@$(NPM) ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@HOME="$(CURDIR)/tests/real/node_modules/.home" $(NPM) run --silent place-binaries
	@rm -rf tests/real/node_modules/.npm-cache tests/real/node_modules/.home
	@touch $@

demo: $(VENV)/ready  ## run a relay of three laps in a scratch repository (AGENT=cc for a real CLI)
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh scripts/demo $(AGENT)

test: $(VENV)/ready $(BIN)/bwrap lint  ## everything deterministic: lint, types, tests
	@$(BIN)/pytest -n auto

test-real: $(VENV)/ready $(BIN)/bwrap tests/real/node_modules/ready  ## drive the real agent CLIs against a mock model
	@$(BIN)/pytest -m real tests/real -n 3

lint: $(VENV)/ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/ready  ## put the code into shape
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/ready  ## measure start-up, the relay's own time and the cost of supervising
	@$(BIN)/python benchmarks/relay.py
	@$(BIN)/python benchmarks/routes.py

bench-hub: $(VENV)/ready  ## measure the hub beside other task queues (BENCH=--quick for a look)
	@$(PIP) install --require-hashes -r requirements/bench.txt
	@$(BIN)/python benchmarks/hub.py $(BENCH)

lock: $(VENV)/ready  ## compile the pinned requirements anew
	@$(PIP) install uv
	@$(BIN)/uv pip compile pyproject.toml --extra dev --universal --generate-hashes --python-version 3.11 \
	  --no-emit-index-url --custom-compile-command "make lock" --output-file requirements/dev.txt --quiet
	@$(BIN)/uv pip compile pyproject.toml --extra bench --universal --generate-hashes --python-version 3.11 \
	  --no-emit-index-url --custom-compile-command "make lock" --constraints requirements/dev.txt \
	  --output-file requirements/bench.txt --quiet

clean:  ## remove what make made
	rm -rf $(VENV) tests/real/node_modules dist .mypy_cache .ruff_cache .pytest_cache
