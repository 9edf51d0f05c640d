# make env    the environment in .venv (GPU=1: with CUDA)
# make demo   the whole study design on cohorts made here; results in demo/results
# make status how far a study is      (make status ARGS="--configfile config/demo.yaml")
# make test   all tests        (make test ARGS="-m 'not workflow'": the fast ones)
# make lint   ruff, snakefmt, snakemake --lint

PYTHON ?= python3
BIN := .venv/bin
LOCK := envs/$(if $(GPU),gpu,cpu).lock
CORES ?= all

.PHONY: env demo status test lint format locks

env: .venv/$(notdir $(LOCK))

.venv/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"mammoflow needs Python 3.11 to 3.13; $(PYTHON) is {v[0]}.{v[1]}. Choose another with make PYTHON=...")'
	$(PYTHON) -m venv .venv

.venv/cpu.lock .venv/gpu.lock .venv/dev.lock: .venv/%.lock: envs/%.lock | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv/dev.lock: .venv/$(notdir $(LOCK))

demo: env
	$(BIN)/snakemake --cores $(CORES) --configfile config/demo.yaml --workflow-profile profiles/laptop
	@echo "Look at demo/results/report.html"

status:
	@$(BIN)/python workflow/scripts/status.py $(ARGS)

test: .venv/dev.lock
	$(BIN)/python -m pytest $(ARGS)

lint: .venv/dev.lock
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint --configfile config/demo.yaml

format: .venv/dev.lock
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

# Needs uv; the locks hold for Python 3.11 to 3.13.
locks:
	cd envs && for lock in cpu gpu dev; do \
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
			--no-header --no-annotate $$lock.in --output-file $$lock.lock || exit 1; \
	done
