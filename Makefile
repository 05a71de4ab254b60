SHELL := /bin/bash
VENV ?= .venv
BIN := $(VENV)/bin
PACKAGES := stream pipeline models client_web
UNIT_TESTS := $(filter-out tests/e2e/ tests/__pycache__/,$(wildcard tests/*/)) $(wildcard tests/test_*.py)
INPUTS := pyproject.toml constraints.txt scripts/install.sh scripts/system_packages.sh
DEMO_FLAGS := $(if $(DEMO_SECONDS),--seconds $(DEMO_SECONDS)) $(if $(DEMO_PORT),--port $(DEMO_PORT))
export VENV

.PHONY: help demo test lint unit e2e measures clean

help:
	@echo "make demo    install into $(VENV) and watch a sample stream in the browser (DEMO_SECONDS=20 ends by itself)"
	@echo "make test    install and run every check: lint, types, unit, end-to-end"
	@echo "make lint    ruff, mypy, import rules"
	@echo "make unit    the tests without servers, browsers and long clips"
	@echo "make e2e     the tests with them"
	@echo "make measures  figures of the client in a browser; takes minutes, wants an idle machine"
	@echo "make clean   remove $(VENV) and everything generated"

demo: $(VENV)/.installed
	$(BIN)/unmask serve --source demo=demo: --print-verdicts $(DEMO_FLAGS)

test: lint
	$(BIN)/pytest -m "not measures" $(UNIT_TESTS) $(wildcard tests/e2e)

lint: $(VENV)/.installed-test .types/unmask
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PACKAGES:%=-p unmask.%)
	$(BIN)/mypy tests
	$(BIN)/lint-imports

unit: $(VENV)/.installed-test
	$(BIN)/pytest $(UNIT_TESTS)

e2e: $(VENV)/.installed-test
	$(BIN)/pytest -m "not measures" tests/e2e

measures: $(VENV)/.installed-test
	$(BIN)/pytest -m measures -rP tests/e2e

clean:
	rm -rf $(VENV) .types build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: $(INPUTS)
	scripts/system_packages.sh run
	scripts/install.sh
	@touch $@

$(VENV)/.installed-test: $(INPUTS)
	scripts/system_packages.sh test
	scripts/install.sh test,train
	@touch $@ $(VENV)/.installed

.types/unmask: Makefile
	@mkdir -p $@ && touch $@
	@for package in $(PACKAGES); do ln -sfn ../../$$package $@/$$package; done
