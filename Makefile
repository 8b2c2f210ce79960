# Everything works from a bare clone with Python 3.11 or newer and pip; .venv is made when it is first needed.
PYTHON ?= python3
BIN := .venv/bin
MINUTES ?= 2.8
RUN ?= runs/digits

.PHONY: help demo test lint format bench clean

help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

demo: .venv/installed ## Train on handwritten digits for about three minutes; then open runs/digits/report.html
	$(BIN)/rivals train digits --minutes $(MINUTES) --out $(RUN) --resume
	@test -d $(RUN)/sevens || $(BIN)/rivals sample $(RUN) --count 16 --wish 7 --out $(RUN)/sevens
	@echo "Open $(RUN)/report.html"

test: .venv/developing ## All tests, by two processes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

lint: .venv/developing ## Style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/developing ## Put the style right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/developing ## Measure what README and docs state; PART=methods for a part (resumable, hours)
	$(BIN)/python benchmarks/all.py $(PART)

clean: ## Remove the environment (not your runs)
	rm -rf .venv

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Rivals needs Python 3.11 or newer; give it with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/installed: .venv/bin/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

.venv/developing: .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev,arrow,tables,privacy,faces,features,baselines,video]'
	@touch $@
