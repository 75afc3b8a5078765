# make run    set up what is missing and open the page at http://127.0.0.1:7860
# make test   set up what is missing, then lint, types and tests
# make lint   lint and types only, of Python and, where npm is installed, of the page's scripts and styles
# make format lay out Python and the page's scripts
# make space  upload the page as a Hugging Face Space: NAME=me/stit, DOCKER=1 for one built from the Dockerfile;
#             with --dry-run it lists files and sizes, and needs nothing but Python
# make clean  remove the environment, node_modules and caches (stored runs: python -m stit_core runs clean)

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=
NAME ?=
DOCKER ?=

PY := $(VENV)/bin/python
APP_READY := $(VENV)/.requirements-installed
DEV_READY := $(VENV)/.requirements-dev-installed
WEB_READY := node_modules/.packages-installed

.PHONY: run test lint lint-web format format-web setup setup-dev setup-web space clean

run: setup
	$(PY) app.py

test: lint
	$(PY) -m pytest $(PYTEST_ARGS)

lint: setup-dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory lint-web; \
		else echo "npm is not installed: the page's scripts and styles are NOT checked." >&2; fi

# biome lints scripts and styles and checks the scripts' format; tsc checks the types that their comments declare.
lint-web: setup-web
	npm run --silent lint
	npm run --silent types

format: setup-dev
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory format-web; fi

format-web: setup-web
	npm run --silent format

setup: $(APP_READY)

setup-dev: $(DEV_READY)

setup-web: $(WEB_READY)

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) is older than Python 3.11. Name a newer one: make run PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The order-only dependency makes the environment once; the stamps lie inside it, so that they go when it goes.
$(APP_READY): requirements.txt | $(PY)
	$(PY) -m pip install -r requirements.txt
	@touch $@

$(DEV_READY): requirements-dev.txt requirements-cluster.txt requirements-c2pa.txt $(APP_READY)
	$(PY) -m pip install -r requirements-dev.txt -r requirements-c2pa.txt
	@touch $@

$(WEB_READY): package.json package-lock.json
	npm ci --no-audit --no-fund
	@touch $@

# Make itself takes --dry-run; the plus sign has it start the command then too, which lists what it would upload.
space:
	+@$(or $(wildcard $(PY)),$(PYTHON)) -m deploy.space $(NAME) $(if $(DOCKER),--docker) \
		$(if $(findstring n,$(firstword -$(MAKEFLAGS))),--dry-run)

clean:
	rm -rf -- $(VENV) node_modules .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf -- {} +
