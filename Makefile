# One command for people and for CI. Everything installs into .venv; nothing else is touched.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: setup demo test test-swift test-slow test-wheel soak dist check format

setup: $(INSTALLED)

$(INSTALLED): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=...")'
	$(PYTHON) -c 'import platform as p, sys; sys.exit(sys.platform == "darwin" and p.machine() != "arm64" and "On a Mac MLX needs Apple silicon and a Python built for it: make PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[daemon,camera,dev]'
	touch $@

# The daemon at work, from start to stop; pictures go to demo-output/.
demo: $(INSTALLED)
	$(BIN)/wilor-sidecar demo

test: check
	$(BIN)/pytest -m 'not slow'
	$(MAKE) --no-print-directory test-swift

# Where there is no Swift toolchain or no ZeroMQ library, it says how to get them.
test-swift: $(INSTALLED)
	clients/swift/test.sh

# Gigabytes and minutes: once before a release.
test-slow: $(INSTALLED)
	$(BIN)/pytest -m 'slow and not soak'

# Half an hour: whether the daemon grows under mixed traffic. SOAK_MINUTES=3 for a shorter one.
soak: $(INSTALLED)
	$(BIN)/pytest -m soak -s tests/soak

# Wheel, source archive, and the Homebrew formula for it.
dist: $(INSTALLED)
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python launchd/formula.py dist

# The wheel in an environment of its own, outside this folder.
test-wheel: dist
	$(BIN)/pytest tests/e2e/test_wheel.py -m slow

check: $(INSTALLED)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/mypy --platform darwin --no-warn-unreachable

format: $(INSTALLED)
	$(BIN)/ruff format --quiet .
	$(BIN)/ruff check --fix --quiet .
	if command -v swift >/dev/null; then clients/swift/format.sh --in-place; fi
