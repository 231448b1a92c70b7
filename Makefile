# `make run` opens the app on a ready sample workspace; `make test` runs every test; `make check` runs the linters.
PYTHON ?= python3
PORT ?= 8501
WORKSPACE ?= demo-workspace
BIN := .venv/bin

.PHONY: run test check format lock clean

run: .venv/ready
	$(BIN)/annotator demo -w $(WORKSPACE)
	$(BIN)/annotator ui -w $(WORKSPACE) --port $(PORT)

# A file's tests stay together: those of the browser share a server.
test: .venv/ready-dev
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/ready-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What was tested together is pinned in the lock files; pyproject.toml keeps the ranges.
.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.11 run")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

.venv/ready-dev: .venv/ready requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	touch $@

# Pins anew from the ranges, in an environment of its own.
lock:
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet .
	.venv-lock/bin/python -m pip freeze --exclude annotator > requirements.lock
	.venv-lock/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-lock/bin/python -m pip install --quiet --group dev
	.venv-lock/bin/python -m pip freeze --exclude annotator > requirements-dev.lock
	rm -rf .venv-lock

clean:
	rm -rf .venv demo-workspace .pytest_cache .mypy_cache .ruff_cache .hypothesis
