# make app        opens the app
# make test       the truths, in at most 4 minutes on 2 cores        make test-all   everything that needs no GPU
# make test-gpu   what only a GPU can show; fails without one        make lint       style and types
# make attack     tries every attack of tests/attacks: tried, outcomes, escapes; in at most 10 minutes
# make fuzz SECONDS=60   changes good programs, files and settings at random; stops at what is not refused in words
# make words      brings the catalogue of translations up to date
PYTHON ?= python3.11
PYTHON := $(shell command -v $(PYTHON) || command -v python3)
BIN := .venv/bin
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest
# Slow tests wait for browsers and other processes: three at a time used 62 % of two cores; with five some starved.
PARALLEL := --dist loadfile --no-loadscope-reorder

.PHONY: app test test-slow test-all test-gpu attack fuzz lint words

app: .venv/.installed
	$(BIN)/python app.py $(ARGS)

test: .venv/.installed-dev
	$(PYTEST) -n 3 $(PARALLEL) $(ARGS)

test-slow: .venv/.installed-dev
	$(PYTEST) -n 4 $(PARALLEL) -m 'slow and not gpu' $(ARGS)

test-all: test test-slow

test-gpu: .venv/.installed-dev
	$(PYTEST) -m 'gpu' $(ARGS)

attack: .venv/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.attacks.run --seconds 600 $(ARGS)

fuzz: .venv/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.attacks.fuzz --seconds $(or $(SECONDS),60) $(ARGS)

lint: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

words: .venv/.installed-dev
	$(BIN)/python -m tests.ui.catalogue

.venv/.installed: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -r requirements.txt
	touch $@

.venv/.installed-dev: requirements-dev.txt .venv/.installed
	$(BIN)/python -m pip install -q -r requirements-dev.txt
	touch $@
