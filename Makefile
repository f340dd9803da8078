# Everything a checkout needs: Python 3.11 to 3.13 and make. `make` alone lists the targets.

PYTHON ?= python3
JOBS ?= auto
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
LOG := $(VENV)/setup.log
PACKAGES := cli backfill orchestration serving quality transformations warehouse schemas feature_repo
TYPED := $(patsubst %/__init__.py,%,$(wildcard $(PACKAGES:%=%/__init__.py)))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SHELLFLAGS := -eu -c
.PHONY: help setup demo example test test-core test-analysed test-wire test-long test-live emulators lint format bench docs lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## create .venv with the locked packages; nothing to do when it is up to date

# The stamp is younger than what it was made from, or the packages are installed again.
$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "make setup: no $(PYTHON) on the path; name one: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "make setup: Python 3.11 to 3.13 is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1); name another: make setup PYTHON=python3.12" >&2; \
	  exit 1; }
	@$(BIN)/python -c 'import pip' >/dev/null 2>&1 || $(PYTHON) -c 'import ensurepip, venv' >/dev/null 2>&1 || { \
	  echo "make setup: $(PYTHON) cannot create virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(BIN)/python -c 'import pip' >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "make setup: installing the locked packages into $(VENV)"
	@{ if $(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.8,<1' && $(BIN)/uv --version; then \
	    $(BIN)/uv pip install --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock && \
	    $(BIN)/uv pip install --python $(BIN)/python --no-deps --no-build-isolation -C editable_mode=compat -e .; \
	  else \
	    $(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock && \
	    $(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation -C editable_mode=compat -e .; \
	  fi; } >$(LOG) 2>&1 </dev/null || { tail -n 40 $(LOG) >&2; echo "make setup: failed; the whole log is $(LOG)" >&2; exit 1; }
	@touch $@

demo: $(STAMP) ## simulate a league, build, gate and materialize a season, look up tonight's slate
	@$(BIN)/nba-features demo $(ARGS)

example: $(STAMP) ## train and evaluate the worked example on the seasons of NBA_DATA_DIR, write docs/example.md
	@$(BIN)/python -m examples.points_model page --build $(ARGS)

# Google's analyser reserves so much address space that a process with it loaded cannot fork; other tests fork.
ANALYSED := tests/googlesql tests/transformations/test_statements.py tests/bigquery/test_statements.py tests/visibility/test_detail.py

# What talks to servers of other makers; `make emulators` builds those that are not packages.
WIRE := tests/bigquery

# Where Python is told to write no bytecode, as in many containers, each process a test starts would compile its imports anew.
# Blocks of DuckDB's buffers are given back to the system one by one: in the heap of glibc they leave holes, it grows to tens of
# gigabytes of addresses over hundreds of databases, and the kernel then refuses the tests that fork.
PYTEST := PYTHONDONTWRITEBYTECODE= MALLOC_MMAP_THRESHOLD_=262144 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

test: test-core test-analysed test-wire ## run every test that needs no cloud (ARGS="-k name" narrows it)

test-core: $(STAMP) ## the tests that need neither the analyser nor a server
	@$(PYTEST) $(addprefix --ignore=,$(ANALYSED) $(WIRE)) $(ARGS)

test-analysed: $(STAMP) ## the tests that load the analyser of Google, whose process cannot fork
	@$(PYTEST) $(ANALYSED) $(ARGS)

test-wire: $(STAMP) ## the tests of the cloud profile against real servers on loopback
	@$(PYTEST) $(WIRE) $(addprefix --ignore=,$(ANALYSED)) $(ARGS)

test-long: $(STAMP) ## the tests for which `make test` has no time
	@$(PYTEST) -m long $(ARGS)

test-live: $(STAMP) ## run the tests that need a Google Cloud project (NBA_FEATURES_LIVE_PROJECT)
	@$(BIN)/python -m pytest -m live $(ARGS)

emulators: $(STAMP) ## build what tests/bigquery talks to into .venv/emulators (needs Go and clang)
	@bash tests/bigquery/emulator/build.sh

lint: $(STAMP) ## check style, format and types, all three before it fails
	@status=0; \
	  $(BIN)/ruff check --quiet . || status=1; \
	  $(BIN)/ruff format --quiet --check . || { $(BIN)/ruff format --check . || true; status=1; }; \
	  $(BIN)/mypy --no-error-summary $(TYPED) || status=1; \
	  exit $$status

format: $(STAMP) ## put the code into the agreed form
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

bench: $(STAMP) ## measure (ARGS are passed on)
	@$(BIN)/python -m benchmarks $(ARGS)

docs: $(STAMP) ## write the generated pages of docs/ again
	@$(BIN)/nba-features docs
	@$(BIN)/python -m tests.house.failure_mode_index --write

# Only uv is needed, so that a lock which no longer installs can be resolved again.
lock: ## resolve requirements.lock again (ARGS="--upgrade" for newer versions)
	@test -x $(BIN)/uv || $(MAKE) --no-print-directory setup || test -x $(BIN)/uv
	@$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --custom-compile-command "make lock" --quiet $(ARGS) -o requirements.lock

clean: ## remove caches and what was built, keep .venv
	@rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +
