# One command for people and for CI. Everything installs into .venv; nothing else is touched.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: setup demo test test-slow check format

setup: $(INSTALLED)

$(INSTALLED): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[daemon,camera,dev]'
	touch $@

# The daemon at work, from start to stop; pictures go to demo-output/.
demo: $(INSTALLED)
	$(BIN)/wilor-sidecar demo

test: check
	$(BIN)/pytest -m 'not slow'

# Gigabytes and minutes: once before a release.
test-slow: $(INSTALLED)
	$(BIN)/pytest -m slow

check: $(INSTALLED)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff format --quiet .
	$(BIN)/ruff check --fix --quiet .
