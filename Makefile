# `make` lists what there is. Each target does its own set-up; a second run finds it done.

.DEFAULT_GOAL := help
.PHONY: help setup demo check test test-fast test-long lock up down status dashboards sample release audit image-digests clean

# Where a PhysioNet mirror lies beside the checkout, it is used.
ifneq ($(wildcard ../shared/physionet),)
export ECG_PHYSIONET_BASE ?= $(abspath ../shared/physionet)
endif

BIN := .venv/bin
STAMP := .venv/.ready

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /make \1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "  %-18s%s\n", $$1, $$2 }'

demo: setup ## start the platform and score twelve arriving files
	@$(BIN)/ecg demo

check: setup ## ruff, mypy and import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=plugins:. $(BIN)/lint-imports

# The order of the groups is ours (tests/conftest.py): the longest first, so that no worker is left with them at the end.
PYTEST := $(BIN)/pytest -n 3 --dist loadgroup --no-loadscope-reorder

test: check ## check, and every test but the long ones, with the lines covered
	$(PYTEST) -m 'not long' --cov --cov-report term:skip-covered --durations 25

test-fast: check ## check, and the tests of seconds: for the loop of a working day
	$(PYTEST) -m 'not long and not slow' --durations 5

test-long: setup ## what takes longer than a change can wait for
	$(PYTEST) -m long --durations 0

up: setup ## start Postgres and Airflow
	@$(BIN)/ecg up

down: setup ## stop them; the data stay in .ecg
	@$(BIN)/ecg down

status: setup ## show what runs
	@$(BIN)/ecg status

dashboards: setup ## Apache Superset on the mart, in an environment of its own; Ctrl-C stops it
	@dashboards/open.sh

sample: setup ## make the sample report and its picture again
	@$(BIN)/python benchmarks/sample.py

lock: setup ## make requirements.txt again from requirements.in
	$(BIN)/uv pip compile requirements.in --output-file requirements.txt --universal --python-version 3.11 \
	    --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet

release: setup ## what a release is handed out with, in dist/: bill of materials (CycloneDX), licences, the wheel's hash
	@.ci/release

audit: setup ## known vulnerabilities of the pinned dependencies, where their database can be reached
	@.ci/audit

image-digests: setup ## write the digests of the images beside their tags, where the registry answers
	@$(BIN)/python .ci/image_digests.py

clean: ## stop the platform and delete .venv and caches; the data stay in .ecg
	@if [ -x $(BIN)/ecg ]; then $(BIN)/ecg down; fi
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage .coverage.* *.egg-info

# The stamp holds a checksum of what was installed and is written last: a set-up that was interrupted is
# begun afresh, a changed lock is installed over what is there. Compiling takes half a minute once; where Python may not
# write beside its modules (PYTHONDONTWRITEBYTECODE, another user's .venv), every process would take 8 s longer to start.
setup: ## make .venv with the pinned dependencies (10 s to 3 min the first time)
	@set -eu; \
	key=$$(cat requirements.txt pyproject.toml | cksum); \
	if [ "$$(cat $(STAMP) 2>/dev/null || true)" = "$$key" ] && $(BIN)/python -c '' 2>/dev/null; then exit 0; fi; \
	if [ ! -f $(STAMP) ] || ! $(BIN)/python -c '' 2>/dev/null; then \
	    python=; \
	    for name in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	        if "$$name" -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	            2>/dev/null; then python=$$name; break; fi; \
	    done; \
	    if [ -z "$$python" ]; then \
	        echo 'No Python 3.11, 3.12 or 3.13 with venv is on the path: install one, or name it: make PYTHON=…' >&2; \
	        exit 1; \
	    fi; \
	    echo "Setting up .venv with $$("$$python" --version)"; \
	    "$$python" -m venv --clear .venv; \
	fi; \
	rm -f $(STAMP); \
	pip="$(BIN)/python -m pip --disable-pip-version-check"; \
	index=$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($$pip config get global.index-url 2>/dev/null || true)}}; \
	if [ -n "$$index" ]; then export UV_DEFAULT_INDEX="$$index"; fi; \
	echo 'Installing the pinned dependencies (2.3 GB)'; \
	sed -n '/^uv==/,/[^\\]$$/p' requirements.txt > .venv/uv.txt; \
	{ $$pip install -qq --requirement .venv/uv.txt && \
	  $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --requirements requirements.txt && \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .; } || \
	{ echo 'uv cannot install here; pip does it, which takes two minutes' >&2; \
	  $$pip install -qq --requirement requirements.txt && $$pip install -qq --no-deps --editable .; }; \
	echo "$$key" > $(STAMP)
