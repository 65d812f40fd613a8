# Everything a person types. `make help` lists the targets; each works on a fresh machine with Python 3.11+, make and git.

PYTHON ?= python3# the interpreter that makes .venv, e.g. make PYTHON=python3.12 test
CORES ?= all#       cores for the workflow, e.g. make CORES=2 demo
RESULTS ?= results# results root that `make report`, `make watch` and `make export` read, e.g. RESULTS=results/quick
TO ?= tensorboard# tracker that `make export` writes for: tensorboard or wandb
VENV := .venv
BIN := $(VENV)/bin
QUICK := --configfile presets/quick.yaml

# The stamp's name holds a checksum of all that decides the environment, so that a checkout or a touch rebuilds nothing,
# and of the folder, because an environment that was moved no longer works.
STAMP := $(VENV)/.installed-$(shell (cat pyproject.toml envs/constraints.txt; pwd) | cksum | cut -d ' ' -f 1)

# The workflow's rules call plain `python`: it must be this environment's, also where nobody activated it.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help env demo test test-slurm reproduce report watch export why bench bench-gpu lint format docs clean-store

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(STAMP) ## make the virtual environment .venv from pyproject.toml and envs/constraints.txt

demo: $(STAMP) ## the whole workflow on all of Fashion-MNIST with few epochs (presets/quick.yaml), into results/quick/
	@$(BIN)/snakemake --cores $(CORES) $(QUICK)
	@printf '\nFigures:\n'; ls -1 results/quick/*/figures/*.png
	@printf '\nTables:\n'; ls -1 results/quick/*/tables/*.csv

test: $(STAMP) ## all tests, in a process per core, the tests of a file in one
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(PYTEST)

test-slurm: $(STAMP) ## the workflow on a real SLURM of one node that the test starts and removes (Debian, root)
	@$(BIN)/python -m pytest --noconftest tests/slurm/on_slurm.py $(PYTEST)

reproduce: $(STAMP) ## every study that config.yaml lists under `studies:`, at full size, into results/
	@$(BIN)/snakemake --cores $(CORES)

report: $(STAMP) ## one page about what there is in results/, or in RESULTS=results/quick, into report/index.html there
	@$(BIN)/python workflow_scripts/report.py --results $(RESULTS)

watch: $(STAMP) ## watch the run that writes into results/, or into RESULTS=results/quick, until it is over or Ctrl-C
	@$(BIN)/python workflow_scripts/watch.py --results $(RESULTS)

export: $(STAMP) ## finished runs as a tracker's own files: TO=tensorboard or TO=wandb, of RESULTS=results, offline
	@$(BIN)/python -c 'from importlib.metadata import version; version("$(TO)")' 2>/dev/null || \
	  $(BIN)/python -m pip install --quiet --constraint envs/constraints.txt --no-build-isolation --editable '.[$(TO)]'
	@$(BIN)/python workflow_scripts/export_tracker.py --to $(TO) --results $(RESULTS) $(EXPORT)

why: $(STAMP) ## what is stale, and because of which change
	@$(BIN)/python workflow_scripts/why.py $(WHY)

bench: $(STAMP) ## the benchmarks but those of a GPU and of the report (BENCH="report" for one), into docs/benchmarks.md
	@$(BIN)/python benchmarks/run.py $(BENCH)

bench-gpu: $(STAMP) ## the benchmark of a GPU, within 8 minutes, into docs/benchmarks.md
	@$(BIN)/python benchmarks/run.py gpu

lint: $(STAMP) ## formatting, lint, types, workflow lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/mypy
	$(BIN)/snakemake --lint

format: $(STAMP) ## format Python and workflow files, repair what lint can repair
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules

docs: $(STAMP) ## rewrite the generated parts of README.md and docs/
	@$(BIN)/python docs/generate.py

clean-store: ## delete finished lanes and checkpoints (results stay); not while a workflow runs
	@du -sh results/.store results/*/.store 2>/dev/null || true
	@rm -rf results/.store results/*/.store

$(STAMP): pyproject.toml envs/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "winnow needs Python 3.11 or newer, and '$(PYTHON)' is not: name another, as in make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
	  echo "'$(PYTHON)' cannot make virtual environments; on Debian or Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@echo "Making $(VENV) (a download of a few hundred megabytes, once)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --constraint envs/constraints.txt setuptools
	@$(BIN)/python -m pip install --quiet --constraint envs/constraints.txt --no-build-isolation --editable '.[dev,watch]'
	@# Snakemake's SLURM plugin, for the tests alone: beside the environment, since it slows every start of Snakemake.
	@$(BIN)/python -m pip install --quiet --constraint envs/constraints.txt --no-deps --target $(VENV)/slurm \
	  snakemake-executor-plugin-slurm snakemake-executor-plugin-slurm-jobstep
	@touch $@
