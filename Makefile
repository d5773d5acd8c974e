# make demo | make test: each sets up what it needs in .venv and runs. See README.md.
SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
FLOOR := .venv-floor
READY := $(VENV)/.ready-dev
READY_DEMO := $(VENV)/.ready-demo
PIP_FLAGS := --quiet --disable-pip-version-check
NATIVE := $(VENV)/.ready-native
EMULATORS := .emulators/.ready
NATIVE_SOURCES := $(shell find native \( -name target -o -name fuzz \) -prune -o -type f -print)
WORKERS ?= auto
# For each fuzz target: by make fuzz, and within make test.
FUZZ_SECONDS ?= 300
FUZZ_TEST_SECONDS ?= 6
PYTEST := $(BIN)/python -X dev -m pytest
DEMO_OUTPUT ?= demo-output

.PHONY: help demo test native emulators rust fuzz asan tsan miri format lint types pytest huge docs docs-serve floor bench lock clean

help:  ## Say what there is to make
	@sed -n 's/^\([a-z -]*\):.*##  *\(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

# --- environments -----------------------------------------------------------------------------

$(VENV)/bin/python:
	@python=$$(tools/find_python.sh) || exit 1; \
	echo "Creating $(VENV) with $$($$python --version) ($$python)"; \
	$$python -m venv $(VENV) && $(BIN)/python -m pip install $(PIP_FLAGS) --upgrade pip

$(READY_DEMO): pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing anyzarr with every engine and backend"
	@$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints.txt -e ".[all]" --group demo
	@touch $@

$(READY): pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing anyzarr with every engine and backend, the tests' oracles and the tools"
	@$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints.txt -e ".[all]" \
		--group demo --group test --group oracles --group lint --group docs
	@touch $@ $(READY_DEMO)

# Not made where the engine cannot be built, so that the next run says so again.
$(VENV)/.ready-native $(FLOOR)/.ready-native: %/.ready-native: $(NATIVE_SOURCES) | %/bin/python
	@tools/build_native.sh $*

native: $(NATIVE)  ## Build the native engine and install it into .venv

# For the tests of Azure and Google Cloud Storage; what cannot be installed is said each time.
.emulators/.ready: tools/install_emulators.sh tools/emulators/package-lock.json
	@tools/install_emulators.sh

emulators: $(EMULATORS)  ## Install emulators of Azure and Google Cloud Storage for the tests

# --- what a newcomer runs -----------------------------------------------------------------------

demo: $(READY_DEMO) $(NATIVE)  ## Do the main job on a real microscopy image and show where the results are
	@$(BIN)/python examples/demo.py $(DEMO_OUTPUT)

test: $(READY) $(NATIVE) format lint types rust pytest docs floor  ## Everything CI checks
	@echo "All checks passed."

# --- the steps of make test ---------------------------------------------------------------------

format: $(READY)  ## Check the formatting
	$(BIN)/ruff format --check

lint: $(READY)  ## Lint
	$(BIN)/ruff check

types: $(READY)  ## Check the types, strictly
	$(BIN)/mypy

rust: $(READY)  ## Format, lint and test the Rust crates, and fuzz them for a minute
	@if command -v cargo >/dev/null; then \
		(cd native && cargo fmt --check && cargo clippy --quiet --workspace --all-targets -- -D warnings \
			&& cargo test --quiet -p anyzarr-core) \
		&& (cd native/fuzz && cargo fmt --check \
			&& cargo clippy --quiet --locked --target-dir ../target --all-targets -- -D warnings) \
		&& $(BIN)/python tools/fuzz.py --seconds $(FUZZ_TEST_SECONDS); \
	elif [ "$$CI" = true ] || [ "$$ANYZARR_REQUIRE_NATIVE" = 1 ]; then \
		echo "There is no cargo, and the native engine is required here."; exit 1; \
	else \
		echo "NOT RUN: the checks of the Rust crates, because there is no cargo."; \
	fi

pytest: $(READY) $(NATIVE) $(EMULATORS)  ## Tests, doctests, and the code in README.md and docs/
	$(PYTEST) -n $(WORKERS) --dist worksteal -q -m "not huge" tests src
	@# In one process: the blocks of a page build on each other.
	$(PYTEST) -q docs README.md

huge: $(READY) $(NATIVE)  ## Tests of files of gigabytes, and of archives with 100,000 entries
	$(PYTEST) -q -m huge tests/ozx

docs: $(READY)  ## Build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

docs-serve: $(READY)  ## Serve the documentation on loopback while writing
	$(BIN)/mkdocs serve --dev-addr 127.0.0.1:8000

# The core on the oldest Python we support, where the main environment is a newer one.
floor: $(READY)
	@if $(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then \
		echo "The oldest supported Python is the one just tested."; \
	elif python=$$(tools/find_python.sh 3.11); then \
		$(MAKE) --no-print-directory floor-run FLOOR_PYTHON=$$python; \
	else \
		echo "NOT RUN: the core on Python 3.11, because no CPython 3.11 was found."; \
	fi

.PHONY: floor-run
floor-run: $(FLOOR)/.ready $(FLOOR)/.ready-native
	@# The clients of Azure and Google are the same ones as above.
	ANYZARR_EMULATORS=none $(FLOOR)/bin/python -m pytest -n $(WORKERS) -q tests/architecture tests/stores tests/metadata \
		tests/indexing tests/crud tests/nodes tests/engines tests/vectors -m "not slow"

$(FLOOR)/bin/python:
	@$(FLOOR_PYTHON) -m venv $(FLOOR)

$(FLOOR)/.ready: pyproject.toml constraints.txt | $(FLOOR)/bin/python
	@echo "Installing the core for $$($(FLOOR)/bin/python --version) in $(FLOOR)"
	@$(FLOOR)/bin/python -m pip install $(PIP_FLAGS) --upgrade pip
	@$(FLOOR)/bin/python -m pip install $(PIP_FLAGS) -c constraints.txt -e ".[all]" --group test
	@touch $@

# --- keeping house ------------------------------------------------------------------------------

bench: $(READY) $(NATIVE)  ## Measure against the peers
	$(BIN)/python benchmarks/run.py

fuzz: $(READY)  ## Fuzz the native engine, FUZZ_SECONDS (300) for each of FUZZ_TARGETS (all)
	$(BIN)/python tools/fuzz.py --keep --seconds $(FUZZ_SECONDS) $(FUZZ_TARGETS)

asan tsan miri: $(READY)  ## Test the native engine's core under a sanitizer, or interpreted
	$(BIN)/python tools/check_core.py $@

lock: $(READY)  ## Choose new versions for constraints.txt
	$(BIN)/python -m pip install $(PIP_FLAGS) uv
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --extra all --extra s3fs --extra gcsfs --extra adlfs --extra cluster --extra tables \
		--group demo --group test --group oracles --group lint --group docs --group native \
		--upgrade --no-header --no-annotate --quiet --output-file constraints.txt

clean:  ## Remove what the other targets made
	rm -rf $(VENV) $(FLOOR) .emulators native/target native/fuzz/corpus site demo-output .mypy_cache .ruff_cache .pytest_cache .hypothesis
