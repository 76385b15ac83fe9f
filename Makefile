# One command for each thing a developer does; CI calls the same ones. Needs python3 >= 3.11 with venv.
# Written for GNU make 3.81 and later: nothing newer is used.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SOURCES := pytest_agenteval tests $(wildcard suites) $(wildcard benchmarks)
PROSE := $(wildcard *.md) $(wildcard docs) changelog.d

# Larger corpora are used where they lie beside the checkout, unless the caller names another place.
ifeq ($(origin PYTEST_AGENTEVAL_DATA),undefined)
ifneq ($(wildcard ../shared/data/.),)
export PYTEST_AGENTEVAL_DATA := $(abspath ../shared/data)
endif
endif

.PHONY: eval test test-full crash lint type docs report bench-gate wheel clean

eval: .venv/installed
	$(BIN)/python suites/eval.py

test: lint type
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n 2 --dist worksteal
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# The slow proofs whole: ten times the examples, and each hostile agent under two workers as well.
test-full: .venv/installed-dev
	PYTEST_AGENTEVAL_FULL=1 $(BIN)/python -m pytest -n 2

# Kills writers of the stores and whole sessions at random points, and prints what was lost, doubled, torn.
crash: .venv/installed-dev
	$(BIN)/python -m tests.crash.store 1000
	$(BIN)/python -m tests.crash.sessions 150

lint: .venv/installed-dev
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/codespell $(SOURCES) $(PROSE)

type: .venv/installed-dev
	$(BIN)/mypy $(SOURCES)

docs: .venv/installed-dev
	$(BIN)/python -m pytest docs tests/architecture/test_docs_cover.py

report: .venv/installed
	$(BIN)/pytest-agenteval report

bench-gate: .venv/installed
	$(BIN)/python -m benchmarks.gate --write

wheel: .venv/installed-dev
	rm -rf dist
	$(BIN)/python -m build --outdir dist

clean:
	rm -rf .venv .agenteval .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache .tox dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A half-made environment is removed: the next call would otherwise take it for a whole one.
$(BIN)/python:
	$(PYTHON) -m venv .venv || { rm -rf .venv; echo "no environment was made; Debian has it in python3-venv" >&2; exit 1; }

.venv/installed: pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[schema,text,yaml]'
	touch $@

# Holds all that `installed` holds, so it stands for both.
.venv/installed-dev: pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[dev]'
	touch .venv/installed $@
