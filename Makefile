# `make` lists what there is to do. Everything happens in .venv: nothing outside this folder is touched.

.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet
PYTHON ?=
WORKERS ?= 3
SEEDS ?= 0-999
ROUNDS ?= 20000
ARGS ?=

.PHONY: help install demo test simulate soak mutants check format bench docs lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

install: .venv/installed ## make .venv with the rollout command in it (Python 3.11 or newer)
	@echo "Installed: .venv/bin/rollout. Try: make demo"

demo: .venv/installed ## play a whole rollout on an embedded Postgres, and show it
	@$(BIN)/rollout demo $(ARGS)

test: .venv/tools-installed ## run every test (ARGS="-k pause" runs some)
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

simulate: .venv/tools-installed ## play random stories against the promises (SEEDS=0-999, or one of them)
	ROLLOUT_TEST_SEEDS=$(SEEDS) $(BIN)/python -m pytest --numprocesses $(WORKERS) tests/simulation/test_stories.py $(ARGS)

soak: .venv/tools-installed ## have a watch look for weeks in compressed time, and see that it stays small (ROUNDS=20000)
	ROLLOUT_TEST_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest -p no:xdist tests/soak $(ARGS)

mutants: .venv/tools-installed ## plant faults in the rules, and see the unit tests catch each (ARGS=gates)
	@$(BIN)/python -m tests.mutants $(ARGS)

check: .venv/tools-installed ## lint, format, types, import direction, house rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/house

format: .venv/tools-installed ## put the code into the form that `make check` wants
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: .venv/installed ## measure the speed promises against raw Postgres and the peers
	@$(BIN)/python -m bench $(ARGS)

docs: .venv/installed ## write docs/reference and the schema of profiles again from the code
	$(BIN)/python -m docs.generate

# uv hears of nothing but the project's own needs, so that no index, mirror or setting of this machine
# finds its way into the files. ARGS=--upgrade moves what is already pinned.
LOCK := env -u UV_INDEX -u UV_DEFAULT_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS \
	$(BIN)/uv --no-config --quiet pip compile pyproject.toml --universal --python-version 3.11 \
	--generate-hashes --no-header --no-emit-index-url --group build

lock: .venv/tools-installed ## pin the dependencies again, with hashes (ARGS=--upgrade: the newest)
	$(LOCK) $(ARGS) --group dev --output-file requirements-dev.txt
	$(LOCK) $(ARGS) --constraint requirements-dev.txt --output-file requirements.txt

clean: ## remove .venv and what tools left behind
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache .bench
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A virtual environment can't be moved, so it is made again where this folder has another name.
ifneq "$(shell cat .venv/made-in 2>/dev/null)" "$(CURDIR)"
.PHONY: .venv/made-in
endif

.venv/made-in:
	@set -- python3 python3.13 python3.12 python3.11; \
	test -z "$(PYTHON)" || set -- "$(PYTHON)"; \
	for python; do \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  "$$python" -m venv --clear .venv && pwd > $@ && exit 0; \
	  echo "$$python can't make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2; \
	  exit 1; \
	done; \
	echo "rollout-ledger needs Python 3.11 or newer; $$1 is not: $$("$$1" --version 2>&1)." >&2; \
	echo "  next: install one, or name it: make install PYTHON=/path/to/python3" >&2; \
	exit 1

# The lock covers setuptools, which builds the project, so the second step fetches nothing.
# A plain path entry (compat) spares each start of the command the import of a finder.
.venv/installed: .venv/made-in requirements.txt pyproject.toml
	@echo "Installing into .venv: about half a minute, once"
	@$(PIP) install --require-hashes --requirement requirements.txt
	@$(PIP) install --no-deps --no-index --no-build-isolation --config-settings editable_mode=compat \
	  --editable .
	@touch $@

.venv/tools-installed: .venv/installed requirements-dev.txt
	@echo "Installing what tests and checks need into .venv: a minute, once"
	@$(PIP) install --require-hashes --requirement requirements-dev.txt
	@touch $@
