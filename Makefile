# make run    set up what is missing and open the page at http://127.0.0.1:7860
# make test   set up what is missing, then lint, types and tests
# make lint   lint and types only
# make clean  remove the environment and caches (stored runs: python -m stit_core runs clean)

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=

PY := $(VENV)/bin/python
APP_READY := $(VENV)/.requirements-installed
DEV_READY := $(VENV)/.requirements-dev-installed

.PHONY: run test lint setup setup-dev clean

run: setup
	$(PY) app.py

test: lint
	$(PY) -m pytest $(PYTEST_ARGS)

lint: setup-dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

setup: $(APP_READY)

setup-dev: $(DEV_READY)

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) is older than Python 3.11. Name a newer one: make run PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The order-only dependency makes the environment once; the stamps lie inside it, so that they go when it goes.
$(APP_READY): requirements.txt | $(PY)
	$(PY) -m pip install -r requirements.txt
	@touch $@

$(DEV_READY): requirements-dev.txt $(APP_READY)
	$(PY) -m pip install -r requirements-dev.txt
	@touch $@

clean:
	rm -rf -- $(VENV) .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf -- {} +
