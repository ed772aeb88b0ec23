# The project's commands. `make run` and `make test` set up everything they need first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

export DAGSTER_DISABLE_TELEMETRY := 1
export GX_ANALYTICS_ENABLED := false
export RUNTIME__DLTHUB_TELEMETRY := false

.PHONY: run test check contract coverage bench soak dev lock clean
.DEFAULT_GOAL := run

# uv installs the lock about ten times faster than pip does; it comes out of the same lock, by its hash.
# pip stays the way in where uv cannot reach the index that pip is configured for.
$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else f"hito needs Python 3.11, 3.12 or 3.13, found {v[0]}.{v[1]}: make PYTHON=/path/to/python3.12 …")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (a minute or two, once)"
	@awk '/^uv==/ {p=1} p {print; if ($$0 !~ /\\$$/) exit}' requirements.txt > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.txt \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

run: $(STAMP)  ## sandbox → dlt → event log → key results → checks → progress history → report
	@$(BIN)/hito run --sandbox

test: $(STAMP) check
	$(BIN)/pytest

check: $(STAMP)  ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

contract: $(STAMP)  ## vendors' own descriptions judge what sources ask and stand-ins answer
	$(BIN)/pytest tests/contract

coverage: $(STAMP)  ## the tests, and which lines and branches they do not reach
	$(BIN)/pytest --cov --cov-report=term-missing:skip-covered

bench: $(STAMP)  ## speed and memory, as ratios against something run beside it
	$(BIN)/python tests/bench/run.py
	$(BIN)/python tests/bench/sources.py

soak: $(STAMP)  ## the kill and property tests, many times over
	HITO_SOAK=1 $(BIN)/pytest -m soak --timeout 0

dev: $(STAMP)  ## Dagster's web UI on the project
	$(BIN)/hito dev

lock: $(STAMP)  ## write requirements.txt anew from pyproject.toml
	$(BIN)/uv pip compile --universal --python-version 3.11 --extra dev --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate pyproject.toml -o requirements.txt

clean:
	rm -rf $(VENV) .hito .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
