# make env    the environment in .venv (GPU=1: with CUDA)
# make demo   the complete study design on synthetic cohorts; results in demo/results
# make status progress of a study     (make status ARGS="--configfile config/demo.yaml")
# make gpu-check  whether this machine, and its GPU, train and detect right; in five minutes
# make test   all tests               (make test ARGS="-m 'not workflow'": only the fast ones)
# make lint   ruff, snakefmt, snakemake --lint
# make test-pythons  the fast tests and the tiny study with every supported Python on the PATH

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
LOCK := envs/$(if $(GPU),gpu,cpu).lock
CORES ?= all
PROCESSES ?= 2

# Snakemake interprets braces in the path of a script as wildcards.
ifneq ($(findstring {,$(CURDIR))$(findstring },$(CURDIR)),)
$(error checkout: expected a folder without braces in its path, got $(CURDIR); move or rename it)
endif

# Snakemake fails if it cannot write its cache, and Matplotlib warns.
ifneq ($(shell cache="$${XDG_CACHE_HOME:-$${HOME:?}/.cache}"; { mkdir -p "$$cache" && test -w "$$cache" && echo yes; } 2>/dev/null),yes)
export XDG_CACHE_HOME := $(CURDIR)/.cache
export MPLCONFIGDIR := $(CURDIR)/.cache/matplotlib
endif

.PHONY: env demo status gpu-check test test-pythons lint format locks

env: $(VENV)/$(notdir $(LOCK))

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 12) else f"mammoflow needs Python 3.11 or 3.12; $(PYTHON) is {v[0]}.{v[1]}. Choose another with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/cpu.lock $(VENV)/gpu.lock $(VENV)/dev.lock: $(VENV)/%.lock: envs/%.lock | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/dev.lock: $(VENV)/$(notdir $(LOCK))

demo: env
	$(BIN)/python -m snakemake --cores $(CORES) --configfile config/demo.yaml --workflow-profile profiles/laptop
	@echo "Look at demo/results/report.html"

status:
	@$(BIN)/python workflow/scripts/status.py $(ARGS)

# The environment that is there is checked, whichever it is.
gpu-check: $(if $(GPU),env,$(if $(wildcard $(VENV)/[cg]pu.lock),,env))
	PYTHONPATH=workflow/scripts $(BIN)/python -m mammoflow.commands.main gpu-check $(ARGS)

test: $(VENV)/dev.lock
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS)

test-pythons:
	@for python in python3.11 python3.12; do \
		$$python -c '' 2>/dev/null || { echo "$$python: not on the PATH"; continue; }; \
		echo "$$python: $$(command -v $$python)"; \
		$(MAKE) test PYTHON=$$python VENV=.venv-$${python#python} ARGS="-m 'not workflow'" || exit 1; \
		$(MAKE) test PYTHON=$$python VENV=.venv-$${python#python} ARGS=tests/workflow/test_end_to_end.py || exit 1; \
	done

lint: $(VENV)/dev.lock
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m snakefmt --check Snakefile workflow
	$(BIN)/python -m snakemake --lint --configfile config/demo.yaml

format: $(VENV)/dev.lock
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python -m snakefmt Snakefile workflow

# Needs uv. The locks are valid for Python 3.11 to 3.13.
locks:
	cd envs && for lock in cpu gpu dev; do \
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
			--no-header --no-annotate $$lock.in --output-file $$lock.lock || exit 1; \
	done
