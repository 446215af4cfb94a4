# `make run` and `make test` are all a newcomer needs; `make help` lists the rest.
PYTHON ?= python3
PORT ?= 8000
PY := .venv/bin/python
export GRADIO_ANALYTICS_ENABLED := False
export HF_HUB_OFFLINE := 1
export NO_MKDOCS_2_WARNING := 1
BENCH_DATA ?=

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test test-all browser check fix docs docs-serve bench retrain lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

setup:
	@$(PYTHON) scripts/set_up.py requirements.txt

setup-dev:
	@$(PYTHON) scripts/set_up.py requirements-dev.txt

run: setup data/intents.csv models/current.json site/index.html ## set up, prepare, train, serve everything (PORT=8010)
	@exec $(PY) -m chatloop serve --port $(PORT)

data/intents.csv:
	@$(PY) prepare_data.py

models/current.json: | data/intents.csv
	@$(PY) train_model.py

site/index.html: mkdocs.yml $(shell find docs -type f 2>/dev/null)
	@$(PY) -m mkdocs build --strict

test: setup-dev ## run the tests (no network needed once set up)
	@$(PY) -m coverage run -m pytest -m "not browser and not nightly"
	@$(PY) -m coverage report

test-all: setup-dev ## run the long tests as well
	@$(PY) -m pytest -m "not browser"

browser: setup-dev ## run the browser tests (needs chromium; skipped with a reason elsewhere)
	@$(PY) -m pytest -m browser

check: setup-dev ## lint, types, import contracts, file sizes
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@.venv/bin/lint-imports --no-cache
	@$(PY) scripts/check_sizes.py
	@$(PY) scripts/file_map.py --check

fix: setup-dev ## format and mend what can be mended automatically
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .
	@$(PY) scripts/file_map.py

docs: setup ## build the manual into site/ (served at /manual)
	@$(PY) -m mkdocs build --strict

docs-serve: setup ## serve the manual alone, with live reload, on port 8001
	@$(PY) -m mkdocs serve -a 127.0.0.1:8001

bench: setup ## print the benchmark table (BENCH_DATA=file.csv for another set)
	@$(PY) -m bench $(if $(BENCH_DATA),--data $(BENCH_DATA))

retrain: setup ## train on all accepted rows behind the gate, without a server
	@$(PY) train_model.py --gate

lock: setup-dev ## renew the hashed requirement files from pyproject.toml
	@$(PY) scripts/lock.py

clean: ## remove what was built (never data, models or logs)
	@rm -rf .venv site build dist .mypy_cache .ruff_cache .pytest_cache .coverage
