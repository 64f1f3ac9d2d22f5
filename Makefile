# `make` alone lists the targets.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.synced
LOCK   := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header

.DEFAULT_GOAL := help
.PHONY: help run up down status clean lock

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: $(READY) ## Run the whole platform here; Ctrl-C stops it
	@exec $(BIN)/python -m local run

up: $(READY) ## The same in the background; returns when ready
	@$(BIN)/python -m local up

down: $(READY) ## Stop what `make up` (or a killed `make run`) left running
	@$(BIN)/python -m local down

status: $(READY) ## Say whether the platform is running, and where
	@$(BIN)/python -m local status

clean: ## Delete the local platform's data, build results and caches
	@if [ -e .local ]; then $(BIN)/python -m local clean; fi
	@rm -rf .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find functions layers local ops tests bench -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

lock: $(READY) ## Resolve the dependencies of pyproject.toml into the pinned, hashed lock files
	@$(LOCK) --group layer -o layers/scheduler/requirements.txt
	@$(LOCK) --group provisioning -o requirements/provisioning.txt
	@$(LOCK) --group dev -o requirements/dev.txt
	@$(LOCK) --group sam -o requirements/sam.txt

# The environment, made again when its lock file changes. The .pth file (relative, so the checkout
# may be moved with its environment made anew) lets every program in it import the project.
$(READY): requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed, $(PYTHON) is " + sys.version.split()[0] + "; try: make PYTHON=python3.13")'
	@echo "Installing the Python environment into $(VENV) (once, and when requirements/dev.txt changes)"
	@test -x $(BIN)/uv || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet --disable-pip-version-check uv; }
	@$(BIN)/uv pip sync --python $(BIN)/python requirements/dev.txt
	@$(BIN)/python -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "cloudphone.pth").write_text("".join(f"../../../../{root}\n" for root in (".", "functions", "layers/scheduler")))'
	@touch $@
