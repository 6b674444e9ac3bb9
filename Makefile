# Everything a developer types. `make help` lists it.
SHELL := /bin/sh
.SUFFIXES:
.DEFAULT_GOAL := help

PYTHON := $(shell for p in python3.11 python3 python3.12 python3.13; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$p && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
RUN_NEEDS := requirements.txt requirements-embedded.txt
TEST_NEEDS := $(RUN_NEEDS) requirements-dev.txt
LOCK := UV_PYTHON_DOWNLOADS=never .venv-lock/bin/uv pip compile -q --universal --python-version 3.11 \
	--generate-hashes --no-header
# Two at a time: the suite starts servers and browsers of its own, once for each file that needs them. In the order of
# the files, since those that take longest have few tests and do not stand last.
PYTEST_WORKERS ?= 2

.PHONY: help run demo test test-tools chaos fuzz bench bench-renew lint types house lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

run: .venv/.run ## start everything on this machine: database, queue, broker, sandbox provider
	@exec $(BIN)/python -m embedded run

demo: .venv/.run ## connect, fetch, renew, break, repair, disconnect: unattended, with a JSON line at the end
	@exec $(BIN)/python -m embedded demo

test: .venv/.test lint types house test-tools ## everything that has to pass before a commit
	@$(BIN)/python -m pytest -q -n $(PYTEST_WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-tools: .venv/.test ## Chromium, nginx and the Node peers that tests use
	@$(BIN)/python -m tests.tools

chaos: .venv/.test ## kill, cut off and mislead the broker, and see that nothing is lost; CHAOS_ARGS=--full takes an hour
	@$(BIN)/python -m tests.chaos $(CHAOS_ARGS)

fuzz: .venv/.test ## thousands of requests to every operation of the API; FUZZ_ARGS="--examples 200" is shorter
	@$(BIN)/python -m tests.fuzz $(FUZZ_ARGS)

bench: .venv/.test ## measure the token path against the floor of the same stack
	@$(BIN)/python -m bench

bench-renew: .venv/.test ## measure renewals a second, their cost and the floor beside it
	@$(BIN)/python -m bench.renewals

lint: .venv/.test ## style and the usual mistakes
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .

types: .venv/.test ## static types
	@$(BIN)/python -m tests.tools.types

house: .venv/.test ## the import arrows between the rooms
	@$(BIN)/lint-imports --no-logo > .venv/house.log 2>&1 || { cat .venv/house.log; exit 1; }

lock: ## resolve the requirements anew, with hashes, for every system
	@test -x .venv-lock/bin/uv || { "$(PYTHON)" -m venv .venv-lock && .venv-lock/bin/pip install -q uv; }
	@for part in requirements requirements-embedded requirements-dev; do $(LOCK) $$part.in -o $$part.txt || exit 1; done

clean: ## remove what can be made again; var/ with your data stays
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis staticfiles
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@rm -rf tests/tools/node_modules tests/peers/node_modules

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed and was not found as python3.11 or python3." >&2; exit 1; }
	@echo "Making .venv with $(PYTHON)"
	@"$(PYTHON)" -m venv .venv || { rm -rf .venv; exit 1; }

.venv/.run: $(RUN_NEEDS) | .venv/bin/python
	@echo "Installing what the broker and its servers need"
	@$(PIP) install -qq --require-hashes $(RUN_NEEDS:%=-r %)
	@touch $@

.venv/.test: $(TEST_NEEDS) | .venv/bin/python
	@echo "Installing what the tests need"
	@$(PIP) install -qq --require-hashes $(TEST_NEEDS:%=-r %)
	@touch $@ .venv/.run
