# The only commands to know. Each sets up what it needs first, and stops what it started.
.DEFAULT_GOAL := help
.PHONY: help setup demo test soak sim check fix bench schemas cometbft clean
MAKEFLAGS += --no-print-directory
# Many short-lived processes run the same code: its byte code is kept.
unexport PYTHONDONTWRITEBYTECODE
PYTHON_CODE := src tests tools bench examples

help:
	@echo "make demo     a whole cloud on this machine: deploy two apps, lose a host, keep serving, vote, earn, slash"
	@echo "make test     every check and every test"
	@echo "make soak     the tests that take minutes each, and the random ones with new draws"
	@echo "make sim      play years of the economy, then failures of a whole fleet, on the real contracts"
	@echo "make check    style, types, the import rule, generated files"
	@echo "make fix      put right what can be put right by itself"
	@echo "make bench    measure, and write the table"
	@echo "make schemas  generate ABIs, Solidity interfaces, bindings, CometBFT's messages"
	@echo "make cometbft build the consensus engine of networks with many validators"
	@echo "make clean    remove everything that these made"

# Python packages into .venv, Debian packages when absent, CometBFT into .flux/bin, container images. A second run takes about a second.
setup:
	@tools/setup

demo: setup
	@.venv/bin/python -m tools.demo

test: check
	@.venv/bin/python -m tools.with_engine .venv/bin/python -m tools.run_tests

soak: setup
	@HYPOTHESIS_PROFILE=explore .venv/bin/python -m pytest -q -n auto tests/unit
	@.venv/bin/python -m tools.with_engine .venv/bin/python -m pytest -q -m slow -o faulthandler_timeout=3600 tests

sim: setup
	@.venv/bin/python -m tools.simulation
	@.venv/bin/python -m tools.simulation.availability

check: setup
	.venv/bin/ruff check $(PYTHON_CODE)
	.venv/bin/ruff format --check $(PYTHON_CODE)
	.venv/bin/mypy --strict src/flux tools bench
	.venv/bin/lint-imports
	.venv/bin/python -m tools.generate_schemas --check

fix: setup
	.venv/bin/ruff check --fix $(PYTHON_CODE)
	.venv/bin/ruff format $(PYTHON_CODE)

bench: setup
	@.venv/bin/python -m bench

schemas: setup
	@.venv/bin/python -m tools.generate_schemas

# Part of setup; by itself it needs only Python.
cometbft:
	@mkdir -p .flux && tools/setup cometbft

clean:
	@tools/setup clean
